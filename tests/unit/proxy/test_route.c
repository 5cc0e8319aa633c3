/* route_build and route_index: which route takes which request, and what is wrong with a file. */
#include "build.h"

/* "route#2", or "405 ALLOW", or "-". Until the next call. */
static const char *
taker(const char *method, const char *url, const char *fields)
{
    static char text[2048];
    struct explanation *x = asked(method, url, fields, "10.1.2.3");
    if (x->reason && x->reason->status == 404)
        snprintf(text, sizeof text, "-");
    else if (x->reason)
        snprintf(text, sizeof text, "%d %.*s %s", x->reason->status, SLICE_FMT(x->px.route_name), sent(x, "Allow"));
    else
        snprintf(text, sizeof text, "%.*s", SLICE_FMT(x->px.route_name));
    explanation_fini(x);
    return text;
}

static void
takes(const char *url, const char *route)
{
    assert_string_equal(taker("GET", url, NULL), route);
}

static void
exact_then_regex_then_the_longest_prefix(void **state)
{
    (void)state;
    build_good("route / { respond 200; }\n"
               "route /a { respond 200; }\n"
               "route /a/b/ { respond 200; }\n"
               "route ~ ^/a/b/[0-9]+$ { respond 200; }\n"
               "route ~ [0-9]$ { respond 200; }\n"
               "route = /a/b/1 { respond 200; }\n");
    takes("/", "/");
    takes("/x", "/");
    takes("/ab", "/");
    takes("/a", "/a");
    takes("/a/", "/a");
    takes("/a/b", "/a");
    takes("/a/b/", "/a/b/");
    takes("/a/b/c/d", "/a/b/");
    takes("/a/b/2", "~ ^/a/b/[0-9]+$");
    takes("/z/2", "~ [0-9]$");
    takes("/a/b/1", "= /a/b/1");
    takes("/a/b/1?q", "= /a/b/1");
    takes("/a//b/1", "= /a/b/1"); /* in canonical form */
    takes("/a/x/../b/%31", "= /a/b/1");
}

static void
slash_and_no_slash(void **state)
{
    (void)state;
    build_good("route /orders { respond 200; }\nroute /slash/ { respond 200; }\n");
    takes("/orders", "/orders");
    takes("/orders/", "/orders");
    takes("/orders/1", "/orders");
    takes("/orders.json", "-");
    takes("/slash", "-");
    takes("/slash/", "/slash/");
    takes("/slash/x", "/slash/");
    build_good("route /both { respond 200; }\nroute /both/ { respond 200; }\n");
    takes("/both", "/both");
    takes("/both/", "/both/");
    takes("/both/x", "/both/");
}

static void
the_best_host_then_every_host(void **state)
{
    (void)state;
    build_good("host API.test { route /a { respond 200; } }\n"
               "host *.api.test other.test { route / { respond 200; } }\n"
               "host *.b.api.test { route /b { respond 200; } }\n"
               "route = /a/b { respond 200; }\n");
    takes("http://api.test/a/b", "api.test/a");
    takes("http://api.test:8080/a", "api.test/a");
    takes("http://api.test./a", "api.test/a");
    takes("http://api.test/b", "-"); /* a host that is there hides the suffixes */
    takes("http://x.y.api.test/z", "*.api.test/");
    takes("http://other.test/z", "*.api.test/");
    takes("http://x.b.api.test/b", "*.b.api.test/b");
    takes("http://x.b.api.test/z", "-");
    takes("http://x.b.api.test/a/b", "= /a/b");
    takes("http://xapi.test/a/b", "= /a/b");
    takes("http://xapi.test/z", "-");
}

static void
methods_are_a_gate(void **state)
{
    (void)state;
    build_good("route / { respond 200; }\n"
               "route /g { methods GET; respond 200; }\n"
               "route /g { methods POST PURGE; respond 200; }\n"
               "route /g/deep { methods PUT; match header x = 1; respond 200; }\n"
               "route /one { methods GET POST; respond 200; }\n"
               "route /one { methods POST DELETE; match header x = 1; respond 200; }\n");
    assert_string_equal(taker("HEAD", "/g", NULL), "/g");
    assert_string_equal(taker("POST", "/g", NULL), "/g#2");
    assert_string_equal(taker("PURGE", "/g", NULL), "/g#2");
    assert_string_equal(taker("PUT", "/g", NULL), "405 /g GET, HEAD, POST, PURGE");
    assert_string_equal(taker("purge", "/g", NULL), "405 /g GET, HEAD, POST, PURGE");
    /* A lesser pattern is tried when the matchers say no, not when the methods do. */
    assert_string_equal(taker("GET", "/g/deep", NULL), "/g");
    assert_string_equal(taker("GET", "/g/deep", "X: 1\n"), "405 /g/deep PUT");
    /* More matchers first; the route whose gate says no is passed over; Allow is of those whose matchers hold. */
    assert_string_equal(taker("GET", "/one", "X: 1\n"), "/one");
    assert_string_equal(taker("DELETE", "/one", "X: 1\n"), "/one#2");
    assert_string_equal(taker("PUT", "/one", "X: 1\n"), "405 /one#2 POST, DELETE, GET, HEAD");
    assert_string_equal(taker("PUT", "/one", NULL), "405 /one GET, HEAD, POST");
}

static void
more_matchers_go_first(void **state)
{
    (void)state;
    build_good("route /m { respond 200; }\n"
               "route /m { match header a present; respond 200; }\n"
               "route /m { match header a = 1; match query q ~ ^[0-9]+$; respond 200; }\n"
               "route /m { match client 10.0.0.0/8; match cookie c != x; match header h absent; respond 200; }\n");
    assert_string_equal(taker("GET", "/m", "H: 1\n"), "/m");
    assert_string_equal(taker("GET", "/m", "A: 2\nH: 1\n"), "/m#2");
    assert_string_equal(taker("GET", "/m?q=12", "A: 1\nH: 1\n"), "/m#3");
    assert_string_equal(taker("GET", "/m?q=1%32", "A: 0\nA: 1\nH: 1\n"), "/m#3"); /* any line of a field */
    assert_string_equal(taker("GET", "/m?q=12", "A: 1\n"), "/m#4");
    assert_string_equal(taker("GET", "/m", "Cookie: b=1; c=x\n"), "/m");
}

static void
an_undecided_regex_matches_neither_way(void **state)
{
    char fields[128];
    (void)state;
    build_good("route /m { match header h !~ \"^(a+)+$\"; respond 200; }\n"
               "route /m { match header h ~ \"^(a+)+$\"; respond 200; }\n");
    assert_string_equal(taker("GET", "/m", "H: aaa\n"), "/m#2");
    assert_string_equal(taker("GET", "/m", "H: x\n"), "/m");
    snprintf(fields, sizeof fields, "H: %060db\n", 0);
    for (char *p = strchr(fields, '0'); *p == '0'; p++)
        *p = 'a';
    assert_string_equal(taker("GET", "/m", fields), "-");
}

static void
names_are_unique(void **state)
{
    (void)state;
    build_good("route /a name=/b#2 { respond 200; }\nroute /b { respond 200; }\n"
               "route /b { match header x = 1; respond 200; }\nroute /b { match header x = 2; respond 200; }\n"
               "host h.test { route = /s { respond 200; } route /s { respond 200; } }\n");
    static const char *const names[] = { "/b#2", "/b", "/b#3", "/b#4", "h.test = /s", "h.test/s" };
    assert_int_equal(route_table_count(built->routes), 6);
    for (unsigned i = 0; i < 6; i++)
        assert_string_equal(route_table_get(built->routes, i)->name.p, names[i]);
    build_bad("route /a { respond 200; }\nroute /b name=/a { respond 200; }\n",
              "a route named `/a` is already there at gateway.conf:3");
}

static void
what_can_never_match_is_said(void **state)
{
    (void)state;
    build_good("route /a { match header x = 1; respond 200; }\nroute /a { match header X = 1; respond 200; }\n");
    has(said.p, "this route can never match: gateway.conf:3 has the same host, pattern and matchers");
    build_good("route /a { methods GET; respond 200; }\nroute /a { methods POST; respond 200; }\n");
    has(said.p, "only `methods` tells them apart");
    has_not(said.p, "can never");
}

static void
mistakes_are_said_with_their_place(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        { "route a { respond 200; }", "begins with `/`" },
        { "route /a?b { respond 200; }", "a path without a query" },
        { "route /../a { respond 200; }", "can never be requested" },
        { "route * /a { respond 200; }", "expected `=`, `~` or one path" },
        { "route ~ ( { respond 200; }", "bad regular expression" },
        { "route /a { }", "leads nowhere" },
        { "route /a { respond 200; redirect 301 /b; }", "exactly one of" },
        { "route /a { proxy nobody; }", "no upstream `nobody`" },
        { "upstream somebody { endpoint @ORIGIN; }\nroute /a { proxy somebdy; }", "did you mean `somebody`?" },
        { "route /a { methods get; respond 200; }", "upper case" },
        { "route /a { methods CONNECT; respond 200; }", "not a method that a route can accept" },
        { "route /a { match header; respond 200; }", "needs a name and a comparison" },
        { "route /a { match haeder x present; respond 200; }", "did you mean `header`?" },
        { "route /a { match header x == 1; respond 200; }", "is no comparison" },
        { "route /a { match header x present 1; respond 200; }", "nothing may follow" },
        { "route /a { match header \"x y\" present; respond 200; }", "not a header name" },
        { "route /a { match client here; respond 200; }", "not an address or network" },
        { "route /a { respond 204 text; }", "has no body" },
        { "route /a { redirect 304 /b; }", "a redirect is 301" },
        { "route /a { respond 200 ${nothing.here}; }", "unknown variable" },
        { "route /a { strip_prefix a; respond 200; }", "a prefix begins with `/`" },
        { "host *.a.*.b { route / { respond 200; } }", "is not a host name" },
        { "listener m { bind 127.0.0.1:1; }\nroute / { respond 200; }", "is bound already: gateway.conf:2" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        build_bad(rows[i].text, rows[i].message);
}

static void
deadlines_and_caps_come_from_around(void **state)
{
    (void)state;
    build_good("timeout 7s; max_body 5k;\nhost h.test { timeout 3s; route /a { respond 200; }\n"
               "route /b { timeout 1s; max_body 0; respond 200; } }\nroute /c { respond 200; }\n");
    const struct route *a = route_table_get(built->routes, 0), *b = route_table_get(built->routes, 1),
                       *c = route_table_get(built->routes, 2);
    assert_int_equal(a->timeout, 3 * NSEC_PER_SEC);
    assert_int_equal(a->max_body, 5 * 1024);
    assert_int_equal(b->timeout, NSEC_PER_SEC);
    assert_int_equal(b->max_body, 0);
    assert_int_equal(c->timeout, 7 * NSEC_PER_SEC);
    assert_int_equal(c->idle_timeout, 300 * NSEC_PER_SEC);
}

static void
many_routes_are_found(void **state)
{
    struct strbuf text;
    char url[64];
    (void)state;
    strbuf_init(&text, 1 << 22);
    for (int i = 0; i < 3000; i++)
        strbuf_addf(&text, "route /r%d/x { respond 200; }\nroute = /r%d/x/y { respond 200; }\n", i, i);
    build_good(text.p);
    for (int i = 0; i < 3000; i += 123) {
        snprintf(url, sizeof url, "/r%d/x/z", i);
        has(taker("GET", url, NULL), "/x");
        snprintf(url, sizeof url, "/r%d/x/y", i);
        has(taker("GET", url, NULL), "= /r");
    }
    takes("/r3000/x", "-");
    strbuf_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_then_regex_then_the_longest_prefix),
        cmocka_unit_test(slash_and_no_slash),
        cmocka_unit_test(the_best_host_then_every_host),
        cmocka_unit_test(methods_are_a_gate),
        cmocka_unit_test(more_matchers_go_first),
        cmocka_unit_test(an_undecided_regex_matches_neither_way),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(what_can_never_match_is_said),
        cmocka_unit_test(mistakes_are_said_with_their_place),
        cmocka_unit_test(deadlines_and_caps_come_from_around),
        cmocka_unit_test(many_routes_are_found),
    };
    return cmocka_run_group_tests(tests, build_setup, build_teardown);
}
