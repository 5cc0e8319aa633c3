#include "../../../src/http/h2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct h1_limits limits = { .request_line = 64, .field = 64, .head = 256, .fields = 4 };

static struct arena arena;
static struct http_response res;
static struct h2_response head;

struct pair {
    const char *name, *value;
};

#define HEAD(...) ((const struct pair[]){ __VA_ARGS__, { NULL, NULL } })
/* clang-format off */
#define OK { ":status", "200" }
/* clang-format on */

static enum h1_result
parse(const struct pair *pairs, enum http_method method, bool ends)
{
    arena_fini(&arena);
    h2_response_begin(&head, &res, &arena);
    for (; pairs->name; pairs++)
        h2_response_add(&head, &limits, slice_str(pairs->name), slice_str(pairs->value));
    return h2_response_end(&head, method, ends);
}

static void
a_response(void **state)
{
    assert_int_equal(
        parse(HEAD({ ":status", "404" }, { "content-type", "text/plain" }, { "x-own", "1" }), METHOD_GET, false),
        H1_DONE);
    assert_int_equal(res.status, 404);
    assert_int_equal(res.version, HTTP_2);
    assert_true(res.keep_alive);
    assert_int_equal(res.fields.n, 2);
    assert_true(slice_eq(res.fields.v[0].name, SLICE("Content-Type")));
    assert_true(slice_eq(res.fields.v[1].name, SLICE("x-own")));
    assert_int_equal(res.body.kind, BODY_CHUNKED);
}

static void
bodies(void **state)
{
    static const struct {
        const char *status, *length;
        enum http_method method;
        bool ends;
        enum body_kind kind;
    } rows[] = {
        { "200", "5", METHOD_GET, false, BODY_LENGTH }, { "200", NULL, METHOD_GET, false, BODY_CHUNKED },
        { "200", NULL, METHOD_GET, true, BODY_NONE },   { "200", "0", METHOD_GET, true, BODY_NONE },
        { "200", "5", METHOD_HEAD, true, BODY_NONE },   { "200", "5", METHOD_HEAD, false, BODY_NONE },
        { "204", NULL, METHOD_GET, false, BODY_NONE },  { "304", "5", METHOD_GET, true, BODY_NONE },
        { "103", NULL, METHOD_GET, false, BODY_NONE },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct pair pairs[] = { { ":status", rows[i].status }, { "content-length", rows[i].length }, { NULL, NULL } };

        if (!rows[i].length)
            pairs[1].name = NULL;
        assert_int_equal(parse(pairs, rows[i].method, rows[i].ends), H1_DONE);
        assert_int_equal(res.body.kind, rows[i].kind);
        if (rows[i].kind == BODY_LENGTH)
            assert_int_equal(res.body.length, 5);
    }
}

static void
refused(const struct pair *pairs, bool ends, const char *text)
{
    assert_int_equal(parse(pairs, METHOD_GET, ends), H1_ERROR);
    assert_int_equal(head.err.reason, REASON_UPSTREAM_BAD_RESPONSE);
    assert_string_equal(head.err.text, text);
}

static void
what_is_refused(void **state)
{
    refused(HEAD({ "x", "1" }), false, "no :status");
    refused(HEAD(OK, OK), false, ":status twice");
    refused(HEAD({ ":status", "20" }), false, "a :status that is not three digits");
    refused(HEAD({ ":status", "2000" }), false, "a :status that is not three digits");
    refused(HEAD({ ":status", "+20" }), false, "a :status that is not three digits");
    refused(HEAD({ ":status", "099" }), false, "a :status that is not three digits");
    refused(HEAD({ ":status", "101" }), false, "101, which HTTP/2 does not have");
    refused(HEAD({ ":status", "103" }), true, "an interim response that ends the stream");
    refused(HEAD(OK, { ":path", "/" }), false, "a pseudo-header field other than :status");
    refused(HEAD({ "x", "1" }, OK), false, "a pseudo-header field behind other fields");
    refused(HEAD(OK, { "X", "1" }), false, "a field name with capital letters");
    refused(HEAD(OK, { "x", "1\r" }), false, "a control byte in a field value");
    refused(HEAD(OK, { "x", " 1" }), false, "white space around a field value");
    refused(HEAD(OK, { "connection", "close" }), false, "a field that belongs to a connection of HTTP/1.1");
    refused(HEAD(OK, { "transfer-encoding", "chunked" }), false, "a field that belongs to a connection of HTTP/1.1");
    refused(HEAD(OK, { "content-length", "5" }, { "content-length", "5" }), false, "more than one Content-Length");
    refused(HEAD(OK, { "content-length", "5x" }), false, "a Content-Length that is not a number");
    refused(HEAD(OK, { "content-length", "-5" }), true, "a Content-Length that is not a number");
}

static void
beyond(const struct pair *pairs, enum limit_id limit)
{
    assert_int_equal(parse(pairs, METHOD_GET, false), H1_ERROR);
    assert_int_equal(head.err.reason, REASON_HEADERS_TOO_LARGE);
    assert_int_equal(head.err.limit, limit);
}

static void
limits_hold(void **state)
{
    char value[64];

    memset(value, 'v', sizeof(value));
    value[62] = 0;
    beyond(HEAD(OK, { "x", value }), LIMIT_FIELD);
    value[55] = 0;
    beyond(HEAD(OK, { "a", value }, { "b", value }, { "c", value }, { "d", value }, { "e", value }), LIMIT_HEAD);
    beyond(HEAD(OK, { "a", "1" }, { "b", "1" }, { "c", "1" }, { "d", "1" }, { "e", "1" }), LIMIT_FIELDS);
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
        cmocka_unit_test(a_response),
        cmocka_unit_test(bodies),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(limits_hold),
    };

    arena_init(&arena);
    return cmocka_run_group_tests(tests, NULL, teardown);
}
