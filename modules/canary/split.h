/*
 * split: how a set of weights divides requests. Pure functions of their arguments; weights are percent and need not add
 * up to 100, so that a variant that is out (weight 0 here) leaves its share to the others in proportion.
 */
#ifndef SPLIT_H
#define SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#define SPLIT_MAX 16 /* variants */

/* Index of the variant that random number r falls on; -1: no weight is above 0. */
int split_random(const double *weights, unsigned n, uint64_t r);

/* The variant of a key. Weighted rendezvous hashing: each key ranks the variants by itself, so that a change of one
 * weight moves only keys to or from that variant. seeds: one stable hash per variant, of its name. */
int split_keyed(const double *weights, const uint64_t *seeds, unsigned n, uint64_t key);

/* New weights where `named` ones are ordered and the rest share what is left of 100 in their old proportion. wanted[i]
 * counts where named[i]. NULL: good, `out` is set; else what is wrong with the order. */
const char *split_rebalance(const double *old, const bool *named, const double *wanted, unsigned n, double *out);

#endif
