/* verify: one signature under one key. */
#ifndef VERIFY_H
#define VERIFY_H

#include "keys.h"
#include "token.h"

/* Once, before the first use: finds the digests, so that no verification looks them up. -1: the crypto library lacks
 * one. */
int verify_load(void);
/* Whether the signature is the key's. The key must be bound to the token's algorithm. Any thread. */
bool verify_signature(const struct key *k, const struct token *t);

#endif
