/*
 * parse: text to typed values, whole slice or nothing, no locale, no sign unless said, overflow refused.
 * All return 0, or -1 when the text is not of that form.
 */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include "clock.h"
#include "slice.h"

int parse_u64(struct slice s, uint64_t max, uint64_t *out);  /* decimal digits only */
int parse_hex(struct slice s, uint64_t max, uint64_t *out);
int parse_size(struct slice s, uint64_t *out);               /* 8k 1m 2g: powers of 1024; plain bytes */
int parse_duration(struct slice s, nsec_t *out);             /* 250ms 5s 10m 24h 7d; a bare number is refused, 0 is 0 */
int parse_rate(struct slice s, uint64_t *count, nsec_t *per); /* 100/s 6000/m 1/h 5/d */
int parse_percent(struct slice s, double *out);              /* 5% 0.5%: 0 to 100, the number before the sign */

#endif
