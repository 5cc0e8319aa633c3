/*
 * strict: a reader of HTTP/1.1 that shares no code with weir and knows one spelling only: what weir writes. It judges
 * what came out of weir, and tells which requests a client's bytes are when they are beyond all doubt.
 */
#ifndef FUZZ_STRICT_H
#define FUZZ_STRICT_H

#include "../../src/base/slice.h"
#include "../../src/base/strbuf.h"

#define STRICT_FIELDS_MAX 64

enum strict_result { STRICT_DONE, STRICT_MORE, STRICT_BAD };

struct strict_field {
    struct slice name, value;
};

struct strict_message {
    struct slice all;            /* head and body as they came, as far as they are there */
    struct slice method, target; /* of a request */
    unsigned status;             /* of a response */
    bool http10;                 /* a response to an HTTP/1.0 client, or a request of one */
    struct strict_field fields[STRICT_FIELDS_MAX];
    unsigned n;
    size_t head; /* bytes of the head; 0: it is not complete */
    enum { STRICT_NO_BODY, STRICT_LENGTH, STRICT_CHUNKED, STRICT_UNTIL_CLOSE } framing;
    size_t length;
    struct strbuf body; /* decoded, as far as it is there. strict_fini */
    const char *why;    /* of STRICT_BAD */
};

/* The message at the front of s: DONE: m->all is all of it; MORE: it goes on after the end of s. */
enum strict_result strict_request(struct slice s, struct strict_message *m);
/* method: of the request it answers. UNTIL_CLOSE is never DONE. */
enum strict_result strict_response(struct slice s, struct slice method, struct strict_message *m);
void strict_fini(struct strict_message *m);
/* The value of the only field of that name; none: p is NULL. */
struct slice strict_field(const struct strict_message *m, const char *name);
unsigned strict_count(const struct strict_message *m, const char *name);

#endif
