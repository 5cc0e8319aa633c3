/* hash: SipHash-1-3 under a key drawn at start (never the same twice), so that hostile keys cannot collide on purpose;
 * and a fixed-key form for hashes that must agree between processes (balancing, canary). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "slice.h"

#include <stdint.h>

uint64_t hash_slice(struct slice s);        /* seeded per process */
uint64_t hash_stable(struct slice s);       /* same in every process and version */
uint64_t hash_mix(uint64_t a, uint64_t b);  /* stable */

#endif
