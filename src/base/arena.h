/*
 * arena: memory that dies all at once. One per exchange, per generation, per parse. Chunks are 8 KiB and recycled
 * through a per-thread cache (arena_thread_fini empties it), so a steady exchange costs no malloc.
 * Not thread-safe: an arena belongs to one thread at a time.
 *
 * Disposers tie anything else (a timer, a reference) to the arena's life: they run in reverse order of
 * registration at arena_fini.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "slice.h"

#include <stdarg.h>

struct arena_chunk;
struct arena_disposer;

struct arena {
    struct arena_chunk *chunks; /* newest first; owned */
    char *next, *end;           /* free room in the newest chunk */
    struct arena_disposer *disposers;
    size_t used;                /* bytes handed out, for caps and statistics */
    unsigned n_chunks; /* but those of large allocations */
};

void arena_init(struct arena *a);
void arena_fini(struct arena *a); /* runs disposers, returns chunks; the arena may be used again */

/* Never NULL: running out of memory ends the process with a message (base/xalloc.h). 16-byte aligned. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_zalloc(struct arena *a, size_t size);
char *arena_strndup(struct arena *a, const char *p, size_t n); /* NUL-terminated copy */
struct slice arena_slice(struct arena *a, struct slice s);     /* copy; also NUL-terminated behind its end */
struct slice arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct slice arena_vprintf(struct arena *a, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

void arena_on_fini(struct arena *a, void (*fn)(void *arg), void *arg);

/* Frees the calling thread's chunk cache. At thread exit. */
void arena_thread_fini(void);

#endif
