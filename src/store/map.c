#include "map.h"
#include "../base/xalloc.h"

#include <stdlib.h>

static struct store_map *
map_new(bool cluster)
{
    struct store_map *m = xcalloc(1, sizeof(*m) + (cluster ? MAP_SLOTS : 0));

    atomic_init(&m->refs, 1);
    m->cluster = cluster;
    if (cluster)
        memset(m->slots, MAP_NOBODY, MAP_SLOTS);
    return m;
}

struct store_map *
map_new_single(const struct addr *addrs, unsigned n)
{
    struct store_map *m = map_new(false);

    m->n = n < MAP_NODES_MAX ? n : MAP_NODES_MAX;
    memcpy(m->addrs, addrs, m->n * sizeof(*addrs));
    return m;
}

struct store_map *
map_new_cluster(void)
{
    return map_new(true);
}

void
map_hold(struct store_map *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
}

void
map_put(struct store_map *m)
{
    if (m && atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1)
        free(m);
}

bool
map_equal(const struct store_map *a, const struct store_map *b)
{
    unsigned i;

    if (!a || !b || a->n != b->n || a->cluster != b->cluster)
        return false;
    for (i = 0; i < a->n; i++) {
        if (!addr_equal(&a->addrs[i], &b->addrs[i]))
            return false;
    }
    return !a->cluster || memcmp(a->slots, b->slots, MAP_SLOTS) == 0;
}

int
map_node(struct store_map *m, const struct addr *a)
{
    unsigned i;

    for (i = 0; i < m->n; i++) {
        if (addr_equal(&m->addrs[i], a))
            return (int)i;
    }
    if (m->n == MAP_NODES_MAX)
        return -1;
    m->addrs[m->n++] = *a;
    return (int)i;
}

/* CRC-16/XMODEM: polynomial 0x1021, from 0. */
static unsigned
crc16(struct slice s)
{
    unsigned crc = 0, bit;
    size_t i;

    for (i = 0; i < s.n; i++) {
        crc ^= (unsigned)(unsigned char)s.p[i] << 8;
        for (bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
    }
    return crc;
}

unsigned
map_slot(struct slice key)
{
    const char *open = key.n ? memchr(key.p, '{', key.n) : NULL, *end;

    if (open) {
        struct slice tag = slice_from(key, (size_t)(open + 1 - key.p));

        end = tag.n ? memchr(tag.p, '}', tag.n) : NULL;
        if (end && end > tag.p)
            key = slice_of(tag.p, (size_t)(end - tag.p));
    }
    return crc16(key) % MAP_SLOTS;
}
