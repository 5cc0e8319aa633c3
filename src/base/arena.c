#include "arena.h"
#include "recycle.h"
#include "xalloc.h"

#include <stdint.h>
#include <stdio.h>

#define ARENA_ALIGN 16u
#define ARENA_CHUNK_SIZE 8192u
#define ARENA_CACHE_MAX 256u                 /* 2 MiB per thread */
#define ARENA_MANY 32u                       /* chunks, after which they are big ones: what a configuration takes */
#define ARENA_BIG_SIZE (256u * 1024u)        /* the allocator maps such alone, and gives them back at once */
#define ARENA_LARGE (ARENA_CHUNK_SIZE / 4)   /* from here on an allocation gets a chunk of its own */

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;   /* of the whole block */
    bool recycled; /* one of the equal-sized ones */
    _Alignas(ARENA_ALIGN) char data[];
};

struct arena_disposer {
    struct arena_disposer *next;
    void (*fn)(void *arg);
    void *arg;
};

static __thread struct recycle chunk_cache;

void
arena_init(struct arena *a)
{
    memset(a, 0, sizeof(*a));
}

static void
chunk_free(struct arena_chunk *c)
{
    if (c->recycled) {
        recycle_put(&chunk_cache, c, ARENA_CHUNK_SIZE, ARENA_CACHE_MAX);
        return;
    }
    mem_unpoison(c, c->size);
    free(c);
}

void
arena_fini(struct arena *a)
{
    struct arena_disposer *d;
    struct arena_chunk *c;

    while ((d = a->disposers)) {
        a->disposers = d->next; /* first, so that a disposer may register another */
        d->fn(d->arg);
    }
    while ((c = a->chunks)) {
        a->chunks = c->next;
        chunk_free(c);
    }
    memset(a, 0, sizeof(*a));
}

/* A block behind the newest chunk, whose free room stays in use. `size` is rounded already. */
static void *
alloc_large(struct arena *a, size_t size)
{
    struct arena_chunk *c = xmalloc(sizeof(*c) + size);

    c->size = sizeof(*c) + size;
    c->recycled = false;
    if (a->chunks) {
        c->next = a->chunks->next;
        a->chunks->next = c;
    } else {
        c->next = NULL;
        a->chunks = c;
    }
    return c->data;
}

static void
add_chunk(struct arena *a)
{
    bool big = a->n_chunks++ >= ARENA_MANY;
    struct arena_chunk *c = big ? xmalloc(ARENA_BIG_SIZE) : recycle_get(&chunk_cache, ARENA_CHUNK_SIZE);

    c->size = big ? ARENA_BIG_SIZE : ARENA_CHUNK_SIZE;
    c->recycled = !big;
    c->next = a->chunks;
    a->chunks = c;
    a->next = c->data;
    a->end = (char *)c + c->size;
    mem_poison(c->data, (size_t)(a->end - a->next));
}

void *
arena_alloc(struct arena *a, size_t size)
{
    size_t rounded;
    char *p;

    if (size > SIZE_MAX / 2)
        xalloc_fail(); /* no caller can have meant it */
    rounded = ((size ? size : 1) + MEM_REDZONE + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    a->used += size;
    if (rounded > (size_t)(a->end - a->next)) {
        if (rounded >= ARENA_LARGE)
            return alloc_large(a, rounded);
        add_chunk(a);
    }
    p = a->next;
    a->next += rounded;
    mem_unpoison(p, size ? size : 1);
    return p;
}

void *
arena_zalloc(struct arena *a, size_t size)
{
    return memset(arena_alloc(a, size), 0, size);
}

char *
arena_strndup(struct arena *a, const char *p, size_t n)
{
    char *copy = arena_alloc(a, n + 1);

    if (n)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

struct slice
arena_slice(struct arena *a, struct slice s)
{
    return slice_of(arena_strndup(a, s.p, s.n), s.n);
}

struct slice
arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    struct slice s;

    va_start(ap, fmt);
    s = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return s;
}

struct slice
arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    char small[512];
    va_list again;
    char *p;
    int n;

    va_copy(again, ap);
    n = vsnprintf(small, sizeof(small), fmt, ap);
    if (n < 0) {
        n = 0;
        small[0] = '\0';
    }
    p = arena_alloc(a, (size_t)n + 1);
    if ((size_t)n < sizeof(small))
        memcpy(p, small, (size_t)n + 1);
    else
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return slice_of(p, (size_t)n);
}

void
arena_on_fini(struct arena *a, void (*fn)(void *arg), void *arg)
{
    struct arena_disposer *d = arena_alloc(a, sizeof(*d));

    d->fn = fn;
    d->arg = arg;
    d->next = a->disposers;
    a->disposers = d;
}

void
arena_thread_fini(void)
{
    recycle_empty(&chunk_cache, ARENA_CHUNK_SIZE);
}
