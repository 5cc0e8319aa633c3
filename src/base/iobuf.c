#include "iobuf.h"
#include "recycle.h"
#include "xalloc.h"

#include <assert.h>

#define IOBUF_CACHE_MAX 256u /* 4 MiB per thread */
/* Up to this many bytes are copied into room that is there anyway rather than moved with their chunk; otherwise a peer
 * that sends single bytes would fill a buffer with nearly empty chunks, and the cap would not cap memory. With half a
 * chunk, of two neighbours one at least is more than half full. */
#define IOBUF_COPY_MAX (IOBUF_CHUNK_SIZE / 2)

/* Only the last chunk of an iobuf may be empty, and only between reserve and commit. */
struct iobuf_chunk {
    struct iobuf_chunk *next;
    uint32_t start, end; /* data[start, end) is held */
    uint32_t size;       /* of data */
    char data[];
};

#define RECYCLED_SIZE (sizeof(struct iobuf_chunk) + IOBUF_CHUNK_SIZE)

static __thread struct recycle chunk_cache;

static struct iobuf_chunk *
chunk_new(size_t size)
{
    struct iobuf_chunk *c;

    if (size <= IOBUF_CHUNK_SIZE) {
        size = IOBUF_CHUNK_SIZE;
        c = recycle_get(&chunk_cache, RECYCLED_SIZE);
    } else {
        c = xmalloc(sizeof(*c) + size);
    }
    c->next = NULL;
    c->start = c->end = 0;
    c->size = (uint32_t)size;
    return c;
}

static void
chunk_free(struct iobuf_chunk *c)
{
    if (c->size == IOBUF_CHUNK_SIZE)
        recycle_put(&chunk_cache, c, RECYCLED_SIZE, IOBUF_CACHE_MAX);
    else
        free(c);
}

static inline uint32_t
chunk_len(const struct iobuf_chunk *c)
{
    return c->end - c->start;
}

static inline uint32_t
chunk_room(const struct iobuf_chunk *c)
{
    return c->size - c->end;
}

static void
push_tail(struct iobuf *b, struct iobuf_chunk *c)
{
    c->next = NULL;
    if (b->tail)
        b->tail->next = c;
    else
        b->head = c;
    b->tail = c;
}

static struct iobuf_chunk *
pop_head(struct iobuf *b)
{
    struct iobuf_chunk *c = b->head;

    b->head = c->next;
    if (!b->head)
        b->tail = NULL;
    return c;
}

void
iobuf_init(struct iobuf *b, size_t cap)
{
    b->head = b->tail = NULL;
    b->len = 0;
    b->cap = cap;
}

void
iobuf_fini(struct iobuf *b)
{
    while (b->head)
        chunk_free(pop_head(b));
    b->len = 0;
}

char *
iobuf_reserve(struct iobuf *b, size_t min, size_t *n)
{
    struct iobuf_chunk *c = b->tail;

    assert(min <= IOBUF_CHUNK_SIZE);
    if (!c || chunk_room(c) < (min ? min : 1)) {
        c = chunk_new(IOBUF_CHUNK_SIZE);
        push_tail(b, c);
    }
    *n = chunk_room(c);
    return c->data + c->end;
}

/* Takes the empty chunk off that a reserve without a commit left at the end. */
static void
drop_empty_tail(struct iobuf *b)
{
    struct iobuf_chunk *c = b->head;

    if (!b->tail || chunk_len(b->tail))
        return;
    if (c == b->tail) {
        chunk_free(pop_head(b));
        return;
    }
    while (c->next != b->tail)
        c = c->next;
    chunk_free(b->tail);
    c->next = NULL;
    b->tail = c;
}

void
iobuf_commit(struct iobuf *b, size_t n)
{
    if (!n) {
        drop_empty_tail(b);
        return;
    }
    assert(b->tail && n <= chunk_room(b->tail));
    b->tail->end += (uint32_t)n;
    b->len += n;
}

size_t
iobuf_span(struct iobuf *b, size_t min, size_t want, struct iobuf_span *s)
{
    struct iobuf_chunk **end = &s->fresh;
    size_t left = want, room = b->tail ? chunk_room(b->tail) : 0;

    assert(want && min <= IOBUF_CHUNK_SIZE);
    s->fresh = NULL;
    s->in_tail = room && room >= min;
    s->n = 0;
    if (s->in_tail) {
        size_t part = room < left ? room : left;

        s->iov[s->n++] = (struct iovec){ b->tail->data + b->tail->end, part };
        left -= part;
    }
    while (left && s->n < IOBUF_SPAN_MAX) {
        struct iobuf_chunk *c = chunk_new(IOBUF_CHUNK_SIZE);
        size_t part = c->size < left ? c->size : left;

        *end = c;
        end = &c->next;
        s->iov[s->n++] = (struct iovec){ c->data, part };
        left -= part;
    }
    return want - left;
}

void
iobuf_span_commit(struct iobuf *b, struct iobuf_span *s, size_t n)
{
    b->len += n;
    for (int i = 0; i < s->n; i++) {
        size_t part = n < s->iov[i].iov_len ? n : s->iov[i].iov_len;
        struct iobuf_chunk *c = s->fresh;

        n -= part;
        if (i == 0 && s->in_tail) {
            b->tail->end += (uint32_t)part;
            continue;
        }
        s->fresh = c->next;
        c->end = (uint32_t)part;
        if (part)
            push_tail(b, c);
        else
            chunk_free(c);
    }
    assert(!n);
}

void
iobuf_add(struct iobuf *b, const void *p, size_t n)
{
    const char *from = p;

    while (n) {
        size_t room;
        char *to = iobuf_reserve(b, 1, &room);
        size_t part = n < room ? n : room;

        memcpy(to, from, part);
        iobuf_commit(b, part);
        from += part;
        n -= part;
    }
}

void
iobuf_adds(struct iobuf *b, struct slice s)
{
    iobuf_add(b, s.p, s.n);
}

struct slice
iobuf_front(const struct iobuf *b)
{
    return b->len ? slice_of(b->head->data + b->head->start, chunk_len(b->head)) : SLICE_NONE;
}

int
iobuf_iov(const struct iobuf *b, struct iovec *iov, int max)
{
    const struct iobuf_chunk *c;
    int n = 0;

    for (c = b->head; c && n < max; c = c->next) {
        if (!chunk_len(c))
            continue;
        iov[n].iov_base = (void *)(uintptr_t)(c->data + c->start);
        iov[n++].iov_len = chunk_len(c);
    }
    return n;
}

void
iobuf_consume(struct iobuf *b, size_t n)
{
    assert(n <= b->len);
    b->len -= n;
    while (n) {
        struct iobuf_chunk *c = b->head;

        if (n < chunk_len(c)) {
            c->start += (uint32_t)n;
            return;
        }
        n -= chunk_len(c);
        chunk_free(pop_head(b));
    }
}

void
iobuf_move(struct iobuf *dst, struct iobuf *src, size_t n)
{
    assert(n <= src->len);
    while (n) {
        struct iobuf_chunk *c = src->head;
        size_t part = chunk_len(c);
        bool fits = dst->tail && part <= chunk_room(dst->tail) && part <= IOBUF_COPY_MAX;

        if (part > n || fits) {
            part = part < n ? part : n;
            iobuf_add(dst, c->data + c->start, part);
            iobuf_consume(src, part);
        } else {
            drop_empty_tail(dst);
            push_tail(dst, pop_head(src));
            src->len -= part;
            dst->len += part;
        }
        n -= part;
    }
}

const char *
iobuf_pullup(struct iobuf *b, size_t n)
{
    struct iobuf_chunk *c = b->head, *big;
    struct iobuf rest;

    assert(n <= b->len);
    if (!n)
        return "";
    if (chunk_len(c) >= n)
        return c->data + c->start;
    /* Twice the size where one chunk is too small, so that a head that grows read by read is not copied each time. */
    assert(n <= UINT32_MAX / 2);
    big = chunk_new(n <= IOBUF_CHUNK_SIZE ? n : 2 * n);
    rest = *b;
    iobuf_init(b, b->cap);
    push_tail(b, big);
    while (big->end < n) {
        size_t part = n - big->end < chunk_len(rest.head) ? n - big->end : chunk_len(rest.head);

        memcpy(big->data + big->end, rest.head->data + rest.head->start, part);
        big->end += (uint32_t)part;
        iobuf_consume(&rest, part);
    }
    b->len = n + rest.len;
    big->next = rest.head;
    if (rest.head)
        b->tail = rest.tail;
    return big->data;
}

void
iobuf_thread_fini(void)
{
    recycle_empty(&chunk_cache, RECYCLED_SIZE);
}
