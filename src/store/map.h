/*
 * map: where a store's keys are at this moment: one server (with other addresses of it to try), or the masters of a
 * cluster by key slot. Immutable once published, counted references, any thread.
 */
#ifndef STORE_MAP_H
#define STORE_MAP_H

#include "../net/addr.h"

#include <stdatomic.h>

#define MAP_NODES_MAX 64
#define MAP_SLOTS 16384
#define MAP_NOBODY 0xff

struct store_map {
    atomic_uint refs;
    unsigned n;
    struct addr addrs[MAP_NODES_MAX];
    bool cluster;
    unsigned char slots[]; /* of a cluster: MAP_SLOTS indexes into addrs, or MAP_NOBODY */
};

struct store_map *map_new_single(const struct addr *addrs,
                                 unsigned n); /* n >= 1; those past MAP_NODES_MAX are left out */
struct store_map *map_new_cluster(void);      /* no nodes, all slots MAP_NOBODY */
void map_hold(struct store_map *m);
void map_put(struct store_map *m);                                    /* NULL is fine */
bool map_equal(const struct store_map *a, const struct store_map *b); /* NULL is equal to none */
/* The index of an address, added where it is new; -1: no room. Before publishing. */
int map_node(struct store_map *m, const struct addr *a);

/* CRC16 of the key's hash tag ({...}), or of all of it, modulo 16384: the Redis Cluster specification, "Key
 * distribution model". */
unsigned map_slot(struct slice key);

#endif
