/* table: open addressing with linear probing; nothing is ever taken out. */
#include "conf_impl.h"

#include "../base/xalloc.h"

#include <stdlib.h>

void
table_fini(struct table *t)
{
    free(t->slots);
    memset(t, 0, sizeof(*t));
}

void *
table_find(const struct table *t, uint64_t hash, table_same same, const void *key)
{
    size_t i;

    if (!t->room)
        return NULL;
    for (i = hash & (t->room - 1); t->slots[i].item; i = (i + 1) & (t->room - 1)) {
        if (t->slots[i].hash == hash && same(t->slots[i].item, key))
            return t->slots[i].item;
    }
    return NULL;
}

static void
put(struct table *t, uint64_t hash, void *item)
{
    size_t i = hash & (t->room - 1);

    while (t->slots[i].item)
        i = (i + 1) & (t->room - 1);
    t->slots[i] = (struct table_slot){ hash, item };
}

static void
grow(struct table *t)
{
    struct table old = *t;

    t->room = old.room ? old.room * 2 : 64;
    t->slots = xcalloc(t->room, sizeof(*t->slots));
    for (size_t i = 0; i < old.room; i++) {
        if (old.slots[i].item)
            put(t, old.slots[i].hash, old.slots[i].item);
    }
    free(old.slots);
}

void
table_add(struct table *t, uint64_t hash, void *item)
{
    if (t->n * 2 >= t->room)
        grow(t);
    put(t, hash, item);
    t->n++;
}
