/* frames: the far end of a connection that speaks HTTP/2. Frames are written by hand; only heads are read with
 * nghttp2's HPACK. */
#ifndef TEST_FRAMES_H
#define TEST_FRAMES_H

#include "wire.h"

#include <nghttp2/nghttp2.h>

static struct {
    struct wire w;
    nghttp2_hd_inflater *hpack;
    struct strbuf out;  /* frames to be sent */
    struct strbuf sent; /* what a send in progress reads from */
    struct strbuf got;  /* frames that came: "HEADERS 1 end :status=200,...;", "DATA 1 5;" ... */
    size_t parsed;      /* of w.got */
    struct strbuf head; /* of which CONTINUATION is to come */
} far;

/* The near end becomes a conn. */
static inline struct conn *
far_open(struct loop *l)
{
    memset(&far, 0, sizeof(far));
    strbuf_init(&far.out, 1 << 20);
    strbuf_init(&far.sent, 1 << 20);
    strbuf_init(&far.got, 1 << 20);
    strbuf_init(&far.head, 1 << 20);
    assert_int_equal(nghttp2_hd_inflate_new(&far.hpack), 0);
    return wire_open(&far.w, l);
}

static inline void
far_close(void)
{
    wire_close(&far.w);
    strbuf_fini(&far.out);
    strbuf_fini(&far.sent);
    strbuf_fini(&far.got);
    strbuf_fini(&far.head);
    nghttp2_hd_inflate_del(far.hpack);
}

static inline void
frame(int type, int flags, int stream, const char *payload, size_t n)
{
    const char head[9] = { (char)(n >> 16),      (char)(n >> 8),      (char)n,
                           (char)type,           (char)flags,         (char)(stream >> 24),
                           (char)(stream >> 16), (char)(stream >> 8), (char)stream };

    strbuf_add(&far.out, head, sizeof(head));
    strbuf_add(&far.out, payload, n);
}

static inline void
number_frame(int type, int stream, unsigned n)
{
    const char bytes[4] = { (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n };

    frame(type, 0, stream, bytes, sizeof(bytes));
}

/* Literals without indexing: the length of a name, it, the length of a value, it. */
static inline void
head_frame(int stream, bool end, const char *const *pairs)
{
    struct strbuf b;

    strbuf_init(&b, 65536);
    for (; pairs[0]; pairs += 2) {
        strbuf_addc(&b, '\0');
        strbuf_addc(&b, (char)strlen(pairs[0]));
        strbuf_adds(&b, pairs[0]);
        strbuf_addc(&b, (char)strlen(pairs[1]));
        strbuf_adds(&b, pairs[1]);
    }
    frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | (end ? NGHTTP2_FLAG_END_STREAM : 0), stream, b.p, b.n);
    strbuf_fini(&b);
}

static inline void
flush(void)
{
    strbuf_clear(&far.sent);
    strbuf_addslice(&far.sent, strbuf_slice(&far.out));
    strbuf_clear(&far.out);
    wire_send(&far.w, far.sent.p, far.sent.n);
}

static inline void
note_fields(void)
{
    const uint8_t *p = (const uint8_t *)far.head.p;
    size_t n = far.head.n;

    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(far.hpack, &nv, &flags, p, n, 1);

        assert_true(used >= 0);
        p += used;
        n -= (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            strbuf_addf(&far.got, " %.*s=%.*s", (int)nv.namelen, nv.name, (int)nv.valuelen, nv.value);
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
    }
    nghttp2_hd_inflate_end_headers(far.hpack);
    strbuf_clear(&far.head);
    strbuf_adds(&far.got, ";");
}

static inline void
note_frame(const uint8_t *p, size_t n)
{
    static const char *const names[] = { "DATA", "HEADERS", "PRIORITY", "RST",   "SETTINGS",
                                         "PUSH", "PING",    "GOAWAY",   "WINDOW" };
    int type = p[3], flags = p[4], stream = p[7] << 8 | p[8];

    assert_in_range(type, 0, 9);
    if (type == NGHTTP2_HEADERS || type == NGHTTP2_CONTINUATION)
        strbuf_add(&far.head, (const char *)p + 9, n);
    if (type == NGHTTP2_CONTINUATION) {
        if (flags & NGHTTP2_FLAG_END_HEADERS)
            note_fields();
        return;
    }
    strbuf_addf(&far.got, "%s %d", names[type], stream);
    if (type == NGHTTP2_DATA)
        strbuf_addf(&far.got, " %zu", n);
    if (type <= NGHTTP2_HEADERS && (flags & NGHTTP2_FLAG_END_STREAM))
        strbuf_adds(&far.got, " end");
    if (type == NGHTTP2_HEADERS) {
        if (flags & NGHTTP2_FLAG_END_HEADERS)
            note_fields();
        return;
    }
    if (type == NGHTTP2_PING || type == NGHTTP2_SETTINGS)
        strbuf_adds(&far.got, flags & NGHTTP2_FLAG_ACK ? " ack" : "");
    if (type == NGHTTP2_RST_STREAM || type == NGHTTP2_GOAWAY)
        strbuf_addf(&far.got, " %d", p[9 + (type == NGHTTP2_GOAWAY ? 7 : 3)]);
    if (type == NGHTTP2_GOAWAY)
        strbuf_addf(&far.got, " last %x", (unsigned)(p[9] << 24 | p[10] << 16 | p[11] << 8 | p[12]));
    strbuf_adds(&far.got, ";");
}

static inline void
parse(void)
{
    wire_pull(&far.w);
    while (far.w.got.n >= far.parsed + 9) {
        const uint8_t *p = (const uint8_t *)far.w.got.p + far.parsed;
        size_t n = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];

        if (far.w.got.n - far.parsed < 9 + n)
            return;
        note_frame(p, n);
        far.parsed += 9 + n;
    }
}

static inline bool
has_got(void *arg)
{
    parse();
    return far.got.p && strstr(far.got.p, arg);
}

static inline void
expect(const char *text)
{
    if (!run_until(far.w.loop, has_got, (void *)(uintptr_t)text))
        fail_msg("expected \"%s\" in \"%s\"", text, far.got.p ? far.got.p : "");
}

#endif
