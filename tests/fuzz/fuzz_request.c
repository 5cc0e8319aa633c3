/* Request heads: found the same in pieces (short ones: in every cut) and at once; what is accepted has one framing and
 * a canonical path, and what goes to an origin is read there as the same request. Input: bytes of a piece, rules for
 * the path, the head. */
#include "fuzz.h"

static const struct h1_limits limits = { .request_line = 512, .field = 256, .head = 1024, .fields = 16 };
/* For what was accepted and is written again, perhaps with a line more. */
static const struct h1_limits wide = { .request_line = 4096, .field = 4096, .head = 16384, .fields = 32 };

static enum h1_result
find_head(struct slice s, const struct fuzz_cut *cut, size_t *len, struct h1_error *err)
{
    struct h1_scan scan = { 0 };
    enum h1_result result = H1_MORE;

    for (size_t have = 0; result == H1_MORE && have < s.n;) {
        have = fuzz_cut_end(cut, have, s.n);
        result = h1_find_head(&scan, s.p, have, &limits, len, err);
    }
    return result;
}

static void
require_sound(const struct http_request *r, const struct uri_rules *rules)
{
    unsigned lengths = fields_count(&r->fields, FIELD_CONTENT_LENGTH);
    unsigned codings = fields_count(&r->fields, FIELD_TRANSFER_ENCODING);

    fuzz_require_fields(&r->fields);
    FUZZ_REQUIRE(lengths + codings <= 1 && r->body.kind != BODY_UNTIL_CLOSE);
    FUZZ_REQUIRE((r->body.kind == BODY_LENGTH) == (lengths == 1));
    FUZZ_REQUIRE((r->body.kind == BODY_CHUNKED) == (codings == 1));
    FUZZ_REQUIRE(r->version == HTTP_1_1 || (!r->upgrade.n && !r->expect_continue && !codings));
    FUZZ_REQUIRE(r->version == HTTP_1_0 || (r->host.n && fields_count(&r->fields, FIELD_HOST) == 1));
    if (r->method == METHOD_CONNECT)
        FUZZ_REQUIRE(r->path.n == 0 && r->port > 0);
    else if (!slice_eq(r->path, SLICE("*")))
        fuzz_require_path(r->path, rules);
    else
        FUZZ_REQUIRE(r->method == METHOD_OPTIONS && !r->has_query);
}

/* As the proxy sends it on. */
static void
require_same_at_origin(struct http_request *r, const struct uri_rules *rules, struct arena *arena)
{
    struct slice target = r->method == METHOD_CONNECT ? r->target : r->path;
    struct http_request seen = { 0 };
    struct h1_error err;
    struct iobuf out;

    if (r->has_query)
        target = arena_printf(arena, "%.*s?%.*s", SLICE_FMT(r->path), SLICE_FMT(r->query));
    iobuf_init(&out, SIZE_MAX);
    fields_remove_hop_by_hop(&r->fields);
    h1_write_request(&out, r, target, r->body);
    FUZZ_REQUIRE(h1_parse_request(&seen, iobuf_pullup(&out, out.len), out.len, &wide, rules, arena, &err) == H1_DONE);
    FUZZ_REQUIRE(seen.body.kind == r->body.kind && seen.body.length == r->body.length);
    FUZZ_REQUIRE(slice_eq(seen.method_text, r->method_text));
    FUZZ_REQUIRE(slice_eq(seen.host, r->host) && seen.port == r->port);
    FUZZ_REQUIRE(slice_eq(seen.path, r->path) && slice_eq(seen.query, r->query) && seen.has_query == r->has_query);
    FUZZ_REQUIRE(slice_eq(seen.upgrade, r->upgrade));
    iobuf_fini(&out);
}

static void
require_found_again(struct slice s, const struct fuzz_cut *cut, enum h1_result found, size_t len,
                    const struct h1_error *err)
{
    struct h1_error err_again = { 0 };
    size_t len_again = 0;

    FUZZ_REQUIRE(find_head(s, cut, &len_again, &err_again) == found);
    FUZZ_REQUIRE(found != H1_DONE || len == len_again);
    FUZZ_REQUIRE(found != H1_ERROR || (err->reason == err_again.reason && err->text == err_again.text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    size_t step = 1 + fuzz_byte(&in) % 64, len = 0;
    struct fuzz_cut nowhere = { SIZE_MAX, 1 }, cut = { step, step };
    struct uri_rules rules = fuzz_uri_rules(fuzz_byte(&in));
    struct slice rest = fuzz_rest(&in);
    struct h1_error err = { 0 };
    enum h1_result found = find_head(rest, &nowhere, &len, &err);
    struct http_request r = { 0 };
    struct arena arena;
    char *head;

    require_found_again(rest, &cut, found, len, &err);
    for (cut = (struct fuzz_cut){ 0, 0 }; fuzz_next_cut(&cut, rest.n);)
        require_found_again(rest, &cut, found, len, &err);
    if (found != H1_DONE)
        return 0;
    FUZZ_REQUIRE(len <= rest.n && len <= limits.head);
    arena_init(&arena);
    head = fuzz_exact(slice_of(rest.p, len));
    if (h1_parse_request(&r, head, len, &limits, &rules, &arena, &err) == H1_DONE) {
        require_sound(&r, &rules);
        if (r.authority.n)
            require_same_at_origin(&r, &rules, &arena);
    }
    arena_fini(&arena);
    free(head);
    return 0;
}
