/*
 * random: random_u64 is a fast per-thread generator (xoshiro256**, seeded by getrandom) for balancing and jitter;
 * random_bytes is the kernel's, for anything that must not be guessed.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

uint64_t random_u64(void);
uint64_t random_below(uint64_t n); /* uniform in [0, n); n >= 1 */
void random_bytes(void *p, size_t n);

#endif
