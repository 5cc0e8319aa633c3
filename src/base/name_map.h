/*
 * name_map: things found by their name, whose bytes belong to the owner of the thing and must not move while it is in
 * the map. Keys are hashed under the process's own key. One writer; readers only while nobody writes.
 */
#ifndef BASE_NAME_MAP_H
#define BASE_NAME_MAP_H

#include "slice.h"

#include <stddef.h>
#include <stdint.h>

struct name_map {
    struct name_map_entry {
        uint64_t hash;
        struct slice name;
        void *value; /* NULL: free */
    } *v;
    size_t n, room; /* room is a power of two, or 0 */
};

void name_map_fini(struct name_map *m); /* zeroed again: an empty one is all zero */
void *name_map_get(const struct name_map *m, struct slice name); /* NULL: there is none */
/* In the place of an older one of that name. value is not NULL. */
void name_map_put(struct name_map *m, struct slice name, void *value);
void name_map_del(struct name_map *m, struct slice name);

#endif
