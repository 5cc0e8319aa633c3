/* endpoint_set: the endpoints of an upstream at one time; immutable, counted. */
#ifndef UPSTREAM_ENDPOINT_SET_H
#define UPSTREAM_ENDPOINT_SET_H

#include "../base/name_map.h"
#include "endpoint.h"

struct endpoint_entry {
    struct endpoint_state *e; /* a reference */
    uint64_t hash;            /* of its address; the same in every process */
    unsigned weight;          /* of the file */
};

struct endpoint_set {
    _Atomic unsigned refs;
    unsigned n, room;
    struct name_map by_address; /* of a large set */
    struct endpoint_entry entries[];
};

#define ENDPOINT_SET_MAX 65000

struct endpoint_set *endpoint_set_new(unsigned room); /* one reference */
/* While it is being built. false: it is there already (then the first one's weight and name hold), or no room. */
bool endpoint_set_add(struct endpoint_set *s, const char *upstream, const struct addr *a, const char *authority,
                      unsigned weight);
void endpoint_set_hold(struct endpoint_set *s);
void endpoint_set_put(struct endpoint_set *s);                                       /* any thread */
bool endpoint_set_has(const struct endpoint_set *s, const struct endpoint_state *e); /* s may be NULL */
/* Same endpoints in the same order with the same weights? */
bool endpoint_set_equal(const struct endpoint_set *a, const struct endpoint_set *b);

#endif
