/*
 * table: the buckets of one rate limit in the memory of this process, shared by all workers and generations. A bounded
 * number of entries in small sets; the hash of the key names the set and, all 64 bits of it, the bucket. A set is
 * locked for a few instructions. In a full set the bucket that is nearest to full, and so has least to remember, makes
 * room.
 */
#ifndef TABLE_H
#define TABLE_H

#include "gcra.h"

#include <stdatomic.h>
#include <stddef.h>

struct table;

/* At least `entries` buckets; memory is touched as it is used. NULL: out of memory. */
struct table *table_new(size_t entries);
void table_free(struct table *t);
/* Takes one token from the bucket of this hash. *evicted is set when a bucket that was not full was forgotten for it.
 * Any thread. */
struct gcra_answer table_take(struct table *t, uint64_t hash, const struct gcra *g, int64_t now, bool *evicted);

#endif
