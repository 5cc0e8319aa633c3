#include "h1.h"
#include "date.h"

/* Room asked for at the start of a head, so that nearly every head lies in one chunk. */
#define HEAD_ROOM 2048

/* Text on its way into the free room of an iobuf. */
struct pen {
    struct iobuf *out;
    char *start, *at, *end;
};

static void
pen_init(struct pen *w, struct iobuf *out)
{
    size_t n;

    w->out = out;
    w->start = w->at = iobuf_reserve(out, HEAD_ROOM, &n);
    w->end = w->at + n;
}

static void
pen_commit(struct pen *w)
{
    iobuf_commit(w->out, (size_t)(w->at - w->start));
    w->start = w->at;
}

static void
put_slow(struct pen *w, const char *p, size_t n)
{
    pen_commit(w);
    iobuf_add(w->out, p, n);
    pen_init(w, w->out);
}

static inline void
put(struct pen *w, const char *p, size_t n)
{
    if ((size_t)(w->end - w->at) < n) {
        put_slow(w, p, n);
        return;
    }
    if (n)
        memcpy(w->at, p, n);
    w->at += n;
}

static inline void
puts_slice(struct pen *w, struct slice s)
{
    put(w, s.p, s.n);
}

#define PUT_TEXT(w, text) put((w), (text), sizeof(text) - 1)

/* One check of the room for the whole line. */
static inline void
put_field(struct pen *w, struct slice name, struct slice value)
{
    char *p = w->at;

    if ((size_t)(w->end - p) < name.n + value.n + 4) {
        puts_slice(w, name);
        PUT_TEXT(w, ": ");
        puts_slice(w, value);
        PUT_TEXT(w, "\r\n");
        return;
    }
    if (name.n)
        memcpy(p, name.p, name.n);
    p += name.n;
    *p++ = ':';
    *p++ = ' ';
    if (value.n)
        memcpy(p, value.p, value.n);
    p += value.n;
    *p++ = '\r';
    *p++ = '\n';
    w->at = p;
}

static void
put_number(struct pen *w, uint64_t v)
{
    char digits[20];
    size_t i = sizeof(digits);

    do
        digits[--i] = (char)('0' + v % 10);
    while (v /= 10);
    put(w, digits + i, sizeof(digits) - i);
}

static void
put_framing(struct pen *w, struct body_framing body)
{
    if (body.kind == BODY_LENGTH) {
        PUT_TEXT(w, "Content-Length: ");
        put_number(w, body.length);
        PUT_TEXT(w, "\r\n");
    } else if (body.kind == BODY_CHUNKED) {
        PUT_TEXT(w, "Transfer-Encoding: chunked\r\n");
    }
}

static void
put_upgrade(struct pen *w, struct slice upgrade)
{
    PUT_TEXT(w, "Connection: upgrade\r\n");
    put_field(w, SLICE("Upgrade"), upgrade);
}

/* Which fields of the list the writer leaves out because it writes them itself, or must not send them. */
struct skip {
    bool length, connection;
};

static inline bool
skipped(struct skip skip, unsigned id)
{
    switch (id) {
    case FIELD_TRANSFER_ENCODING:
        return true;
    case FIELD_CONTENT_LENGTH:
        return skip.length;
    case FIELD_CONNECTION:
    case FIELD_UPGRADE:
    case FIELD_KEEP_ALIVE:
        return skip.connection;
    default:
        return false;
    }
}

/* The lines that stood side by side in the head they came in, from v on, go in one piece. Returns how many. */
static unsigned
put_lines(struct pen *w, const struct field *v, const struct field *end, struct skip skip)
{
    const struct field *f = v;
    const char *stop;

    do
        stop = field_line_end(f++);
    while (f < end && f->name.p == stop && field_line(f) && !skipped(skip, f->id));
    put(w, v->name.p, (size_t)(stop - v->name.p));
    return (unsigned)(f - v);
}

static void
put_fields(struct pen *w, const struct fields *f, struct skip skip)
{
    for (unsigned i = 0; i < f->n;) {
        const struct field *v = &f->v[i];

        if (skipped(skip, v->id))
            i++;
        else if (field_line(v))
            i += put_lines(w, v, f->v + f->n, skip);
        else
            put_field(w, v->name, v->value), i++;
    }
}

void
h1_write_request(struct iobuf *out, const struct http_request *r, struct slice target, struct body_framing body)
{
    struct skip skip = { .length = body.kind != BODY_NONE, .connection = r->upgrade.n > 0 };
    struct pen w;

    pen_init(&w, out);
    puts_slice(&w, r->method_text);
    PUT_TEXT(&w, " ");
    puts_slice(&w, target);
    PUT_TEXT(&w, " HTTP/1.1\r\n");
    if (!fields_find(&r->fields, FIELD_HOST))
        put_field(&w, SLICE("Host"), r->authority);
    put_fields(&w, &r->fields, skip);
    put_framing(&w, body);
    if (r->upgrade.n)
        put_upgrade(&w, r->upgrade);
    PUT_TEXT(&w, "\r\n");
    pen_commit(&w);
}

static void
put_status_line(struct pen *w, const struct http_response *r)
{
    struct slice phrase = r->reason_phrase.n ? r->reason_phrase : slice_str(status_phrase(r->status));

    PUT_TEXT(w, "HTTP/1.1 ");
    put_number(w, (uint64_t)r->status);
    PUT_TEXT(w, " ");
    puts_slice(w, phrase);
    PUT_TEXT(w, "\r\n");
}

struct body_framing
h1_response_body(struct body_framing body, int status, enum http_method method, bool to_10)
{
    if (status_has_no_body(status) || method == METHOD_HEAD)
        return (struct body_framing){ .kind = BODY_NONE };
    if (body.kind == BODY_CHUNKED && to_10)
        body.kind = BODY_UNTIL_CLOSE;
    else if (body.kind == BODY_UNTIL_CLOSE && !to_10)
        body.kind = BODY_CHUNKED;
    else if (body.kind == BODY_NONE)
        body = (struct body_framing){ .kind = BODY_LENGTH, .length = 0 };
    return body;
}

void
h1_write_response(struct iobuf *out, const struct http_response *r, struct body_framing body, bool keep_alive,
                  bool to_10, struct slice upgrade)
{
    struct skip skip = { .length = true, .connection = true };
    struct pen w;

    if (status_has_no_body(r->status))
        body.kind = BODY_NONE;
    else if (body.kind == BODY_CHUNKED && to_10)
        body.kind = BODY_UNTIL_CLOSE;
    /* The length that a body would have may be told: RFC 9110 8.6, but not with 1xx and 204. */
    if (body.kind == BODY_NONE && r->status >= 200 && r->status != 204)
        skip.length = false;
    pen_init(&w, out);
    put_status_line(&w, r);
    put_fields(&w, &r->fields, skip);
    if (!fields_find(&r->fields, FIELD_DATE))
        put_field(&w, SLICE("Date"), http_date_now());
    put_framing(&w, body);
    if (upgrade.n)
        put_upgrade(&w, upgrade);
    else if (!keep_alive || body.kind == BODY_UNTIL_CLOSE)
        PUT_TEXT(&w, "Connection: close\r\n");
    else if (to_10)
        PUT_TEXT(&w, "Connection: keep-alive\r\n");
    PUT_TEXT(&w, "\r\n");
    pen_commit(&w);
}

void
h1_write_interim(struct iobuf *out, const struct http_response *r)
{
    struct pen w;

    pen_init(&w, out);
    put_status_line(&w, r);
    put_fields(&w, &r->fields, (struct skip){ .length = true, .connection = true });
    PUT_TEXT(&w, "\r\n");
    pen_commit(&w);
}

void
h1_write_continue(struct iobuf *out)
{
    iobuf_adds(out, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
}

void
h1_write_chunk(struct iobuf *out, struct iobuf *src, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char line[18];
    size_t i = sizeof(line), size = n;

    line[--i] = '\n';
    line[--i] = '\r';
    do
        line[--i] = digits[size & 15];
    while (size >>= 4);
    iobuf_add(out, line + i, sizeof(line) - i);
    iobuf_move(out, src, n);
    iobuf_add(out, "\r\n", 2);
}

void
h1_write_last_chunk(struct iobuf *out, const struct fields *trailers)
{
    struct pen w;

    if (!trailers || trailers->n == 0) {
        iobuf_add(out, "0\r\n\r\n", 5);
        return;
    }
    pen_init(&w, out);
    PUT_TEXT(&w, "0\r\n");
    put_fields(&w, trailers, (struct skip){ .length = true, .connection = true });
    PUT_TEXT(&w, "\r\n");
    pen_commit(&w);
}
