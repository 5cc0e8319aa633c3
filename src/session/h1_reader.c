#include "h1_reader.h"

/* A read is given at least this much room, so that the end of a chunk is not filled by many small reads. */
#define READ_MIN 2048u
#define MOVE_MIN (IOBUF_CHUNK_SIZE / 4 * 3)

void
h1_reader_init(struct h1_reader *r)
{
    memset(r, 0, sizeof(*r));
    iobuf_init(&r->raw, SIZE_MAX);
}

void
h1_reader_fini(struct h1_reader *r)
{
    iobuf_fini(&r->raw);
}

static ssize_t
read_into_tail(struct iobuf *b, struct conn *c)
{
    size_t room;
    char *p = iobuf_reserve(b, READ_MIN, &room);
    ssize_t n = conn_read(c, p, room);

    iobuf_commit(b, n > 0 ? (size_t)n : 0);
    return n;
}

/* One system call for as much as several chunks hold. `behind`, unless NULL, gets what comes after `max` bytes, one
 * byte at most: asking for it makes the read short when those bytes are all there is, and saves the next one. */
static ssize_t
read_into_chunks(struct iobuf *b, struct conn *c, size_t max, struct iobuf *behind)
{
    struct iobuf_span span;
    size_t room = iobuf_span(b, READ_MIN, max, &span);
    int pieces = span.n;
    char next;
    ssize_t n;

    if (behind && room == max)
        span.iov[pieces++] = (struct iovec){ &next, 1 };
    n = conn_readv(c, span.iov, pieces);
    iobuf_span_commit(b, &span, n <= 0 ? 0 : (size_t)n < room ? (size_t)n : room);
    if (n > 0 && (size_t)n > room)
        iobuf_add(behind, &next, 1);
    return n;
}

/* One read of at most `max` bytes to the end of b; 0: of what the last chunk has room for. Who asks wants more than
 * there is so far, so it is really made although the last one may have been short: a reset that came together with the
 * bytes raises no event of its own. */
static enum reader_result
read_to(struct iobuf *b, struct conn *c, size_t max, struct iobuf *behind)
{
    ssize_t n;

    if (!c)
        return READER_AGAIN;
    if (c->eof)
        return READER_EOF;
    n = max ? read_into_chunks(b, c, max, behind) : read_into_tail(b, c);
    if (n > 0)
        return READER_OK;
    if (n == CONN_AGAIN)
        return READER_AGAIN;
    return n == CONN_EOF ? READER_EOF : READER_BROKEN;
}

enum reader_result
h1_reader_fill(struct h1_reader *r, struct conn *c)
{
    return read_to(&r->raw, c, 0, NULL);
}

enum h1_result
h1_reader_head(struct h1_reader *r, const struct h1_limits *limits, struct arena *arena, struct slice *head,
               struct h1_error *err)
{
    enum h1_result result;
    const char *p;
    size_t n;

    if (!r->raw.len)
        return H1_MORE;
    p = iobuf_pullup(&r->raw, r->raw.len);
    result = h1_find_head(&r->scan, p, r->raw.len, limits, &n, err);
    if (result != H1_DONE)
        return result;
    *head = arena_slice(arena, slice_of(p, n));
    iobuf_consume(&r->raw, n);
    r->bytes += n;
    memset(&r->scan, 0, sizeof(r->scan));
    return H1_DONE;
}

void
h1_reader_begin_body(struct h1_reader *r, struct body_framing body)
{
    r->kind = body.kind;
    r->left = body.length;
    r->in_trailers = r->plenty = false;
    if (body.kind == BODY_CHUNKED)
        chunked_init(&r->chunked);
    else if (body.kind == BODY_LENGTH && body.length == 0)
        r->kind = BODY_NONE;
}

/* How much to ask for at once. Where the length is not known, as in a tunnel, most messages are short: room for many
 * bytes is made when a read has filled a chunk. */
static size_t
read_size(const struct h1_reader *r, size_t max)
{
    return r->kind == BODY_LENGTH || r->plenty || max < IOBUF_CHUNK_SIZE ? max : IOBUF_CHUNK_SIZE;
}

/* Bytes that are data as they are: `left` more of them. */
static enum reader_result
read_plain(struct h1_reader *r, struct conn *c, struct iobuf *in)
{
    while (r->left) {
        size_t max = iobuf_room(in), held = in->len, got;
        enum reader_result result;

        if (!max)
            return READER_FULL;
        if (max > r->left)
            max = (size_t)r->left;
        if (r->raw.len) {
            iobuf_move(in, &r->raw, r->raw.len < max ? r->raw.len : max);
        } else {
            result = read_to(in, c, read_size(r, max), max == r->left ? &r->raw : NULL);
            if (result != READER_OK)
                return result;
            r->plenty = in->len - held >= IOBUF_CHUNK_SIZE;
        }
        got = in->len - held;
        r->left -= got;
        r->bytes += got;
    }
    return READER_END;
}

static enum reader_result
read_until_close(struct h1_reader *r, struct conn *c, struct iobuf *in)
{
    enum reader_result result;

    r->left = UINT64_MAX;
    result = read_plain(r, c, in);
    return result == READER_EOF ? READER_END : result;
}

/* A run that takes up most of its chunk is moved with it. Shorter ones are copied: chunks with little in them would add
 * up to more memory than the target's cap is meant to allow. */
static void
take_data(struct iobuf *in, struct iobuf *raw, struct slice front, size_t used, struct slice data)
{
    size_t before = data.n ? (size_t)(data.p - front.p) : 0;

    if (data.n < MOVE_MIN) {
        iobuf_adds(in, data);
        iobuf_consume(raw, used);
        return;
    }
    iobuf_consume(raw, before);
    iobuf_move(in, raw, data.n);
    iobuf_consume(raw, used - before - data.n);
}

/* What is read at once is what the target has room for, so that raw is empty again when it was decoded. */
static enum reader_result
read_chunks(struct h1_reader *r, struct conn *c, struct iobuf *in, struct h1_error *err)
{
    enum h1_result coding = H1_MORE;

    while (coding == H1_MORE) {
        size_t max = iobuf_room(in), used;
        struct slice front, data;

        if (!max)
            return READER_FULL;
        if (!r->raw.len) {
            enum reader_result result = read_to(&r->raw, c, read_size(r, max > READ_MIN ? max : READ_MIN), NULL);

            if (result != READER_OK)
                return result;
            r->plenty = r->raw.len >= IOBUF_CHUNK_SIZE;
        }
        front = iobuf_front(&r->raw);
        coding = chunked_decode(&r->chunked, front.p, front.n < max ? front.n : max, &used, &data, err);
        take_data(in, &r->raw, front, used, data);
        r->bytes += used;
    }
    return coding == H1_DONE ? READER_OK : READER_BAD;
}

/* The slices of a parsed section point into raw, which goes. */
static void
keep_trailers(struct fields *f)
{
    for (unsigned i = 0; i < f->n; i++) {
        f->v[i].name = arena_slice(f->arena, f->v[i].name);
        f->v[i].value = arena_slice(f->arena, f->v[i].value);
        f->v[i].as_received = false;
    }
}

static enum reader_result
read_trailers(struct h1_reader *r, struct conn *c, const struct h1_body_target *t, struct h1_error *err)
{
    for (;;) {
        size_t n = r->raw.len, used;
        enum h1_result result = H1_MORE;
        enum reader_result filled;

        t->trailers->n = 0;
        if (n)
            result = chunked_trailers(iobuf_pullup(&r->raw, n), n, t->limits, t->trailers, &used, err);
        if (result == H1_ERROR)
            return READER_BAD;
        if (result == H1_DONE) {
            keep_trailers(t->trailers);
            iobuf_consume(&r->raw, used);
            r->bytes += used;
            return READER_END;
        }
        filled = h1_reader_fill(r, c);
        if (filled != READER_OK)
            return filled;
    }
}

static enum reader_result
read_chunked(struct h1_reader *r, struct conn *c, const struct h1_body_target *t, struct h1_error *err)
{
    if (!r->in_trailers) {
        enum reader_result result = read_chunks(r, c, t->in, err);

        if (result != READER_OK)
            return result;
        r->in_trailers = true;
    }
    return read_trailers(r, c, t, err);
}

enum reader_result
h1_reader_body(struct h1_reader *r, struct conn *c, const struct h1_body_target *t, struct h1_error *err)
{
    enum reader_result result = READER_END;

    switch (r->kind) {
    case BODY_NONE:
        break;
    case BODY_LENGTH:
        result = read_plain(r, c, t->in);
        break;
    case BODY_CHUNKED:
        result = read_chunked(r, c, t, err);
        break;
    case BODY_UNTIL_CLOSE:
        result = read_until_close(r, c, t->in);
        break;
    }
    if (result == READER_END)
        r->kind = BODY_NONE;
    return result;
}
