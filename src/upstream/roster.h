/*
 * roster: the endpoints of a large view that may be used now, kept from request to request, so that picking one of a
 * thousand costs about as much as picking one of ten. It is made anew when any endpoint's state has changed
 * (endpoint_changed) or an ejection ends. One worker's own.
 *
 * round_robin: a heap by virtual due time (each pick of an endpoint makes it due again 1/weight later); random: a
 * search in the sums of the weights; least_request: the less busy of two drawn by weight; hash: the winner of each
 * class of keys (balance_hash_class) is remembered.
 */
#ifndef UPSTREAM_ROSTER_H
#define UPSTREAM_ROSTER_H

#include "cluster.h"
#include "endpoint_set.h"

#define ROSTER_FROM 17 /* endpoints in a set; fewer are looked at one by one */

struct roster {
    unsigned n;          /* how many may be used now */
    uint32_t *members;   /* their places in the set, beginning where the worker does */
    uint64_t *sums;      /* of the weights up to and with each */
    uint32_t *heap;      /* indexes into members by due time */
    uint64_t *due;       /* by place in the set */
    uint16_t *winners;   /* by class of keys: 1 + index into members; 0: not known. Only with BALANCE_HASH */
    uint64_t now;        /* virtual time of round robin */
    bool made;           /* ever */
    unsigned changes;    /* endpoint_changes when it was made */
    nsec_t valid_until;  /* when the next ejection ends */
};

void roster_init(struct roster *r, unsigned room); /* for a set of that many */
void roster_fini(struct roster *r);                /* zero again */
bool roster_fresh(const struct roster *r, nsec_t now);
/* To make it anew: roster_begin, which notes how long it will be good, before anything is read of the endpoints; then
 * the caller puts `n` and `members` in place, n may be 0; then roster_make derives the rest. */
void roster_begin(struct roster *r, const struct endpoint_set *set, nsec_t now);
void roster_make(struct roster *r, const struct endpoint_set *set, enum balance b);
/* n >= 1. A place in the set. */
unsigned roster_choose(struct roster *r, const struct endpoint_set *set, enum balance b, uint64_t hash);

#endif
