/*
 * recycle: a bounded stack of equal-sized blocks that one thread keeps for its next need instead of giving them back to
 * malloc. Under AddressSanitizer a block is poisoned while it lies here, so that a use after free is seen all the same.
 */
#ifndef BASE_RECYCLE_H
#define BASE_RECYCLE_H

#include "xalloc.h"

#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RECYCLE_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define RECYCLE_ASAN 1
#endif

#ifdef RECYCLE_ASAN
#include <sanitizer/asan_interface.h>
#define mem_poison(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define mem_unpoison(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#define MEM_REDZONE 16
#else
#define mem_poison(p, n) ((void)(p), (void)(n))
#define mem_unpoison(p, n) ((void)(p), (void)(n))
#define MEM_REDZONE 0
#endif

struct recycle_block {
    struct recycle_block *next;
};

struct recycle {
    struct recycle_block *blocks; /* owned; newest first, because it is the one still in the CPU's cache */
    unsigned n;
};

/* A block of `size` bytes (at least a pointer's) with undefined content; every call on one recycle must name the same
 * size. */
static inline void *
recycle_get(struct recycle *r, size_t size)
{
    struct recycle_block *block = r->blocks;

    if (!block)
        return xmalloc(size);
    mem_unpoison(block + 1, size - sizeof(*block));
    r->blocks = block->next;
    r->n--;
    return block;
}

static inline void
recycle_put(struct recycle *r, void *p, size_t size, unsigned max)
{
    struct recycle_block *block = p;

    mem_unpoison(p, size); /* an arena's chunk is poisoned where nothing was handed out */
    if (r->n >= max) {
        free(p);
        return;
    }
    block->next = r->blocks;
    r->blocks = block;
    r->n++;
    /* Not the link: the leak checker follows no pointer that lies in poisoned memory. */
    mem_poison(block + 1, size - sizeof(*block));
}

static inline void
recycle_empty(struct recycle *r, size_t size)
{
    while (r->blocks)
        free(recycle_get(r, size));
}

#endif
