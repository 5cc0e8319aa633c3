/*
 * strbuf: a growing string with a cap, for text that is built in pieces (log lines, JSON, metrics).
 * Past the cap, further bytes are dropped and `truncated` is set; nothing fails.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include "slice.h"

#include <stdarg.h>
#include <stdint.h>

struct strbuf {
    char *p; /* NUL-terminated once anything was added; owned */
    size_t n, room, cap;
    bool truncated;
};

void strbuf_init(struct strbuf *b, size_t cap);
void strbuf_fini(struct strbuf *b);
void strbuf_clear(struct strbuf *b); /* keeps the memory */
void strbuf_add(struct strbuf *b, const char *p, size_t n);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_adds(struct strbuf *b, const char *s);
void strbuf_addslice(struct strbuf *b, struct slice s);
void strbuf_addu(struct strbuf *b, uint64_t v);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* As the inside of a JSON string (no quotes): control bytes and bytes that are not valid UTF-8 are escaped. */
void strbuf_addjson(struct strbuf *b, struct slice s);
struct slice strbuf_slice(const struct strbuf *b);

#endif
