/* The chunked coding and its trailers: decoded the same in pieces (short ones: in every cut) and at once, and what is
 * decoded can be coded again. Input: bytes of a piece, the body. */
#include "fuzz.h"

static const struct h1_limits limits = { .request_line = 128, .field = 128, .head = 512, .fields = 8 };
/* For what was accepted and is written again, with a space behind each colon. */
static const struct h1_limits wide = { .request_line = 256, .field = 256, .head = 1024, .fields = 8 };

struct decoded {
    enum h1_result body, trailers; /* H1_MORE of a body that is not done: the trailers were not looked at */
    struct h1_error err;
    size_t used;
    struct iobuf data;
    struct fields fields;
};

static enum h1_result
decode_body(struct decoded *d, struct slice s, const struct fuzz_cut *cut)
{
    struct chunked c;
    enum h1_result result = H1_MORE;

    chunked_init(&c);
    while (result == H1_MORE && d->used < s.n) {
        size_t n = fuzz_cut_end(cut, d->used, s.n) - d->used, used;
        struct slice data;

        result = chunked_decode(&c, s.p + d->used, n, &used, &data, &d->err);
        FUZZ_REQUIRE(used <= n && (used > 0 || result != H1_MORE));
        FUZZ_REQUIRE(data.n == 0 || (data.p >= s.p + d->used && data.p + data.n <= s.p + d->used + used));
        iobuf_adds(&d->data, data);
        d->used += used;
    }
    return result;
}

static enum h1_result
decode_trailers(struct decoded *d, struct slice s, const struct fuzz_cut *cut, const struct h1_limits *l)
{
    enum h1_result result = H1_MORE;
    size_t used = 0;

    for (size_t have = 0; result == H1_MORE && have < s.n;) {
        have = fuzz_cut_end(cut, d->used + have, d->used + s.n) - d->used;
        d->fields.n = 0;
        result = chunked_trailers(s.p, have, l, &d->fields, &used, &d->err);
    }
    d->used += used;
    return result;
}

static void
decode(struct decoded *d, struct slice s, const struct fuzz_cut *cut, const struct h1_limits *l, struct arena *arena)
{
    memset(d, 0, sizeof(*d));
    iobuf_init(&d->data, SIZE_MAX);
    fields_init(&d->fields, arena);
    d->body = decode_body(d, s, cut);
    if (d->body == H1_DONE)
        d->trailers = decode_trailers(d, slice_from(s, d->used), cut, l);
    if (d->trailers != H1_DONE)
        d->fields.n = 0;
}

static void
require_same(struct decoded *a, struct decoded *b)
{
    FUZZ_REQUIRE(a->body == b->body && a->trailers == b->trailers);
    FUZZ_REQUIRE(a->data.len == b->data.len);
    FUZZ_REQUIRE(!memcmp(iobuf_pullup(&a->data, a->data.len), iobuf_pullup(&b->data, b->data.len), a->data.len));
    FUZZ_REQUIRE(a->fields.n == b->fields.n);
    if (a->body == H1_ERROR || a->trailers == H1_ERROR)
        FUZZ_REQUIRE(a->err.reason == b->err.reason && a->err.text == b->err.text);
    else
        FUZZ_REQUIRE(a->used == b->used);
}

static void
require_coded_again(struct decoded *d, size_t step, struct arena *arena)
{
    struct decoded again;
    struct fuzz_cut nowhere = { SIZE_MAX, 1 };
    struct iobuf from, wire;
    size_t n = d->data.len;

    iobuf_init(&from, SIZE_MAX);
    iobuf_init(&wire, SIZE_MAX);
    iobuf_add(&from, iobuf_pullup(&d->data, n), n);
    while (from.len)
        h1_write_chunk(&wire, &from, from.len < step ? from.len : step);
    h1_write_last_chunk(&wire, &d->fields);
    decode(&again, slice_of(iobuf_pullup(&wire, wire.len), wire.len), &nowhere, &wide, arena);
    FUZZ_REQUIRE(again.used == wire.len);
    again.used = d->used;
    require_same(&again, d);
    iobuf_fini(&again.data);
    iobuf_fini(&from);
    iobuf_fini(&wire);
}

static void
require_same_cut(struct decoded *whole, struct slice s, const struct fuzz_cut *cut, struct arena *arena)
{
    struct decoded pieces;

    decode(&pieces, s, cut, &limits, arena);
    require_same(whole, &pieces);
    iobuf_fini(&pieces.data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    size_t step = 1 + fuzz_byte(&in) % 64;
    struct slice rest = fuzz_rest(&in);
    struct fuzz_cut nowhere = { SIZE_MAX, 1 }, cut = { step, step };
    struct decoded whole;
    struct arena arena;

    arena_init(&arena);
    decode(&whole, rest, &nowhere, &limits, &arena);
    require_same_cut(&whole, rest, &cut, &arena);
    for (cut = (struct fuzz_cut){ 0, 0 }; fuzz_next_cut(&cut, rest.n);)
        require_same_cut(&whole, rest, &cut, &arena);
    if (whole.trailers == H1_DONE) {
        fuzz_require_fields(&whole.fields);
        require_coded_again(&whole, step, &arena);
    }
    iobuf_fini(&whole.data);
    arena_fini(&arena);
    return 0;
}
