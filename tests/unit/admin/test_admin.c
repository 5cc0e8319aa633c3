/* The admin listener on the test's own loop, asked over a unix socket as a client would. */
#include "../proxy/rig.h"

#include "../../../src/admin/admin.h"
#include "../../../src/base/log.h"
#include "../../../src/event/worker.h"
#include "../../../src/policy/module.h"
#include "../../../src/proxy/metrics.h"
#include "../../../src/stats/stats.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[64], path[96];
static struct generation *live;
static bool draining;
static struct admin_reload last;
static struct {
    void (*done)(bool ok, const char *message, void *arg);
    void *arg;
} pending;

/* ---- what the daemon does ---- */

static struct generation *
generation(void)
{
    return live;
}

static void
reload(void (*done)(bool, const char *, void *), void *arg)
{
    pending.done = done;
    pending.arg = arg;
}

static void
dry_reload(void (*done)(bool, const char *, void *), void *arg)
{
    done(false, "would not do", arg);
}

static void
drain(void)
{
    draining = true;
}

static bool
is_draining(void)
{
    return draining;
}

static const struct admin_reload *
last_reload(void)
{
    return &last;
}

static nsec_t
started_at(void)
{
    return clock_wall() - 5 * NSEC_PER_SEC;
}

static const struct admin_services services = { generation, reload, dry_reload, drain, is_draining, last_reload, started_at };

static struct generation *
build(const char *text, int errors)
{
    static const struct weir_directive *const tables[] = { proxy_rows,  listener_rows,   upstream_rows, store_rows,
                                                           policy_rows, access_log_rows, admin_rows };
    struct conf *c = conf_new();
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        assert_int_equal(conf_add_rows(c, tables[i], "test", NULL), 0);
    conf_parse_text(c, "gateway.conf", slice_str(text));
    conf_check(c);
    struct generation *g = generation_build(c, 1);
    if (errors == 0 && conf_errors(c)) {
        struct strbuf said;
        strbuf_init(&said, 1 << 16);
        conf_diagnostics(c, &said);
        fail_msg("%s", said.p);
    }
    return g;
}

static int
setup(void **state)
{
    char text[1024];
    (void)state;
    log_set_level(LOG_LVL_ERROR);
    snprintf(dir, sizeof dir, "/tmp/weir-test-admin.XXXXXX");
    if (!mkdtemp(dir) || workers_init(1) != 0 || stats_init(1) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/a.sock", dir);
    metrics_init();
    admin_init(&services);
    snprintf(text, sizeof text,
             "admin { bind unix:%s; }\nupstream up { endpoint 127.0.0.1:9 weight=3; }\n"
             "host h.test { route = /a/b { methods GET; proxy up; } }\nroute / { respond 200; }\n",
             path);
    live = build(text, 0);
    assert_int_equal(admin_follow(live), 0);
    cluster_start(live->targets[0]->cluster, NULL);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    cluster_stop(live->targets[0]->cluster);
    generation_free(live);
    admin_fini();
    workers_fini();
    stats_fini();
    rmdir(dir); /* the socket is gone with its listener */
    assert_int_not_equal(access(dir, F_OK), 0);
    return 0;
}

/* ---- asking ---- */

static void
tick(struct timer *t)
{
    loop_stop(t->loop);
}

static void
run_loop(void)
{
    struct timer t;
    timer_init(&t, worker_get(WORKER_SERVICE)->loop, tick);
    timer_after(&t, NSEC_PER_MSEC);
    loop_run(t.loop);
    timer_fini(&t);
}

static int
connect_admin(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static char answer[1 << 18];

/* Runs the loop until the admin listener closes the connection, or `enough` has come; what came. */
static const char *
hear(int fd, const char *enough)
{
    size_t n = 0;
    for (int i = 0; i < 5000; i++) {
        run_loop();
        ssize_t got = recv(fd, answer + n, sizeof answer - n - 1, MSG_DONTWAIT);
        n += got > 0 ? (size_t)got : 0;
        answer[n] = '\0';
        if (got == 0 || (enough && strstr(answer, enough)))
            return answer;
    }
    fail_msg("no end after: %s", answer);
    return NULL;
}

static const char *
ask_at(const char *host, const char *method, const char *target, const char *more, const char *body)
{
    char request[4096];
    int fd = connect_admin();
    snprintf(request, sizeof request,
             "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s", method, target,
             host, more ? more : "", strlen(body ? body : ""), body ? body : "");
    put(fd, request);
    hear(fd, NULL);
    close(fd);
    return answer;
}

static const char *
ask(const char *method, const char *target, const char *more, const char *body)
{
    return ask_at("localhost", method, target, more, body);
}

static json_t *
get(const char *target)
{
    const char *text = ask("GET", target, NULL, NULL), *body = strstr(text, "\r\n\r\n");
    has(text, "HTTP/1.1 200");
    has(text, "Cache-Control: no-store");
    json_t *v = json_loads(body ? body : "", 0, NULL);
    assert_non_null(v);
    return v;
}

static const char *
string(json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

/* ---- tests ---- */

static void
views_have_what_is_promised(void **state)
{
    (void)state;
    json_t *v = get("/api/v1/routes"), *r = json_array_get(v, 0);
    assert_int_equal(json_array_size(v), 2);
    assert_string_equal(string(r, "name"), "h.test = /a/b");
    assert_string_equal(string(r, "host"), "h.test");
    assert_string_equal(string(r, "pattern"), "= /a/b");
    assert_string_equal(string(r, "target"), "up");
    assert_string_equal(string(r, "at"), "gateway.conf:3");
    assert_string_equal(json_string_value(json_array_get(json_object_get(r, "methods"), 0)), "GET");
    assert_true(json_is_null(json_object_get(json_array_get(v, 1), "host")));
    json_decref(v);

    v = get("/api/v1/upstreams");
    r = json_array_get(json_object_get(json_array_get(v, 0), "endpoints"), 0);
    assert_true(json_is_null(json_object_get(json_array_get(v, 0), "breaker")));
    assert_string_equal(string(r, "address"), "127.0.0.1:9");
    assert_string_equal(string(r, "state"), "up");
    assert_int_equal(json_integer_value(json_object_get(r, "weight")), 3);
    json_decref(v);

    v = get("/api/v1/status");
    assert_int_equal(json_integer_value(json_object_get(v, "uptime_seconds")), 5);
    assert_int_equal(json_integer_value(json_object_get(v, "workers")), 1);
    assert_true(json_is_true(json_object_get(json_object_get(v, "reload"), "ok")));
    json_decref(v);

    v = get("/api/v1/config");
    has(string(v, "text"), "upstream up {");
    json_decref(v);
    json_decref(get("/api/v1/modules"));
    json_decref(get("/api/v1/stores"));
    v = get("/api/v1/generations");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(v, 0), "id")), 1);
    json_decref(v);
    has(ask("GET", "/metrics", NULL, NULL), "weir_accept_pauses_total 0\n");
}

static void
readiness_says_why_not(void **state)
{
    (void)state;
    has(ask("GET", "/health", NULL, NULL), "HTTP/1.1 200");
    has(ask("GET", "/ready", NULL, NULL), "HTTP/1.1 200");
    draining = true;
    has(ask("GET", "/ready", NULL, NULL), "HTTP/1.1 503");
    has(answer, "\"draining\"");
    draining = false;
    struct generation *g = live;
    live = NULL;
    has(ask("GET", "/ready", NULL, NULL), "\"starting\"");
    has(ask("GET", "/api/v1/routes", NULL, NULL), "HTTP/1.1 503");
    has(ask("GET", "/health", NULL, NULL), "HTTP/1.1 200");
    live = g;
}

static void
wrong_paths_and_methods(void **state)
{
    static const struct {
        const char *method, *target, *expected;
    } rows[] = {
        { "GET", "/", "HTTP/1.1 404" },
        { "GET", "/api/v1", "HTTP/1.1 404" },
        { "GET", "/api/v1/nothing", "HTTP/1.1 404" },
        { "GET", "/api/v1/a/b/c/d/e/f/g/h/i/j", "HTTP/1.1 404" },
        { "POST", "/health", "Allow: GET, HEAD\r\n" },
        { "DELETE", "/api/v1/routes", "Allow: GET, HEAD\r\n" },
        { "GET", "/api/v1/reload", "Allow: POST\r\n" },
        { "GET", "/api/v1/drain", "Allow: POST\r\n" },
        { "GET", "/api/v1/upstreams/up/endpoints/127.0.0.1:9", "Allow: PATCH\r\n" },
        { "PATCH", "/api/v1/upstreams/none/endpoints/127.0.0.1:9", "\"detail\":\"no such upstream\"" },
        { "PATCH", "/api/v1/upstreams/up/endpoints/127.0.0.1:8", "HTTP/1.1 404" },
        { "POST", "/api/v1/upstreams/up/breaker", "HTTP/1.1 409" },
        { "POST", "/api/v1/upstreams/none/breaker", "HTTP/1.1 404" },
        { "POST", "/api/v1/routes/h.test%20%3D%20%2Fa%2Fb/breaker", "HTTP/1.1 409" }, /* the name is there */
        { "POST", "/api/v1/routes/h.test%20%3D%20%2Fa/breaker", "HTTP/1.1 404" },
        { "HEAD", "/health", "Content-Length: 16\r\n" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        has(ask(rows[i].method, rows[i].target, NULL, NULL), rows[i].expected);
}

static void
endpoints_take_orders(void **state)
{
    static const char *const bad[] = { "",
                                       "[]",
                                       "{}",
                                       "{\"state\":\"sideways\"}",
                                       "{\"weight\":-1}",
                                       "{\"weight\":1e3}",
                                       "{\"weight\":1000001}",
                                       "{\"state\":\"up\",\"more\":1}",
                                       "{\"state\":1}",
                                       "{\"state\":\"up\",\"state\":\"down\"}" };
    (void)state;
#define ENDPOINT "/api/v1/upstreams/up/endpoints/127.0.0.1:9"
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        has(ask("PATCH", ENDPOINT, NULL, bad[i]), "HTTP/1.1 400");
        has(answer, "\"reason\":\"bad_body\"");
    }
    has(ask("PATCH", ENDPOINT, NULL, "{\"state\":\"drain\",\"weight\":7}"), "HTTP/1.1 200");
    has(answer, "\"state\": \"drain\"");
    has(answer, "\"weight\": 7");
    has(ask("PATCH", ENDPOINT, NULL, "{\"state\":\"up\"}"), "\"weight\": 7");
}

static void
bodies_have_a_bound(void **state)
{
    static char piece[8200];
    (void)state;
    int fd = connect_admin();
    put(fd, "PATCH " ENDPOINT " HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n");
    has(hear(fd, "}\n"), "HTTP/1.1 413");
    close(fd);
    /* Without a length it is seen while it comes. */
    fd = connect_admin();
    put(fd, "PATCH " ENDPOINT " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    memset(piece, 'x', 8192);
    for (int i = 0; i < 5; i++) {
        put(fd, "2000\r\n");
        put(fd, piece);
        put(fd, "\r\n");
    }
    has(hear(fd, "}\n"), "HTTP/1.1 413");
    close(fd);
    fd = connect_admin();
    put(fd, "PATCH " ENDPOINT " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    run_loop();
    put(fd, "no chunk\r\n");
    has(hear(fd, "}\n"), "HTTP/1.1 400");
    close(fd);
}

static void
pages_of_other_sites_order_nothing(void **state)
{
    (void)state;
    draining = false;
    has(ask("POST", "/api/v1/drain", "Origin: http://evil.test\r\n", NULL), "HTTP/1.1 403");
    has(ask("POST", "/api/v1/drain", "Origin: null\r\n", NULL), "HTTP/1.1 403");
    has(ask_at("evil.test", "POST", "/api/v1/drain", "Origin: http://evil.test\r\n", NULL), "HTTP/1.1 403");
    assert_false(draining);
    has(ask("GET", "/api/v1/status", "Origin: http://evil.test\r\n", NULL), "HTTP/1.1 200");
    has(ask("POST", "/api/v1/drain", "Origin: http://localhost\r\n", NULL), "HTTP/1.1 200");
    assert_true(draining);
    draining = false;
}

static void
a_reload_is_answered_when_it_is_over(void **state)
{
    (void)state;
    int fd = connect_admin();
    put(fd, "POST /api/v1/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    while (!pending.done)
        run_loop();
    assert_int_equal(recv(fd, answer, sizeof answer, MSG_DONTWAIT), -1);
    pending.done(false, "gateway.conf:1: \xc3\xa4", pending.arg);
    has(hear(fd, "}\n"), "HTTP/1.1 409");
    has(answer, "\"reason\":\"reload_failed\"");
    pending.done = NULL;
    put(fd, "POST /api/v1/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    while (!pending.done)
        run_loop();
    pending.done(true, "generation 2 is live", pending.arg);
    pending.done = NULL;
    has(hear(fd, "}\n"), "\"ok\": true");
    close(fd);
}

static void
a_client_may_leave_before_a_reload_is_over(void **state)
{
    (void)state;
    int fd = connect_admin();
    put(fd, "POST /api/v1/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    while (!pending.done)
        run_loop();
    close(fd);
    for (int i = 0; i < 5; i++)
        run_loop();
    pending.done(true, "generation 2 is live", pending.arg);
    pending.done = NULL;
    run_loop();
    has(ask("GET", "/health", NULL, NULL), "HTTP/1.1 200");
}

static void
addresses_change_with_the_configuration(void **state)
{
    char text[512], before[96];
    (void)state;
    /* A bind that fails takes nothing away and leaves nothing behind. */
    snprintf(text, sizeof text, "admin { bind unix:%s/b.sock; bind unix:%s/none/c.sock; }\nroute / { respond 200; }\n",
             dir, dir);
    struct generation *g = build(text, 0);
    assert_int_equal(admin_follow(g), -1);
    generation_free(g);
    snprintf(before, sizeof before, "%s", path);
    snprintf(path, sizeof path, "%s/b.sock", dir);
    assert_int_not_equal(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s", before);
    has(ask("GET", "/health", NULL, NULL), "HTTP/1.1 200");

    int open = connect_admin(); /* a connection outlives its listener */
    snprintf(text, sizeof text, "admin { bind unix:%s/b.sock; }\nroute / { respond 200; }\n", dir);
    g = build(text, 0);
    assert_int_equal(admin_follow(g), 0);
    generation_free(g);
    assert_int_not_equal(access(path, F_OK), 0);
    put(open, "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    has(hear(open, NULL), "HTTP/1.1 200");
    close(open);
    snprintf(path, sizeof path, "%s/b.sock", dir);
    has(ask("GET", "/health", NULL, NULL), "HTTP/1.1 200");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_have_what_is_promised),
        cmocka_unit_test(readiness_says_why_not),
        cmocka_unit_test(wrong_paths_and_methods),
        cmocka_unit_test(endpoints_take_orders),
        cmocka_unit_test(bodies_have_a_bound),
        cmocka_unit_test(pages_of_other_sites_order_nothing),
        cmocka_unit_test(a_reload_is_answered_when_it_is_over),
        cmocka_unit_test(a_client_may_leave_before_a_reload_is_over),
        cmocka_unit_test(addresses_change_with_the_configuration),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
