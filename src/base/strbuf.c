#include "strbuf.h"
#include "utf8.h"
#include "xalloc.h"

#include <stdio.h>
#include <stdlib.h>

#define STRBUF_FIRST 256

void
strbuf_init(struct strbuf *b, size_t cap)
{
    memset(b, 0, sizeof(*b));
    b->cap = cap;
}

void
strbuf_fini(struct strbuf *b)
{
    free(b->p);
    strbuf_init(b, b->cap);
}

void
strbuf_clear(struct strbuf *b)
{
    b->n = 0;
    b->truncated = false;
    if (b->p)
        b->p[0] = '\0';
}

/* Makes room for n more bytes and a NUL, as far as the cap allows; returns how many of the n may be added. */
static size_t
make_room(struct strbuf *b, size_t n)
{
    size_t left = b->cap > b->n ? b->cap - b->n : 0;
    size_t need, room;

    if (n > left) {
        b->truncated = true;
        n = left;
    }
    need = b->n + n + 1;
    if (need <= b->room)
        return n;
    room = b->room ? b->room : STRBUF_FIRST;
    while (room < need)
        room *= 2;
    if (room > b->cap + 1 && b->cap + 1 >= need)
        room = b->cap + 1;
    b->p = xrealloc(b->p, room);
    b->room = room;
    return n;
}

void
strbuf_add(struct strbuf *b, const char *p, size_t n)
{
    n = make_room(b, n);
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void
strbuf_addc(struct strbuf *b, char c)
{
    strbuf_add(b, &c, 1);
}

void
strbuf_adds(struct strbuf *b, const char *s)
{
    strbuf_add(b, s, strlen(s));
}

void
strbuf_addslice(struct strbuf *b, struct slice s)
{
    strbuf_add(b, s.p, s.n);
}

void
strbuf_addu(struct strbuf *b, uint64_t v)
{
    char digits[20];
    size_t i = sizeof(digits);

    do
        digits[--i] = (char)('0' + v % 10);
    while (v /= 10);
    strbuf_add(b, digits + i, sizeof(digits) - i);
}

void
strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    strbuf_vaddf(b, fmt, ap);
    va_end(ap);
}

void
strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap)
{
    size_t room = b->room > b->n ? b->room - b->n : 0;
    va_list again;
    size_t fits;
    int n;

    va_copy(again, ap);
    n = vsnprintf(room ? b->p + b->n : NULL, room, fmt, ap);
    if (n > 0) {
        fits = make_room(b, (size_t)n);
        /* Written already when there was room for it and its NUL. */
        if ((size_t)n >= room)
            vsnprintf(b->p + b->n, fits + 1, fmt, again);
        b->n += fits;
        b->p[b->n] = '\0';
    }
    va_end(again);
}

static size_t
json_plain_run(const char *p, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];

        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            break;
    }
    return i;
}

static void
add_json_escape(struct strbuf *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *at = c ? strchr(from, c) : NULL;

    if (at) {
        strbuf_add(b, (char[]){ '\\', to[at - from] }, 2);
        return;
    }
    strbuf_add(b, (char[]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6);
}

void
strbuf_addjson(struct strbuf *b, struct slice s)
{
    while (s.n) {
        size_t run = json_plain_run(s.p, s.n);

        if (!run) {
            run = utf8_printable(s.p, s.n);
            if (!run) {
                add_json_escape(b, (unsigned char)*s.p);
                s = slice_from(s, 1);
                continue;
            }
        }
        strbuf_add(b, s.p, run);
        s = slice_from(s, run);
    }
}

struct slice
strbuf_slice(const struct strbuf *b)
{
    return slice_of(b->p, b->n);
}
