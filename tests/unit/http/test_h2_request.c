#include "../../../src/http/h2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct h1_limits limits = { .request_line = 64, .field = 64, .head = 512, .fields = 6 };

static struct arena arena;
static struct http_request req;
static struct h2_head head;

struct pair {
    const char *name, *value;
};

#define BASE                                                                                                           \
    { ":method", "GET" }, { ":scheme", "https" }, { ":authority", "a.test" },                                          \
    {                                                                                                                  \
        ":path", "/x?y=1"                                                                                              \
    }
#define HEAD(...) ((const struct pair[]){ __VA_ARGS__, { NULL, NULL } })

static enum h1_result
parse(const struct pair *pairs, bool ends)
{
    arena_fini(&arena);
    h2_head_begin(&head, &req, &arena);
    for (; pairs->name; pairs++)
        h2_head_add(&head, &limits, slice_str(pairs->name), slice_str(pairs->value));
    return h2_head_end(&head, &limits, NULL, ends);
}

static void
assert_slice(struct slice s, const char *text)
{
    if (!slice_eq(s, slice_str(text)))
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_FMT(s), text);
}

static void
a_request(void **state)
{
    assert_int_equal(parse(HEAD(BASE, { "user-agent", "t" }, { "x-own", "1" }), true), H1_DONE);
    assert_int_equal(req.method, METHOD_GET);
    assert_int_equal(req.version, HTTP_2);
    assert_slice(req.method_text, "GET");
    assert_slice(req.target, "/x?y=1");
    assert_slice(req.path, "/x");
    assert_slice(req.query, "y=1");
    assert_slice(req.authority, "a.test");
    assert_slice(req.host, "a.test");
    assert_int_equal(req.port, -1);
    assert_int_equal(req.body.kind, BODY_NONE);
    assert_slice(fields_value(&req.fields, FIELD_HOST), "a.test");
    assert_slice(req.fields.v[0].name, "User-Agent");
    assert_slice(req.fields.v[1].name, "x-own");
    assert_true(req.keep_alive);
}

static void
bodies(void **state)
{
    assert_int_equal(parse(HEAD(BASE), false), H1_DONE);
    assert_int_equal(req.body.kind, BODY_CHUNKED);
    assert_int_equal(parse(HEAD(BASE, { "content-length", "7" }), false), H1_DONE);
    assert_int_equal(req.body.kind, BODY_LENGTH);
    assert_int_equal(req.body.length, 7);
    assert_int_equal(parse(HEAD(BASE, { "content-length", "0" }), true), H1_DONE);
    assert_int_equal(req.body.kind, BODY_LENGTH);
}

static void
host_may_stand_for_authority(void **state)
{
    assert_int_equal(
        parse(HEAD({ ":method", "GET" }, { ":scheme", "http" }, { ":path", "/" }, { "host", "B.test:81" }), true),
        H1_DONE);
    assert_slice(req.host, "b.test");
    assert_int_equal(req.port, 81);
    assert_int_equal(parse(HEAD(BASE, { "host", "A.TEST" }), true), H1_DONE);
    assert_int_equal(fields_count(&req.fields, FIELD_HOST), 1);
}

static void
cookies_become_one_where_the_first_was(void **state)
{
    assert_int_equal(parse(HEAD(BASE, { "accept", "1" }, { "cookie", "a=1" }, { "x-b", "2" }, { "cookie", "" },
                                { "cookie", "c=3" }, { "x-d", "4" }),
                           true),
                     H1_DONE);
    assert_int_equal(req.fields.n, 5);
    assert_slice(req.fields.v[1].value, "a=1; ; c=3");
    assert_slice(req.fields.v[2].value, "2");
    assert_slice(req.fields.v[3].value, "4");
}

static void
connect_and_its_extension(void **state)
{
    assert_int_equal(parse(HEAD({ ":method", "CONNECT" }, { ":authority", "a.test:443" }), false), H1_DONE);
    assert_int_equal(req.method, METHOD_CONNECT);
    assert_slice(req.host, "a.test");
    assert_int_equal(req.path.n, 0);
    assert_int_equal(parse(HEAD({ ":method", "CONNECT" }, { ":protocol", "websocket" }, { ":authority", "a.test" },
                                { ":scheme", "https" }, { ":path", "/chat" }),
                           false),
                     H1_DONE);
    assert_true(head.tunnel);
    assert_int_equal(req.method, METHOD_GET);
    assert_slice(req.upgrade, "websocket");
    assert_int_equal(req.body.kind, BODY_NONE);
    assert_int_equal(fields_value(&req.fields, FIELD_SEC_WEBSOCKET_KEY).n, 24);
}

static void
expectations(void **state)
{
    assert_int_equal(parse(HEAD(BASE, { "expect", "100-Continue" }), false), H1_DONE);
    assert_true(req.expect_continue);
    assert_int_equal(parse(HEAD(BASE, { "expect", "more" }), false), H1_ERROR);
    assert_int_equal(head.err.reason, REASON_EXPECTATION_FAILED);
}

/* A text of 100 bytes. */
#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

static const struct {
    struct pair pairs[12];
    const char *why;
    enum reason_id reason;
    enum limit_id limit;
} refused[] = {
    { { BASE, { "X-A", "1" } }, "a field name with capital letters", REASON_BAD_REQUEST, 0 },
    { { BASE, { "User-Agent", "1" } }, "a field name with capital letters", REASON_BAD_REQUEST, 0 },
    { { BASE, { "", "1" } }, "an empty field name", REASON_BAD_REQUEST, 0 },
    { { BASE, { "x a", "1" } }, "a field name that is not a token", REASON_BAD_REQUEST, 0 },
    { { BASE, { "x:a", "1" } }, "a field name that is not a token", REASON_BAD_REQUEST, 0 },
    { { BASE, { "x-a", "a\nb" } }, "a control byte in a field value", REASON_BAD_REQUEST, 0 },
    { { BASE, { "x-a", "a\rb" } }, "a control byte in a field value", REASON_BAD_REQUEST, 0 },
    { { BASE, { "x-a", " a" } }, "white space around a field value", REASON_BAD_REQUEST, 0 },
    { { BASE, { "x-a", "a\t" } }, "white space around a field value", REASON_BAD_REQUEST, 0 },
    { { BASE, { "connection", "close" } }, "a field that belongs to a connection of HTTP/1.1", REASON_BAD_REQUEST, 0 },
    { { BASE, { "transfer-encoding", "chunked" } },
      "a field that belongs to a connection of HTTP/1.1",
      REASON_BAD_REQUEST,
      0 },
    { { BASE, { "upgrade", "h2c" } }, "a field that belongs to a connection of HTTP/1.1", REASON_BAD_REQUEST, 0 },
    { { BASE, { "te", "gzip" } }, "TE that says something else than trailers", REASON_BAD_REQUEST, 0 },
    { { BASE, { "content_length", "1" } },
      "a field name that looks like Content-Length or Transfer-Encoding",
      REASON_BAD_REQUEST,
      0 },
    { { BASE, { ":status", "200" } }, "an unknown pseudo-header field", REASON_BAD_REQUEST, 0 },
    { { BASE, { ":path", "/" } }, "a pseudo-header field twice", REASON_BAD_REQUEST, 0 },
    { { { "x-a", "1" }, BASE }, "a pseudo-header field behind other fields", REASON_BAD_REQUEST, 0 },
    { { { ":method", "" } }, "a pseudo-header field that is empty or has control bytes", REASON_BAD_REQUEST, 0 },
    { { { ":scheme", "http" }, { ":authority", "a" }, { ":path", "/" } }, "no :method", REASON_BAD_REQUEST, 0 },
    { { { ":method", "G T" }, { ":scheme", "http" }, { ":authority", "a" }, { ":path", "/" } },
      "a method that is not a token",
      REASON_BAD_REQUEST,
      0 },
    { { { ":method", "GET" }, { ":scheme", "http" }, { ":authority", "a" } }, "no :path", REASON_BAD_REQUEST, 0 },
    { { { ":method", "GET" }, { ":scheme", "http" }, { ":authority", "a" }, { ":path", "x" } },
      "a :path that does not begin with a slash",
      REASON_BAD_REQUEST,
      0 },
    { { { ":method", "GET" }, { ":scheme", "http" }, { ":authority", "a" }, { ":path", "/a b" } },
      "a byte in :path that no URI has",
      REASON_BAD_REQUEST,
      0 },
    { { { ":method", "GET" }, { ":authority", "a" }, { ":path", "/" } },
      "a :scheme other than http and https",
      REASON_BAD_REQUEST,
      0 },
    { { { ":method", "GET" }, { ":scheme", "ftp" }, { ":authority", "a" }, { ":path", "/" } },
      "a :scheme other than http and https",
      REASON_BAD_REQUEST,
      0 },
    { { { ":method", "GET" }, { ":scheme", "http" }, { ":path", "/" } },
      "neither :authority nor Host",
      REASON_BAD_REQUEST,
      0 },
    { { BASE, { "host", "b.test" } }, "a Host that is not :authority", REASON_BAD_REQUEST, 0 },
    { { BASE, { "host", "a.test" }, { "host", "a.test" } }, "more than one Host", REASON_BAD_REQUEST, 0 },
    { { BASE, { "content-length", "5" } }, "a Content-Length without a body", REASON_BAD_REQUEST, 0 },
    { { BASE, { "content-length", "+5" } }, "a Content-Length that is not a number", REASON_BAD_REQUEST, 0 },
    { { BASE, { "content-length", "0" }, { "content-length", "0" } },
      "more than one Content-Length",
      REASON_BAD_REQUEST,
      0 },
    { { { ":method", "CONNECT" }, { ":authority", "a:1" }, { ":path", "/" } },
      "a CONNECT with :path or :scheme, or without :authority",
      REASON_BAD_REQUEST,
      0 },
    { { { ":method", "CONNECT" }, { ":authority", "a" } }, "a CONNECT target without a port", REASON_BAD_REQUEST, 0 },
    { { BASE, { ":protocol", "websocket" } }, ":protocol in a request that is no CONNECT", REASON_BAD_REQUEST, 0 },
    { { { ":method", "CONNECT" },
        { ":protocol", "x" },
        { ":scheme", "http" },
        { ":authority", "a" },
        { ":path", "/" } },
      "a CONNECT for something else than websocket",
      REASON_BAD_REQUEST,
      0 },
    { { { ":method", "GET" }, { ":scheme", "http" }, { ":authority", "a" }, { ":path", "/" LONG } },
      "a request target longer than the limit",
      REASON_URI_TOO_LONG,
      LIMIT_REQUEST_LINE },
    { { BASE, { "x-a", LONG } }, "a field longer than the limit", REASON_HEADERS_TOO_LARGE, LIMIT_FIELD },
    { { BASE, { "a", "1" }, { "b", "1" }, { "c", "1" }, { "d", "1" }, { "e", "1" }, { "f", "1" }, { "g", "1" } },
      "more fields than the limit",
      REASON_HEADERS_TOO_LARGE,
      LIMIT_FIELDS },
    { { BASE, { "cookie", "0123456789012345678901234567890" }, { "cookie", "0123456789012345678901234567890" } },
      "Cookie fields longer in all than the limit of one",
      REASON_HEADERS_TOO_LARGE,
      LIMIT_FIELD },
};

static void
what_is_refused(void **state)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        assert_int_equal(parse(refused[i].pairs, true), H1_ERROR);
        assert_string_equal(head.err.text, refused[i].why);
        assert_int_equal(head.err.reason, refused[i].reason);
        assert_int_equal(head.err.limit, refused[i].limit);
    }
}

/* What HPACK makes of a few bytes is counted on, but not kept. */
static void
a_head_beyond_its_limit_takes_no_more_memory(void **state)
{
    size_t used;

    h2_head_begin(&head, &req, &arena);
    for (int i = 0; i < 30; i++)
        h2_head_add(&head, &limits, SLICE("cookie"), SLICE("012345678901234567890123456789"));
    assert_int_equal(head.err.limit, LIMIT_HEAD);
    used = arena.used;
    for (int i = 0; i < 1000; i++)
        h2_head_add(&head, &limits, SLICE("cookie"), SLICE("012345678901234567890123456789"));
    assert_int_equal(arena.used, used);
    assert_true(head.bytes > 30000);
}

static void
trailers(void **state)
{
    struct fields f;
    struct h1_error err;
    size_t bytes = 0;

    fields_init(&f, &arena);
    assert_int_equal(h2_trailer_add(&f, &bytes, &limits, SLICE("x-sum"), SLICE("1"), &err), H1_MORE);
    assert_slice(f.v[0].value, "1");
    assert_int_equal(h2_trailer_add(&f, &bytes, &limits, SLICE("content-length"), SLICE("1"), &err), H1_ERROR);
    assert_string_equal(err.text, "a trailer field that belongs in the head");
    assert_int_equal(h2_trailer_add(&f, &bytes, &limits, SLICE(":path"), SLICE("/"), &err), H1_ERROR);
    assert_int_equal(h2_trailer_add(&f, &bytes, &limits, SLICE("x-a"), SLICE(LONG), &err), H1_ERROR);
    assert_int_equal(err.limit, LIMIT_FIELD);
    for (int i = 0; i < 5; i++)
        assert_int_equal(h2_trailer_add(&f, &bytes, &limits, SLICE("x-a"), SLICE("1"), &err), H1_MORE);
    assert_int_equal(h2_trailer_add(&f, &bytes, &limits, SLICE("x-a"), SLICE("1"), &err), H1_ERROR);
    assert_int_equal(err.limit, LIMIT_FIELDS);
}

static int
teardown(void **state)
{
    arena_fini(&arena);
    arena_thread_fini();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request),
        cmocka_unit_test(bodies),
        cmocka_unit_test(host_may_stand_for_authority),
        cmocka_unit_test(cookies_become_one_where_the_first_was),
        cmocka_unit_test(connect_and_its_extension),
        cmocka_unit_test(expectations),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(a_head_beyond_its_limit_takes_no_more_memory),
        cmocka_unit_test(trailers),
    };

    arena_init(&arena);
    return cmocka_run_group_tests(tests, NULL, teardown);
}
