#include "endpoint_set.h"
#include "../base/hash.h"
#include "../base/xalloc.h"

#include <stdlib.h>

struct endpoint_set *
endpoint_set_new(unsigned room)
{
    struct endpoint_set *s;

    if (room > ENDPOINT_SET_MAX)
        room = ENDPOINT_SET_MAX;
    s = xcalloc(1, sizeof(*s) + room * sizeof(s->entries[0]));
    s->refs = 1;
    s->room = room;
    return s;
}

#define INDEX_FROM 17 /* endpoints; fewer are compared one by one */

static struct endpoint_state *
find(const struct endpoint_set *s, const struct addr *a)
{
    char text[ADDR_TEXT_MAX];
    unsigned i;

    if (s->n >= INDEX_FROM) {
        addr_format(a, text);
        return name_map_get(&s->by_address, slice_str(text));
    }
    for (i = 0; i < s->n; i++) {
        if (addr_equal(&s->entries[i].e->addr, a))
            return s->entries[i].e;
    }
    return NULL;
}

static void
index_entry(struct endpoint_set *s, struct endpoint_state *e)
{
    unsigned i;

    if (s->n == INDEX_FROM) {
        for (i = 0; i < s->n; i++)
            name_map_put(&s->by_address, slice_str(s->entries[i].e->address), s->entries[i].e);
    } else if (s->n > INDEX_FROM) {
        name_map_put(&s->by_address, slice_str(e->address), e);
    }
}

bool
endpoint_set_add(struct endpoint_set *s, const char *upstream, const struct addr *a, const char *authority,
                 unsigned weight)
{
    struct endpoint_entry *entry;

    if (s->n == s->room || find(s, a))
        return false;
    entry = &s->entries[s->n++];
    entry->e = endpoint_get_as(upstream, a, authority);
    entry->hash = hash_stable(slice_str(entry->e->address));
    entry->weight = weight;
    index_entry(s, entry->e);
    if (atomic_load(&entry->e->weight_file) < 0) { /* live nowhere: nobody minds */
        atomic_store(&entry->e->weight, weight);
        endpoint_changed();
    }
    return true;
}

void
endpoint_set_hold(struct endpoint_set *s)
{
    atomic_fetch_add(&s->refs, 1);
}

void
endpoint_set_put(struct endpoint_set *s)
{
    unsigned i;

    if (atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    for (i = 0; i < s->n; i++)
        endpoint_put(s->entries[i].e);
    name_map_fini(&s->by_address);
    free(s);
}

bool
endpoint_set_has(const struct endpoint_set *s, const struct endpoint_state *e)
{
    return s && find(s, &e->addr) == e;
}

bool
endpoint_set_equal(const struct endpoint_set *a, const struct endpoint_set *b)
{
    unsigned i;

    if (a->n != b->n)
        return false;
    for (i = 0; i < a->n; i++) {
        if (a->entries[i].e != b->entries[i].e || a->entries[i].weight != b->entries[i].weight)
            return false;
    }
    return true;
}
