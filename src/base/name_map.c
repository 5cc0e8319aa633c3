#include "name_map.h"
#include "hash.h"
#include "xalloc.h"

#include <stdlib.h>

#define ROOM_FIRST 16

void
name_map_fini(struct name_map *m)
{
    free(m->v);
    memset(m, 0, sizeof(*m));
}

/* Where the name is, or where it would go. */
static struct name_map_entry *
slot_of(const struct name_map *m, uint64_t hash, struct slice name)
{
    for (size_t i = hash & (m->room - 1);; i = (i + 1) & (m->room - 1)) {
        struct name_map_entry *e = &m->v[i];

        if (!e->value || (e->hash == hash && slice_eq(e->name, name)))
            return e;
    }
}

void *
name_map_get(const struct name_map *m, struct slice name)
{
    return m->n ? slot_of(m, hash_slice(name), name)->value : NULL;
}

static void
grow(struct name_map *m)
{
    struct name_map old = *m;

    m->room = old.room ? old.room * 2 : ROOM_FIRST;
    m->v = xcalloc(m->room, sizeof(*m->v));
    for (size_t i = 0; i < old.room; i++) {
        if (old.v[i].value)
            *slot_of(m, old.v[i].hash, old.v[i].name) = old.v[i];
    }
    free(old.v);
}

void
name_map_put(struct name_map *m, struct slice name, void *value)
{
    uint64_t hash = hash_slice(name);
    struct name_map_entry *e;

    if ((m->n + 1) * 2 > m->room)
        grow(m);
    e = slot_of(m, hash, name);
    m->n += !e->value;
    *e = (struct name_map_entry){ hash, name, value };
}

/* Those behind it in the run move up, so that no search stops at the gap. */
void
name_map_del(struct name_map *m, struct slice name)
{
    struct name_map_entry *e = m->n ? slot_of(m, hash_slice(name), name) : NULL;
    size_t gap, i;

    if (!e || !e->value)
        return;
    gap = (size_t)(e - m->v);
    for (i = (gap + 1) & (m->room - 1); m->v[i].value; i = (i + 1) & (m->room - 1)) {
        size_t home = m->v[i].hash & (m->room - 1);

        if (((i - home) & (m->room - 1)) < ((i - gap) & (m->room - 1)))
            continue; /* its home lies behind the gap */
        m->v[gap] = m->v[i];
        gap = i;
    }
    m->v[gap].value = NULL;
    m->n--;
}
