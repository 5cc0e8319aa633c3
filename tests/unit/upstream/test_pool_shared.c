/* Connections of HTTP/2, which many requests share. */
#include "pool_fixture.h"

#include "../../../src/session/up.h"

#define MANY 40

/* ---- an origin of HTTP/2 ---- */

#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define SETTINGS_OF(streams) "\0\0\6\4\0\0\0\0\0\0\3\0\0\0" streams
#define FRAME_HEAD 9

static struct {
    const char *settings;
    size_t n;
    bool holds;       /* it answers nothing */
    bool refuses_all; /* GOAWAY instead */
} says;

static void
say(struct origin_conn *c, const char *p, size_t n)
{
    assert_int_equal(write(c->watch.fd, p, n), n);
}

static void
answer(struct origin_conn *c, const char *frame)
{
    static const char goaway[] = "\0\0\x8\7\0\0\0\0\0\0\0\0\0\0\0\0\0";
    char no_content[] = "\0\0\1\1\5\0\0\0\0\x89";

    c->origin->requests++;
    memcpy(no_content + 5, frame + 5, 4);
    if (says.refuses_all)
        say(c, goaway, sizeof(goaway) - 1);
    else if (!says.holds)
        say(c, no_content, sizeof(no_content) - 1);
}

/* The preface and frames come whole: they are small. */
static void
on_bytes(struct origin_conn *c)
{
    size_t at = c->n >= 24 && memcmp(c->in, "PRI * ", 6) == 0 ? 24 : 0;

    if (!c->n)
        say(c, says.settings, says.n);
    while (at + FRAME_HEAD <= c->n) {
        const unsigned char *frame = (const unsigned char *)c->in + at;

        if (frame[3] == 1)
            answer(c, c->in + at);
        at += FRAME_HEAD + ((size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2]);
    }
}

static void
open_h2(const char *settings, size_t n, const char *more)
{
    char body[400];

    memset(&says, 0, sizeof(says));
    says.settings = settings;
    says.n = n;
    snprintf(body, sizeof(body), "protocol http2; keepalive 4 idle=1h; %s", more);
    open_all(NULL, body);
    origin.on_bytes = second.on_bytes = on_bytes;
}

#define OPEN(more) open_h2(SETTINGS, sizeof(SETTINGS) - 1, more)
#define OPEN_FOR(streams, more) open_h2(SETTINGS_OF(streams), sizeof(SETTINGS_OF(streams)) - 1, more)

/* ---- requests ---- */

static struct request r[MANY];

static bool
all_answered(void *arg)
{
    for (unsigned i = 0; i < *(unsigned *)arg; i++)
        if (r[i].lease)
            return false;
    return true;
}

/* The first n. */
static void
expect_answered(unsigned n)
{
    assert_true(run_until(all_answered, &n));
}

static unsigned
sessions(unsigned n)
{
    unsigned count = 0;

    for (unsigned i = 0; i < n; i++) {
        bool new = r[i].session != NULL;

        for (unsigned j = 0; j < i; j++)
            new &= r[j].session != r[i].session;
        count += new;
    }
    return count;
}

static void
request(struct request *one)
{
    struct http_request req = { .method = METHOD_GET, .method_text = SLICE("GET"), .version = HTTP_1_1 };

    req.authority = SLICE("o");
    req.fields.arena = &one->arena;
    one->stream->ops->request(one->stream, &req, SLICE("/"), (struct body_framing){ BODY_NONE, 0 });
}

static void
let_go(struct request *one)
{
    if (one->stream)
        one->stream->ops->release(one->stream);
    one->stream = NULL;
    arena_fini(&one->arena);
}

/* The origin's SETTINGS are known. */
static void
settle(void)
{
    ask(&r[0]);
    expect_answered(1);
    request(&r[0]);
    assert_true(run_until(is_ended, &r[0]));
    assert_int_equal(r[0].status, 204);
    let_go(&r[0]);
    run_for(MS);
}

static unsigned
active(void)
{
    return (unsigned)atomic_load(&at(0)->active);
}

/* ---- sharing ---- */

static void
requests_join_the_connection_under_way(void **state)
{
    OPEN("");
    for (unsigned i = 0; i < 10; i++)
        ask(&r[i]);
    assert_int_equal(active(), 10);
    assert_int_equal(cluster_connections(cluster), 1);
    lease_cancel(r[3].lease);
    let_go(&r[3]);
    ask(&r[3]);
    expect_answered(10);
    assert_int_equal(sessions(10), 1);
    assert_int_equal(pool_idle(pool), 0);
    for (unsigned i = 0; i < 9; i++)
        let_go(&r[i]);
    run_for(MS);
    assert_int_equal(active(), 1);
    assert_int_equal(pool_idle(pool), 0);
    ask(&r[0]); /* at once, beside the one that is left */
    assert_ptr_equal(r[0].session, r[9].session);
    let_go(&r[9]);
    let_go(&r[0]);
    run_for(MS);
    assert_int_equal(pool_idle(pool), 1);
    assert_int_equal(origin.accepted, 1);
    close_all();
}

static void
whoever_waits_last_ends_a_connection_under_way(void **state)
{
    OPEN("");
    ask(&r[0]);
    ask(&r[1]);
    lease_cancel(r[0].lease);
    assert_int_equal(cluster_connections(cluster), 1);
    lease_cancel(r[1].lease);
    assert_int_equal(cluster_connections(cluster), 0);
    let_go(&r[0]);
    let_go(&r[1]);
    ask(&r[0]);
    expect_answered(1);
    let_go(&r[0]);
    run_for(MS);
    close_all();
}

static void
its_failure_is_told_to_all(void **state)
{
    OPEN("");
    origin_close(&origin);
    for (unsigned i = 0; i < 5; i++)
        ask(&r[i]);
    expect_answered(5);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(r[i].reason, REASON_CONNECT_FAILED);
        let_go(&r[i]);
    }
    assert_int_equal(active(), 0);
    assert_int_equal(cluster_connections(cluster), 0);
    origin_open(&origin, NULL);
    close_all();
}

static void
as_many_as_are_configured(void **state)
{
    OPEN("limits connections=2 pending=9;");
    cluster->streams = 3;
    for (unsigned i = 0; i < 8; i++)
        ask(&r[i]);
    expect_answered(6);
    assert_int_equal(sessions(6), 2);
    assert_int_equal(cluster_pending(cluster), 2);
    let_go(&r[1]);
    expect_answered(7);
    assert_non_null(r[7].lease);
    let_go(&r[4]);
    expect_answered(8);
    for (unsigned i = 0; i < 8; i++)
        if (i != 1 && i != 4)
            let_go(&r[i]);
    run_for(MS);
    close_all();
}

/* What it said on one connection holds for the next until it says something else, also when one is lost before. */
static void
as_many_as_the_origin_says(void **state)
{
    OPEN_FOR("\2", "");
    settle();
    says.n = 0; /* nothing more is said */
    says.holds = true;
    for (unsigned i = 0; i < 6; i++) {
        ask(&r[i]);
        expect_answered(i + 1);
        request(&r[i]);
    }
    assert_int_equal(sessions(6), 3);
    run_for(MS);
    origin_hang_up_all(&origin);
    for (unsigned i = 0; i < 6; i++)
        assert_true(run_until(is_ended, &r[i]));
    ask(&r[6]); /* from beside those that have not let go yet */
    for (unsigned i = 0; i < 6; i++)
        let_go(&r[i]);
    run_for(MS);
    assert_int_equal(active(), 1);
    for (unsigned i = 7; i < 12; i++)
        ask(&r[i]);
    expect_answered(12);
    assert_int_equal(sessions(12) - sessions(6), 3);
    for (unsigned i = 6; i < 12; i++)
        let_go(&r[i]);
    run_for(MS);
    close_all();
}

static void
fresh_may_be_shared_but_not_idle(void **state)
{
    OPEN("");
    settle();
    assert_int_equal(pool_idle(pool), 1);
    ask_with(&r[0], at(0), true, 0);
    expect_answered(1);
    assert_int_equal(origin.accepted, 2);
    ask_with(&r[1], at(0), true, 0);
    assert_ptr_equal(r[1].session, r[0].session);
    let_go(&r[0]);
    let_go(&r[1]);
    run_for(MS);
    close_all();
}

/* The connection goes with the last of those that it has been left with. */
static void
one_that_the_origin_leaves(void **state)
{
    OPEN("");
    settle();
    ask(&r[0]);
    request(&r[0]);
    run_for(MS);
    says.refuses_all = true;
    ask(&r[1]);
    ask(&r[2]);
    assert_ptr_equal(r[1].session, r[2].session);
    request(&r[1]);
    assert_true(run_until(is_ended, &r[1]));
    assert_true(r[1].failed && r[1].stream->left_out);
    says.refuses_all = false;
    ask(&r[3]); /* from beside them, before they have let go */
    assert_non_null(r[3].lease);
    for (unsigned i = 0; i < 3; i++)
        let_go(&r[i]);
    expect_answered(4);
    assert_int_equal(cluster_connections(cluster), 1);
    let_go(&r[3]);
    run_for(MS);
    assert_int_equal(pool_idle(pool), 1);
    close_all();
}

static void
an_endpoint_that_retires_keeps_what_is_in_use(void **state)
{
    OPEN("");
    settle();
    ask(&r[0]);
    ask(&r[1]);
    atomic_store(&at(0)->retired, true);
    let_go(&r[0]);
    run_for(MS);
    assert_int_equal(cluster_connections(cluster), 1);
    let_go(&r[1]);
    run_for(MS);
    assert_int_equal(pool_idle(pool), 0);
    assert_int_equal(cluster_connections(cluster), 0);
    atomic_store(&at(0)->retired, false);
    close_all();
}

static void
the_pool_goes_while_connections_are_shared(void **state)
{
    OPEN("");
    for (unsigned i = 0; i < 3; i++)
        ask(&r[i]);
    expect_answered(3);
    ask_with(&r[3], at(1), false, 0); /* under way */
    pool_free(pool);
    let_go(&r[3]);
    assert_false(r[3].failed);
    assert_int_equal(cluster_connections(cluster), 1);
    for (unsigned i = 0; i < 3; i++)
        let_go(&r[i]);
    run_for(MS);
    assert_int_equal(cluster_connections(cluster), 0);
    pool = pool_new(service_loop());
    close_all();
}

/* ---- more than one worker ---- */

static struct pool *pools[2];
static struct request remote;
static _Atomic int answered_there;

static void
ready_there(struct up_session *u, void *arg)
{
    on_ready(u, arg);
    let_go(arg);
    atomic_store(&answered_there, 1);
}

static void
failed_there(const struct lease_failure *f, void *arg)
{
    on_failed(f, arg);
    atomic_store(&answered_there, 2);
}

static void
ask_there(void *arg)
{
    static const struct lease_events events = { .on_ready = ready_there, .on_failed = failed_there };
    bool done;

    memset(&remote, 0, sizeof(remote));
    arena_init(&remote.arena);
    remote.lease = pool_lease(pools[1], cluster, at(0), &(struct lease_wish){ 0 }, &events, &remote, &done);
}

static void
worker_begin(struct worker *w)
{
    pools[w->id] = pool_new(w->loop);
}

static void
worker_end(struct worker *w)
{
    pool_free(pools[w->id]);
}

static bool
is_answered_there(void *arg)
{
    return atomic_load(&answered_there) != 0;
}

static bool
goes_on(void *arg)
{
    static unsigned n;
    unsigned *left = arg;

    /* One request after another, two at any time: the connection is never idle. */
    if (r[n % 2].stream) {
        let_go(&r[n % 2]);
        ask(&r[n % 2]);
        n++;
    }
    return is_answered_there(NULL) || --*left == 0;
}

/* All connections that may be are busy here, and stay so by requests that share them. */
static void
a_connection_that_is_never_idle_is_given_up_for_another_worker(void **state)
{
    unsigned left = 1000;

    atomic_store(&answered_there, 0);
    assert_int_equal(workers_start(worker_begin, worker_end), 0);
    OPEN("limits connections=1 pending=99; connect_timeout 5s;");
    settle();
    ask(&r[0]);
    ask(&r[1]);
    worker_post(1, ask_there, NULL);
    assert_true(run_until(goes_on, &left));
    assert_int_equal(atomic_load(&answered_there), 1);
    assert_true(left > 0);
    expect_answered(2); /* those that stood back for it */
    let_go(&r[0]);
    let_go(&r[1]);
    run_for(MS);
    workers_stop();
    close_all();
}

/* Where a stream lasts nobody gains by others that stand back. */
static void
streams_that_last_stop_nobody(void **state)
{
    atomic_store(&answered_there, 0);
    assert_int_equal(workers_start(worker_begin, worker_end), 0);
    OPEN("limits connections=1 pending=99; connect_timeout 2s;");
    settle();
    ask(&r[0]);
    worker_post(1, ask_there, NULL);
    run_for(50 * MS);
    ask(&r[1]);
    assert_non_null(r[1].lease);
    expect_answered(2);
    assert_ptr_equal(r[1].session, r[0].session);
    assert_int_equal(atomic_load(&answered_there), 0);
    let_go(&r[0]);
    let_go(&r[1]);
    assert_true(run_until(is_answered_there, NULL));
    assert_int_equal(atomic_load(&answered_there), 1);
    workers_stop();
    close_all();
}

static int
setup(void **state)
{
    return workers_init(1);
}

static int
teardown(void **state)
{
    workers_fini();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_join_the_connection_under_way),
        cmocka_unit_test(whoever_waits_last_ends_a_connection_under_way),
        cmocka_unit_test(its_failure_is_told_to_all),
        cmocka_unit_test(as_many_as_are_configured),
        cmocka_unit_test(as_many_as_the_origin_says),
        cmocka_unit_test(fresh_may_be_shared_but_not_idle),
        cmocka_unit_test(one_that_the_origin_leaves),
        cmocka_unit_test(an_endpoint_that_retires_keeps_what_is_in_use),
        cmocka_unit_test(the_pool_goes_while_connections_are_shared),
        cmocka_unit_test(a_connection_that_is_never_idle_is_given_up_for_another_worker),
        cmocka_unit_test(streams_that_last_stop_nobody),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
