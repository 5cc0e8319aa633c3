/*
 * cache: tokens that have been verified under one policy, so that a client that sends the same one again costs a
 * comparison instead of a signature. Shared by the workers; bounded; small sets with a lock for a few instructions
 * each; the least recently used of a set leaves first, and a crowd of tokens that come once each does not drive out
 * those that come again. A token is found by its end, which is signature and so as good
 * as random, and compared whole.
 */
#ifndef CACHE_H
#define CACHE_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <weir/types.h>

/* What is known of a verified token. Immutable but for the count; the claims are never changed, so that threads may
 * read them at once. */
struct verified {
    _Atomic unsigned refs;
    uint64_t hash;
    uint64_t version;      /* of the keys when it was verified */
    int64_t from, until;   /* seconds since the epoch, leeway included: from <= now < until */
    json_t *claims;
    unsigned n_forwards;
    struct weir_str *forwards; /* values for the origin, one per rule of the policy; p NULL: no such claim */
    size_t n;
    char *token;
};

/* Copies token; takes claims over. forwards: room for this many, all absent. NULL: out of memory, and the claims are
 * released. */
struct verified *verified_new(struct weir_str token, json_t *claims, unsigned forwards);
void verified_put(struct verified *v); /* one reference less; NULL is allowed */

struct cache;

struct cache *cache_new(unsigned entries); /* NULL: out of memory */
void cache_free(struct cache *c);          /* NULL is allowed */
/* A reference to what is known of this token, when it was verified with keys of this version and its time has not
 * passed. NULL: nothing. */
struct verified *cache_get(struct cache *c, uint64_t hash, struct weir_str token, uint64_t version, int64_t now);
/* Keeps it if it can; takes a reference of its own. */
void cache_add(struct cache *c, struct verified *v);
/* The part of a token that cache_get's hash is of. */
struct weir_str cache_tail(struct weir_str token);

#endif
