/* Response heads: what is accepted is written for a client so that it is read there with the framing that was chosen
 * for it. Input: the request's method and the client's version, the head. */
#include "fuzz.h"

static const struct h1_limits limits = { .request_line = 512, .field = 256, .head = 1024, .fields = 16 };
static const struct h1_limits wide = { .request_line = 4096, .field = 4096, .head = 16384, .fields = 32 };

static void
require_sound(const struct http_response *r, enum http_method method)
{
    bool bodiless = method == METHOD_HEAD || status_has_no_body(r->status);

    fuzz_require_fields(&r->fields);
    FUZZ_REQUIRE(r->status >= 100 && r->status <= 999 && field_is_value(r->reason_phrase));
    FUZZ_REQUIRE((r->body.kind == BODY_NONE) == bodiless);
    FUZZ_REQUIRE(r->body.kind != BODY_UNTIL_CLOSE || !r->keep_alive);
    FUZZ_REQUIRE(r->keep_alive_timeout >= 0);
}

static void
require_same_at_client(struct http_response *r, enum http_method method, bool to_10, struct arena *arena)
{
    struct body_framing wire = h1_response_body(r->body, r->status, method, to_10);
    struct http_response seen;
    struct h1_error err;
    struct iobuf out;

    iobuf_init(&out, SIZE_MAX);
    fields_remove_hop_by_hop(&r->fields);
    h1_write_response(&out, r, wire, true, to_10, SLICE_NONE);
    FUZZ_REQUIRE(h1_parse_response(&seen, iobuf_pullup(&out, out.len), out.len, &wide, method, arena, &err) == H1_DONE);
    FUZZ_REQUIRE(seen.status == r->status &&
                 slice_eq(slice_trim(seen.reason_phrase),
                          r->reason_phrase.n ? slice_trim(r->reason_phrase) : slice_str(status_phrase(r->status))));
    FUZZ_REQUIRE(seen.body.kind == wire.kind && seen.body.length == wire.length);
    FUZZ_REQUIRE(seen.keep_alive == (wire.kind != BODY_UNTIL_CLOSE));
    iobuf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    unsigned choice = fuzz_byte(&in);
    enum http_method method = choice & 1 ? METHOD_HEAD : METHOD_GET;
    struct slice rest = fuzz_rest(&in);
    struct h1_scan scan = { 0 };
    struct http_response r;
    struct h1_error err;
    struct arena arena;
    size_t len;
    char *head;

    if (h1_find_head(&scan, rest.p, rest.n, &limits, &len, &err) != H1_DONE)
        return 0;
    arena_init(&arena);
    head = fuzz_exact(slice_of(rest.p, len));
    if (h1_parse_response(&r, head, len, &limits, method, &arena, &err) == H1_DONE) {
        require_sound(&r, method);
        if (r.status >= 200)
            require_same_at_client(&r, method, choice & 2, &arena);
    } else {
        FUZZ_REQUIRE(err.reason == REASON_UPSTREAM_BAD_RESPONSE);
    }
    arena_fini(&arena);
    free(head);
    return 0;
}
