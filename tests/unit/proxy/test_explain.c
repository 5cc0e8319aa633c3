/* explain, the heads that would leave (forward), and `test` blocks. */
#include "build.h"

#define UP "upstream up { endpoint @ORIGIN; }\n"

/* The steps as "step:verdict:reason ..." Until the next call. */
static const char *
steps(const struct explanation *x)
{
    static char text[1024];
    size_t n = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < x->px.log.n; i++) {
        const struct decision *d = &x->px.log.rows[i];
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s:%s:%s", n ? " " : "", d->step, verdict_name(d->verdict),
                              d->reason ? d->reason : "");
    }
    return text;
}

/* ---- outcomes ---- */

static void
a_request_that_goes_on(void **state)
{
    (void)state;
    build_good(UP "route /api { gate; proxy up; strip_prefix /api; }\n");
    struct explanation *x = asked("GET", "https://h.test:8443/api/x?q=1", NULL, NULL);
    assert_int_equal(x->outcome, EXPLAIN_PROXY);
    assert_int_equal(x->status, 0);
    assert_null(x->reason);
    assert_string_equal(x->upstream.p, "up");
    assert_true(slice_eq(x->req.target, SLICE("/x?q=1")));
    assert_string_equal(steps(x), "route:pass: policy:pass: target:pass: policy:pass:");
    assert_string_equal(sent(x, "Host"), "h.test:8443");
    assert_string_equal(sent(x, "X-Forwarded-Proto"), "https");
    explanation_fini(x);
}

static void
refusals_are_the_answers_that_clients_get(void **state)
{
    (void)state;
    build_good(UP "route /g { gate; proxy up; methods GET; }\n");
    struct explanation *x = asked("GET", "/none", NULL, NULL);
    assert_int_equal(x->status, 404);
    assert_string_equal(x->reason->code, "no_route");
    assert_string_equal(sent(x, "Proxy-Status"), "weir; error=destination_not_found");
    assert_int_equal(strlen(sent(x, "X-Request-Id")), 32);
    has(x->body.p, "\"detail\":\"no route is configured for this host and path\"");
    explanation_fini(x);

    x = asked("PUT", "/g", NULL, NULL);
    assert_int_equal(x->status, 405);
    assert_string_equal(sent(x, "Allow"), "GET, HEAD");
    explanation_fini(x);

    x = asked("GET", "/g", "X-Gate: refuse\n", NULL);
    assert_int_equal(x->outcome, EXPLAIN_REPLY);
    assert_int_equal(x->status, 403);
    assert_string_equal(x->reason->code, "gate_closed");
    assert_string_equal(sent(x, "X-Gate"), "seen"); /* response policies see it */
    has(x->body.p, "\"detail\":\"closed\"");
    assert_string_equal(steps(x), "route:pass: policy:refuse:gate_closed reply:refuse:gate_closed");
    explanation_fini(x);
}

static void
what_no_route_is_asked_for(void **state)
{
    static const struct {
        const char *method, *url, *fields, *reason;
        int status;
    } rows[] = {
        { "TRACE", "/", NULL, "method_not_allowed", 405 },
        { "GET", "/", "Expect: a miracle\n", "expectation_failed", 417 },
        { "GET", "/", "Expect: 100-continue\n", NULL, 0 },
        { "GET", "/", "Via: 1.1 weir, 1.1 weir, 1.1 weir, 1.1 weir, 1.1 weir, 1.1 weir, 1.1 weir, 1.1 weir\n",
          "loop_detected", 508 },
        { "GET", "/", "Via: 1.1 weir\nVia: 1.0 other\n", NULL, 0 },
        { "OPTIONS", "/", "Max-Forwards: 0\n", NULL, 204 },
        { "OPTIONS", "/", "Max-Forwards: 1\n", NULL, 0 },
        { "OPTIONS", "/", "Max-Forwards: many\n", NULL, 0 },
    };
    (void)state;
    build_good(UP "route / { proxy up; }\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct explanation *x = asked(rows[i].method, rows[i].url, rows[i].fields, NULL);
        assert_int_equal(x->status, rows[i].status);
        assert_string_equal(x->reason ? x->reason->code : "", rows[i].reason ? rows[i].reason : "");
        explanation_fini(x);
    }
}

static void
answers_of_the_route(void **state)
{
    (void)state;
    build_good("route = /r { redirect 308 https://new.test${request.path}?to=${request.arg.to}; }\n"
               "route = /t { respond 200 \"I am ${route.name}\" type=text/x; }\nroute = /e { respond 204; }\n");
    struct explanation *x = asked("GET", "/r?to=a%0d%0aSet-Cookie:%20x", NULL, NULL);
    assert_int_equal(x->outcome, EXPLAIN_REDIRECT);
    assert_int_equal(x->status, 308);
    assert_string_equal(sent(x, "Location"), "https://new.test/r?to=a%0D%0ASet-Cookie: x");
    explanation_fini(x);
    x = asked("GET", "/t", NULL, NULL);
    assert_true(slice_eq(x->body, SLICE("I am = /t")));
    assert_string_equal(sent(x, "Content-Type"), "text/x");
    explanation_fini(x);
    x = asked("GET", "/e", NULL, NULL);
    assert_int_equal(x->status, 204);
    assert_string_equal(sent(x, "Content-Type"), "");
    explanation_fini(x);
}

static void
what_is_no_request_is_said(void **state)
{
    static const struct {
        const char *method, *url, *name, *value, *message;
    } rows[] = {
        { "GE T", "/", "A", "b", "not a method" },
        { "GET", "ftp://h/", "A", "b", "is not a URL" },
        { "GET", "nowhere", "A", "b", "is not a URL" },
        { "GET", "/", "Host", "a b", "the host is refused" },
        { "GET", "/", "A b", "b", "not a header field" },
        { "GET", "/", "A", "b\r\nc", "not a header field" },
    };
    (void)state;
    build_good("route / { respond 200; }\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct explain_request in = { .method = slice_str(rows[i].method), .url = slice_str(rows[i].url) };
        struct explanation x;
        struct arena a;
        struct err e;
        arena_init(&a);
        fields_init(&in.fields, &a);
        fields_add(&in.fields, slice_str(rows[i].name), slice_str(rows[i].value));
        if (explain(built, &in, &x, &e) != -1)
            fail_msg("row %zu was explained", i);
        has(e.text, rows[i].message);
        explanation_fini(&x);
        arena_fini(&a);
    }
}

/* ---- paths ---- */

/* What a path is answered with, and by which route, under the rules of a configuration. */
static void
path_gives(const char *rules, const char *path, int status, const char *route)
{
    struct strbuf text;
    strbuf_init(&text, 4096);
    strbuf_addf(&text, "%s\nroute / { respond 200; }\nroute /admin/ { respond 403; }\n", rules);
    build_good(text.p);
    struct explanation *x = asked("GET", path, NULL, NULL);
    if (x->status != status || !slice_eq(x->px.route_name, slice_str(route)))
        fail_msg("%s with %s: %d by `%.*s`", path, rules, x->status, SLICE_FMT(x->px.route_name));
    if (status == 400)
        assert_string_equal(x->reason->code, "bad_request");
    explanation_fini(x);
    strbuf_fini(&text);
}

static void
paths_by_the_rules_of_the_file(void **state)
{
    (void)state;
    path_gives("", "/../..", 400, "");
    path_gives("", "/x%2fy", 400, "");
    path_gives("", "/x%5Cy", 400, "");
    path_gives("", "//admin//x", 403, "/admin/");
    path_gives("", "/admin;a/x", 200, "/");
    path_gives("", "/x/..;/admin/x", 400, "");
    path_gives("encoded_slashes keep;", "/admin%2fx", 200, "/");
    path_gives("encoded_slashes keep;", "/x/..%2fadmin/x", 400, "");
    path_gives("encoded_slashes decode;", "/admin%2fx", 403, "/admin/");
    path_gives("encoded_slashes decode;", "/x/..%2fadmin/x", 403, "/admin/");
    path_gives("merge_slashes off;", "//admin/x", 200, "/");
    path_gives("merge_slashes off;", "/x//../../admin/x", 403, "/admin/");
    path_gives("path_parameters refuse;", "/admin;a/x", 400, "");
    path_gives("path_parameters refuse;", "/admin%3Ba/x", 400, "");
    path_gives("path_parameters refuse;", "/admin/x?a;b", 403, "/admin/");
}

/* Patterns are read by the same rules. */
static void
patterns_by_the_rules_of_the_file(void **state)
{
    (void)state;
    assert_int_equal(build("route /a%2fb { respond 200; }\n"), 1);
    has(said.p, "an encoded slash or backslash in the path");
    build_good("encoded_slashes decode;\nroute /a%2fb { respond 200; }\n"
               "test t { request GET /a/b; expect route /a%2fb; }\n");
    build_good("merge_slashes off;\nroute //a { respond 200; }\ntest t { request GET /a; expect status 404; }\n"
               "test t { request GET //a; expect status 200; }\n"
               "test t { request GET /%2f; expect reason bad_request; }\n");
}

/* ---- heads towards the origin ---- */

static const char *
header(const char *name, const char *fields, const char *client)
{
    struct explanation *x = asked("GET", "http://h.test/", fields, client);
    const char *value = sent(x, name);
    explanation_fini(x);
    return value;
}

static void
hop_by_hop_fields_end_here(void **state)
{
    static const char fields[] = "Connection: X-Mine, close, Cookie, X-Request-Id\nX-Mine: 1\nKeep-Alive: 5\n"
                                 "TE: trailers, deflate\nUpgrade: a\nProxy-Authorization: b\nTrailer: c\nCookie: k=v\n"
                                 "X-Under_Score: 1\nClient-Cert: forged\nClient-Cert-Chain: too\nX-Stays: 1\n";
    static const char *const gone[] = { "X-Mine",  "Keep-Alive",    "Upgrade",     "Proxy-Authorization",
                                        "Trailer", "X-Under_Score", "Client-Cert", "Client-Cert-Chain" };
    (void)state;
    build_good(UP "route / { proxy up; }\n");
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        assert_string_equal(header(gone[i], fields, NULL), "");
    assert_string_equal(header("Cookie", fields, NULL), "k=v"); /* cannot be nominated */
    assert_string_equal(header("TE", fields, NULL), "trailers");
    assert_string_equal(header("Connection", fields, NULL), "TE");
    assert_string_equal(header("Connection", "Connection: TE\nTE: deflate\n", NULL), "");
    assert_string_equal(header("X-Stays", fields, NULL), "1");
    build_good("underscores allow;\n" UP "route / { proxy up; }\n");
    assert_string_equal(header("X-Under_Score", fields, NULL), "1");
}

static void
strangers_are_not_believed(void **state)
{
    static const char fields[] = "X-Forwarded-For: 1.1.1.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: evil\n"
                                 "X-Real-IP: 1.1.1.1\nForwarded: for=1.1.1.1\nX-Request-Id: mine\n"
                                 "X-Forwarded-Prefix: /p\n";
    (void)state;
    build_good("trusted_proxies 10.0.0.0/8;\n" UP "route / { proxy up; }\n");
    assert_string_equal(header("X-Forwarded-For", fields, "192.0.2.1"), "192.0.2.1");
    assert_string_equal(header("X-Forwarded-Proto", fields, "192.0.2.1"), "http");
    assert_string_equal(header("X-Forwarded-Host", fields, "192.0.2.1"), "h.test");
    assert_string_equal(header("X-Real-IP", fields, "192.0.2.1"), "");
    assert_string_equal(header("X-Forwarded-Prefix", fields, "192.0.2.1"), "");
    assert_string_equal(header("Forwarded", fields, "192.0.2.1"), "for=192.0.2.1;host=h.test;proto=http");
    assert_int_equal(strlen(header("X-Request-Id", fields, "192.0.2.1")), 32);
    assert_string_equal(header("Forwarded", NULL, "2001:db8::1"), "for=\"[2001:db8::1]\";host=h.test;proto=http");
    assert_string_equal(header("Via", NULL, NULL), "1.1 weir");
}

static void
own_proxies_are_believed_and_appended_to(void **state)
{
    static const char fields[] = "X-Forwarded-For: 6.6.6.6, 192.0.2.7\nX-Forwarded-For: 10.0.0.2\n"
                                 "X-Forwarded-Proto: https\nForwarded: for=192.0.2.7\nX-Request-Id: kept-1\n";
    (void)state;
    build_good("trusted_proxies 10.0.0.0/8;\n" UP
               "route / { proxy up; match client 192.0.2.0/24; }\nroute / { respond 200; }\n");
    struct explanation *x = asked("GET", "http://h.test/", fields, "10.0.0.1");
    assert_int_equal(x->outcome, EXPLAIN_PROXY); /* the client is the rightmost that is none of ours */
    assert_string_equal(sent(x, "X-Forwarded-For"), "6.6.6.6, 192.0.2.7, 10.0.0.2, 10.0.0.1");
    assert_string_equal(sent(x, "Forwarded"), "for=192.0.2.7, for=10.0.0.1;host=h.test;proto=https");
    assert_string_equal(sent(x, "X-Forwarded-Proto"), "https");
    assert_string_equal(sent(x, "X-Request-Id"), "kept-1");
    explanation_fini(x);
    x = asked("GET", "/", "X-Forwarded-For: 6.6.6.6, junk\n", "10.0.0.1");
    assert_int_equal(x->outcome, EXPLAIN_REPLY); /* nothing left of junk is believed */
    explanation_fini(x);
    x = asked("GET", "/", "X-Request-Id: a b\n", "10.0.0.1");
    assert_int_equal(strlen(sent(x, "X-Request-Id")), 32);
    explanation_fini(x);
}

#define TRACE "0af7651916cd43dd8448eb211c80319c"

static void
traces_go_on(void **state)
{
    const char *v;
    (void)state;
    build_good("trusted_proxies 10.0.0.0/8;\n" UP "route / { proxy up; }\n");
    v = header("traceparent", "traceparent: 00-" TRACE "-b7ad6b7169203331-01\n", "192.0.2.1");
    has(v, "00-" TRACE "-");
    has_not(v, "b7ad6b7169203331");
    assert_string_equal(v + 52, "-00"); /* a stranger does not decide what is sampled */
    v = header("traceparent", "traceparent: 00-" TRACE "-b7ad6b7169203331-01\n", "10.0.0.1");
    assert_string_equal(v + 52, "-01");
    static const char *const bad[] = { "ff-" TRACE "-b7ad6b7169203331-01",
                                       "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                                       "00-" TRACE "-0000000000000000-01", "00-" TRACE "-b7ad6b7169203331-01x", "00" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char fields[256];
        snprintf(fields, sizeof fields, "traceparent: %s\ntracestate: a=1\n", bad[i]);
        v = header("traceparent", fields, "10.0.0.1");
        assert_int_equal(strlen(v), 55);
        has_not(v, TRACE);
        assert_string_equal(header("tracestate", fields, "10.0.0.1"), "");
    }
}

static void
the_host_that_the_origin_sees(void **state)
{
    (void)state;
    build_good("upstream up { endpoint @ORIGIN; host_header \"${request.arg.h}.inside\"; }\nroute / { proxy up; }\n");
    struct explanation *x = asked("GET", "http://h.test/?h=a%0d%0ab", NULL, NULL);
    assert_string_equal(sent(x, "Host"), "a%0D%0Ab.inside");
    explanation_fini(x);
}

static void
the_target_without_its_prefix(void **state)
{
    static const struct {
        const char *url, *target;
    } rows[] = {
        { "/api", "/" }, { "/api/", "/" }, { "/api?x=1", "/?x=1" }, { "/api/a/b?x", "/a/b?x" },
        { "/apiary", "/apiary" },
        { "/api/%61?", "/a?" }, { "/x/../api/y?z", "/y?z" },
    };
    (void)state;
    build_good(UP "route / { proxy up; strip_prefix /api/; }\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct explanation *x = asked("GET", rows[i].url, NULL, NULL);
        if (!slice_eq(x->req.target, slice_str(rows[i].target)))
            fail_msg("%s became %.*s", rows[i].url, SLICE_FMT(x->req.target));
        explanation_fini(x);
    }
}

/* ---- test blocks ---- */

#define TESTED UP "route /g { gate; proxy up; }\nroute = /t { respond 200 hello; }\nroute = /r { redirect 302 /t; }\n"

static void
good_tests_pass(void **state)
{
    (void)state;
    build_good(TESTED "test a { request GET /g; client 192.0.2.9; expect route /g; expect upstream up; "
                      "expect header x-forwarded-for 192.0.2.9; }\n"
                      "test b { request GET http://h.test/g; header X-Gate refuse; expect status 403; "
                      "expect reason gate_closed; expect header x-gate seen; }\n"
                      "test c { request GET /t; expect body hello; expect status 200; "
                      "expect header content-type text/plain; }\n"
                      "test d { request GET /r; expect status 302; expect header location /t; }\n"
                      "test e { request GET /z; expect reason no_route; }\n");
}

static void
unmet_expectations_are_errors_at_their_lines(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        { "test t { request GET /g; expect route /t; }", "expected route `/t`, got `/g`" },
        { "test t { request GET /g; expect status 200; }", "expected status `200`, got none" },
        { "test t { request GET /g; expect upstream other; }", "got `up`" },
        { "test t { request GET /t; expect body bye; }", "got `hello`" },
        { "test t { request GET /t; expect header x-none 1; }", "got none" },
        { "test t { request GET /z; expect reason bad; }", "got `no_route`" },
        { "test t { request GET /t; expect header a; }", "takes a name and a value" },
        { "test t { request GET /t; expect status 200 201; }", "takes one value" },
        { "test t { request GET ftp://x; expect status 200; }", "is not a URL" },
        { "test t { request GET /t; client me; expect status 200; }", "is not an address" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[1024];
        snprintf(text, sizeof text, TESTED "%s\n", rows[i].text);
        build_bad(text, rows[i].message);
        has(said.p, "gateway.conf:7:");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_goes_on),
        cmocka_unit_test(refusals_are_the_answers_that_clients_get),
        cmocka_unit_test(what_no_route_is_asked_for),
        cmocka_unit_test(answers_of_the_route),
        cmocka_unit_test(what_is_no_request_is_said),
        cmocka_unit_test(paths_by_the_rules_of_the_file),
        cmocka_unit_test(patterns_by_the_rules_of_the_file),
        cmocka_unit_test(hop_by_hop_fields_end_here),
        cmocka_unit_test(strangers_are_not_believed),
        cmocka_unit_test(own_proxies_are_believed_and_appended_to),
        cmocka_unit_test(traces_go_on),
        cmocka_unit_test(the_host_that_the_origin_sees),
        cmocka_unit_test(the_target_without_its_prefix),
        cmocka_unit_test(good_tests_pass),
        cmocka_unit_test(unmet_expectations_are_errors_at_their_lines),
    };
    return cmocka_run_group_tests(tests, build_setup, build_teardown);
}
