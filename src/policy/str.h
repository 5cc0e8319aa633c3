/* str: between the two names of a borrowed run of bytes, slice in the core and weir_str in the public interface. */
#ifndef POLICY_STR_H
#define POLICY_STR_H

#include "../base/slice.h"

#include <weir/types.h>

static inline struct weir_str
str_of_slice(struct slice s)
{
    return (struct weir_str){ s.p, s.n };
}

static inline struct slice
slice_of_str(struct weir_str s)
{
    return slice_of(s.p, s.n);
}

#endif
