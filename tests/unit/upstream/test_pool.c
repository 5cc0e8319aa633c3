#include "pool_fixture.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* ---- */

static void
a_connection_is_used_again(void **state)
{
    struct request r;

    open_all(OK, "");
    ask(&r);
    assert_non_null(r.lease);
    assert_int_equal(atomic_load(&at(0)->active), 1);
    finish(&r);
    assert_false(r.reused);
    assert_int_equal(atomic_load(&at(0)->active), 0);
    assert_int_equal(pool_idle(pool), 1);
    ask(&r);
    assert_null(r.lease); /* at once */
    assert_int_equal(pool_idle(pool), 0);
    finish(&r);
    assert_true(r.reused);
    assert_int_equal(origin.accepted, 1);
    assert_int_equal(origin.requests, 2);
    close_all();
}

static void
the_newest_goes_first(void **state)
{
    struct request a, b, c;
    struct up_session *last;

    open_all(OK, "");
    ask(&a);
    ask(&b);
    assert_true(run_until(is_answered, &a));
    assert_true(run_until(is_answered, &b));
    last = a.session;
    finish(&b);
    finish(&a);
    assert_int_equal(pool_idle(pool), 2);
    ask(&c);
    assert_ptr_equal(c.session, last);
    finish(&c);
    close_all();
}

static bool
has_rested(void *arg)
{
    return TAILQ_FIRST(&pool->upstreams->idle)->rest_until <= clock_now();
}

/* A body that comes although it must not is not taken for the answer to the next request. */
static void
after_an_answer_that_withholds_its_body_a_connection_rests(void **state)
{
    struct request r;

    open_all(OK, "keepalive 4 idle=1h;");
    origin.answer = "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n";
    ask(&r);
    finish(&r);
    assert_int_equal(pool_idle(pool), 1);
    origin.answer = OK;
    ask(&r);
    assert_non_null(r.lease); /* a new one */
    finish(&r);
    assert_int_equal(origin.accepted, 2);
    ask(&r); /* the other is at hand */
    assert_null(r.lease);
    abandon(&r);
    assert_true(run_until(has_rested, NULL));
    ask(&r);
    assert_null(r.lease);
    finish(&r);
    assert_int_equal(origin.accepted, 2);
    close_all();
}

static void
fresh_is_fresh(void **state)
{
    struct request r;

    open_all(OK, "");
    ask(&r);
    finish(&r);
    ask_with(&r, at(0), true, 0);
    assert_non_null(r.lease);
    finish(&r);
    assert_false(r.reused);
    assert_int_equal(origin.accepted, 2);
    close_all();
}

static void
keepalive_bounds_idle_ones(void **state)
{
    struct request r[3];
    unsigned i;

    open_all(OK, "keepalive 2;");
    for (i = 0; i < 3; i++)
        ask(&r[i]);
    for (i = 0; i < 3; i++)
        assert_true(run_until(is_answered, &r[i]));
    for (i = 0; i < 3; i++)
        finish(&r[i]);
    assert_int_equal(pool_idle(pool), 2);
    assert_int_equal(cluster_connections(cluster), 2);
    close_all();

    open_all(OK, "keepalive 0;");
    ask(&r[0]);
    finish(&r[0]);
    assert_int_equal(pool_idle(pool), 0);
    close_all();
}

static bool
none_idle(void *arg)
{
    return pool_idle(pool) == 0;
}

static void
idle_ones_run_out(void **state)
{
    struct request r;

    open_all(OK, "keepalive 4 idle=30ms;");
    ask(&r);
    finish(&r);
    assert_int_equal(pool_idle(pool), 1);
    assert_true(run_until(none_idle, NULL));
    assert_int_equal(cluster_connections(cluster), 0);
    close_all();
}

static void
the_origins_keep_alive_time_is_honoured(void **state)
{
    nsec_t left;
    struct request r;

    open_all(OK, "keepalive 4 idle=1h;");
    origin.answer = "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok";
    ask(&r);
    finish(&r);
    assert_int_equal(pool_idle(pool), 1);
    left = TAILQ_FIRST(&pool->upstreams->idle)->idle_until - clock_now();
    assert_in_range(left / MS, 3500, 4000); /* a second before the origin would */
    close_all();
}

static void
an_idle_one_that_the_origin_closes_is_gone(void **state)
{
    struct request r;

    open_all(OK, "");
    ask(&r);
    finish(&r);
    origin_hang_up_all(&origin);
    assert_true(run_until(none_idle, NULL));
    assert_int_equal(cluster_connections(cluster), 0);
    ask(&r);
    finish(&r);
    assert_false(r.reused);
    close_all();
}

static void
a_refused_connection_fails(void **state)
{
    struct request r;

    open_all(OK, "");
    watch_close(&origin.watch);
    close(origin.fd);
    ask(&r);
    assert_true(run_until(is_answered, &r));
    assert_true(r.failed);
    assert_int_equal(r.reason, REASON_CONNECT_FAILED);
    assert_true(r.detail[0] != '\0');
    arena_fini(&r.arena);
    origin_open(&origin, OK);
    close_all();
}

/* A listener whose backlog is full takes no more: connecting hangs. */
static void
a_connection_that_does_not_come_up_times_out(void **state)
{
    struct addr a;
    struct request r;
    int fd = socket(AF_INET, SOCK_STREAM, 0), fill[8];
    char text[ADDR_TEXT_MAX], body[300];
    unsigned i;

    assert_int_equal(addr_parse(SLICE("127.0.0.1:0"), &a, NULL), 0);
    assert_int_equal(bind(fd, &a.u.sa, a.len), 0);
    assert_int_equal(listen(fd, 0), 0);
    a.len = sizeof(a.u);
    assert_int_equal(getsockname(fd, &a.u.sa, &a.len), 0);
    for (i = 0; i < 8; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fill[i], &a.u.sa, a.len);
    }
    addr_format(&a, text);
    snprintf(body, sizeof(body), "endpoint %s; connect_timeout 50ms;", text);
    cluster = fixture_cluster(&fixture, body);
    cluster_start(cluster, NULL);
    pool = pool_new(service_loop());
    ask(&r);
    assert_non_null(r.lease);
    assert_true(run_until(is_answered, &r));
    assert_int_equal(r.reason, REASON_CONNECT_TIMEOUT);
    assert_non_null(strstr(r.detail, "50 ms"));
    arena_fini(&r.arena);
    assert_int_equal(cluster_connections(cluster), 0);
    pool_free(pool);
    run_for(MS);
    cluster_stop(cluster);
    fixture_close(&fixture);
    for (i = 0; i < 8; i++)
        close(fill[i]);
    close(fd);
}

static void
past_the_limit_one_waits_for_the_next(void **state)
{
    struct request a, b, c;

    open_all(OK, "limits connections=1 pending=2; connect_timeout 5s;");
    ask(&a);
    assert_true(run_until(is_answered, &a));
    ask(&b);
    ask_with(&c, at(1), false, 0);
    assert_non_null(b.lease);
    assert_non_null(c.lease);
    assert_int_equal(cluster_pending(cluster), 2);
    assert_int_equal(cluster_connections(cluster), 1);
    finish(&a);
    assert_true(run_until(is_answered, &b)); /* the same connection, in order of asking */
    assert_ptr_equal(a.session, b.session);
    assert_null(c.stream);
    finish(&b);
    finish(&c); /* for another endpoint the idle connection must make way */
    assert_int_equal(second.requests, 1);
    assert_int_equal(cluster_connections(cluster), 1);
    close_all();
}

static void
a_connection_that_closes_makes_room(void **state)
{
    struct request a, b;

    open_all(OK, "limits connections=1 pending=2; connect_timeout 5s;");
    ask(&a);
    assert_true(run_until(is_answered, &a));
    ask(&b);
    send_request(&a);
    abandon(&a); /* in the middle: it cannot be kept */
    finish(&b);
    assert_false(b.reused);
    close_all();
}

static void
an_idle_connection_elsewhere_does_not_hold_the_slot(void **state)
{
    struct request a, b;

    open_all(OK, "limits connections=1 pending=2;");
    ask(&a);
    finish(&a);
    ask_with(&b, at(1), false, 0);
    assert_int_equal(cluster_pending(cluster), 0);
    finish(&b);
    assert_int_equal(second.requests, 1);
    close_all();
}

static void
the_queue_is_bounded_and_says_which_line(void **state)
{
    struct request a, b, c;

    open_all(OK, "limits connections=1 pending=1; connect_timeout 5s;");
    ask(&a);
    assert_true(run_until(is_answered, &a));
    ask(&b);
    ask(&c);
    assert_true(c.failed);
    assert_int_equal(c.reason, REASON_OVERFLOW_PENDING);
    assert_non_null(strstr(c.detail, "pending=1"));
    assert_non_null(strstr(c.detail, "gateway.conf:2"));
    lease_cancel(b.lease);
    arena_fini(&b.arena);
    arena_fini(&c.arena);
    finish(&a);
    close_all();

    open_all(OK, "limits connections=1 pending=0;");
    ask(&a);
    assert_true(run_until(is_answered, &a));
    ask(&b);
    assert_true(b.failed);
    assert_int_equal(b.reason, REASON_OVERFLOW_CONNECTIONS);
    arena_fini(&b.arena);
    finish(&a);
    close_all();
}

static void
waiting_ends_with_connect_timeout_or_the_deadline(void **state)
{
    struct request a, b, c;
    nsec_t began;

    open_all(OK, "limits connections=1 pending=5; connect_timeout 60ms;");
    ask(&a);
    assert_true(run_until(is_answered, &a));
    clock_update();
    began = clock_now();
    ask(&b);
    ask_with(&c, at(0), false, began + 20 * MS);
    assert_true(run_until(is_answered, &c));
    assert_int_equal(c.reason, REASON_OVERFLOW_PENDING);
    assert_null(b.stream);
    assert_false(b.failed);
    assert_true(run_until(is_answered, &b));
    assert_int_equal(b.reason, REASON_OVERFLOW_PENDING);
    assert_true(clock_now() - began >= 60 * MS);
    arena_fini(&b.arena);
    arena_fini(&c.arena);
    finish(&a);
    close_all();
}

static void
cancelling_gives_everything_back(void **state)
{
    struct request a, b;

    open_all(OK, "limits connections=1 pending=5;");
    ask(&a); /* connecting */
    ask(&b); /* waiting */
    assert_int_equal(atomic_load(&at(0)->active), 2);
    lease_cancel(b.lease);
    lease_cancel(a.lease);
    arena_fini(&a.arena);
    arena_fini(&b.arena);
    assert_int_equal(atomic_load(&at(0)->active), 0);
    assert_int_equal(cluster_connections(cluster), 0);
    ask(&a);
    finish(&a);
    close_all();
}

static void
who_cancels_lets_the_next_one_in(void **state)
{
    struct request a, b;

    open_all(OK, "limits connections=1 pending=5; connect_timeout 5s;");
    ask(&a);
    ask(&b);
    lease_cancel(a.lease);
    arena_fini(&a.arena);
    finish(&b);
    close_all();
}

static void
retired_endpoints_keep_no_connections(void **state)
{
    struct request a, b;

    open_all(OK, "");
    ask(&a);
    ask(&b);
    assert_true(run_until(is_answered, &b));
    finish(&a);
    assert_int_equal(pool_idle(pool), 1);
    endpoint_retire(at(0));
    assert_int_equal(pool_idle(pool), 0);
    finish(&b); /* what is in flight ends well */
    assert_int_equal(pool_idle(pool), 0);
    endpoint_unretire(at(0));
    close_all();
}

static void
a_reload_keeps_connections(void **state)
{
    struct fixture older;
    struct request r;
    char body[600];

    open_all(OK, "");
    ask(&r);
    finish(&r);
    older = fixture;
    snprintf(body, sizeof(body), "endpoint %s; endpoint 127.0.0.1:1; keepalive 8;", origin.text);
    cluster = fixture_cluster(&fixture, body);
    cluster_start(cluster, NULL);
    cluster_stop(older.cluster);
    fixture_close(&older);
    assert_int_equal(pool_idle(pool), 1);
    ask(&r);
    finish(&r);
    assert_true(r.reused);
    close_all();
}

static void
another_tls_identity_shares_nothing(void **state)
{
    struct request r;

    open_all(OK, "");
    ask(&r);
    finish(&r);
    cluster->tls_identity = 4711;
    ask(&r);
    assert_non_null(r.lease);
    finish(&r);
    assert_int_equal(origin.accepted, 2);
    cluster->tls_identity = 0;
    close_all();
}

static void
draining_drops_what_is_idle(void **state)
{
    struct request r;

    open_all(OK, "");
    ask(&r);
    finish(&r);
    pool_drop_idle(pool);
    assert_int_equal(pool_idle(pool), 0);
    assert_int_equal(cluster_connections(cluster), 0);
    close_all();
}

static void
a_pool_that_ends_first_leaves_requests_to_end(void **state)
{
    struct request r;

    open_all(OK, "");
    ask(&r);
    assert_true(run_until(is_answered, &r));
    pool_free(pool);
    assert_int_equal(cluster_connections(cluster), 1);
    finish(&r);
    assert_int_equal(cluster_connections(cluster), 0);
    pool = pool_new(service_loop());
    close_all();
}

static void
a_pool_that_ends_takes_its_waits_along(void **state)
{
    struct request a, b, c;

    open_all(OK, "limits connections=1 pending=5;");
    ask(&a); /* connecting */
    ask(&b);
    ask(&c);
    pool_free(pool);
    assert_int_equal(cluster_connections(cluster), 0);
    assert_int_equal(cluster_pending(cluster), 0);
    assert_int_equal(atomic_load(&at(0)->active), 0);
    assert_false(a.failed || b.failed || c.failed);
    arena_fini(&a.arena);
    arena_fini(&b.arena);
    arena_fini(&c.arena);
    pool = pool_new(service_loop());
    close_all();
}

/* ---- more than one worker ---- */

static _Atomic unsigned done_elsewhere;
static struct pool *pools[3];
static struct request remote[3];

static void
worker_ready(struct up_session *u, void *arg)
{
    struct request *r = arg;

    on_ready(u, arg);
    r->stream->ops->release(r->stream);
    r->stream = NULL;
    atomic_fetch_add(&done_elsewhere, 1);
}

static void
worker_failed(const struct lease_failure *f, void *arg)
{
    on_failed(f, arg);
    atomic_fetch_add(&done_elsewhere, 100);
}

static const struct lease_events worker_events = { .on_ready = worker_ready, .on_failed = worker_failed };

static void
worker_ask(void *arg)
{
    struct request *r = arg;
    bool done;

    arena_init(&r->arena);
    r->lease = pool_lease(pools[worker_self_id()], cluster, at(0), &(struct lease_wish){ 0 }, &worker_events, r, &done);
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
one_waits(void *arg)
{
    return cluster_pending(cluster) == *(unsigned *)arg;
}

static bool
both_done(void *arg)
{
    return atomic_load(&done_elsewhere) >= 2;
}

static void
requests_on_other_workers_get_their_turn(void **state)
{
    struct request a;
    unsigned two = 2;

    assert_int_equal(workers_start(worker_begin, worker_end), 0);
    open_all(OK, "limits connections=1 pending=9; connect_timeout 5s;");
    ask(&a);
    assert_true(run_until(is_answered, &a));
    memset(remote, 0, sizeof(remote));
    worker_post(1, worker_ask, &remote[1]);
    worker_post(2, worker_ask, &remote[2]);
    assert_true(run_until(one_waits, &two));
    finish(&a); /* the connection does not go idle here: its slot goes there */
    assert_int_equal(pool_idle(pool), 0);
    assert_true(run_until(both_done, NULL));
    assert_int_equal(atomic_load(&done_elsewhere), 2);
    workers_stop();
    arena_fini(&remote[1].arena);
    arena_fini(&remote[2].arena);
    close_all();
}

static void
idle_connections_are_given_up_for_other_workers(void **state)
{
    struct request a;

    atomic_store(&done_elsewhere, 1);
    assert_int_equal(workers_start(worker_begin, worker_end), 0);
    open_all(OK, "limits connections=1 pending=9; connect_timeout 5s; keepalive 4 idle=1h;");
    memset(remote, 0, sizeof(remote));
    ask(&a);
    finish(&a);
    assert_int_equal(pool_idle(pool), 1);
    worker_post(1, worker_ask, &remote[1]);
    assert_true(run_until(both_done, NULL));
    assert_int_equal(atomic_load(&done_elsewhere), 2);
    workers_stop();
    arena_fini(&remote[1].arena);
    close_all();
}

/* ---- many clients on few connections ---- */

#define CLIENTS 6
#define EACH 40

struct client {
    struct request r;
    struct pool *pool;
    unsigned left;
};

static struct client clients[3][CLIENTS];
static _Atomic unsigned finished, refused;

static void client_ask(struct client *k);

static void
client_body(struct up_stream *s)
{
    struct client *k = s->user;

    if (!s->in_end)
        return;
    s->ops->release(s);
    arena_fini(&k->r.arena);
    atomic_fetch_add(&finished, 1);
    if (--k->left)
        client_ask(k);
}

static void
client_head(struct up_stream *s)
{
    if (s->in_end)
        client_body(s);
}

static void
client_error(struct up_stream *s, enum up_error error, const char *detail)
{
    struct client *k = s->user;

    s->ops->release(s);
    arena_fini(&k->r.arena);
    atomic_fetch_add(&refused, 1);
}

static const struct up_events client_up_events = {
    .on_head = client_head, .on_body = client_body, .on_writable = on_writable, .on_error = client_error
};

static void
client_ready(struct up_session *u, void *arg)
{
    struct client *k = arg;

    on_ready(u, &k->r);
    k->r.stream->events = &client_up_events;
    k->r.stream->user = k;
    send_request(&k->r);
}

static void
client_failed(const struct lease_failure *f, void *arg)
{
    struct client *k = arg;

    arena_fini(&k->r.arena);
    atomic_fetch_add(&refused, 1);
}

static const struct lease_events client_events = { .on_ready = client_ready, .on_failed = client_failed };

static void
client_ask(struct client *k)
{
    bool done;

    arena_init(&k->r.arena);
    k->r.lease = pool_lease(k->pool, cluster, at(k->left % 2), &(struct lease_wish){ 0 }, &client_events, k, &done);
}

static void
clients_begin(void *arg)
{
    unsigned id = worker_self_id(), i;

    for (i = 0; i < CLIENTS; i++) {
        clients[id][i].pool = pools[id];
        clients[id][i].left = EACH;
        client_ask(&clients[id][i]);
    }
}

static bool
all_finished(void *arg)
{
    return atomic_load(&finished) + atomic_load(&refused) * EACH >= 3 * CLIENTS * EACH || atomic_load(&refused);
}

/* Three threads, more requests than connections, for two endpoints: none may starve, and the bound holds throughout. */
static void
many_share_few_fairly(void **state)
{
    assert_int_equal(workers_start(worker_begin, worker_end), 0);
    open_all(OK, "limits connections=2 pending=100; connect_timeout 10s;");
    pools[0] = pool;
    worker_post(1, clients_begin, NULL);
    worker_post(2, clients_begin, NULL);
    clients_begin(NULL);
    assert_true(run_until(all_finished, NULL));
    assert_int_equal(atomic_load(&refused), 0);
    assert_int_equal(atomic_load(&finished), 3 * CLIENTS * EACH);
    assert_int_equal(origin.requests + second.requests, 3 * CLIENTS * EACH);
    assert_true(cluster_connections(cluster) <= 2);
    assert_int_equal(cluster_pending(cluster), 0);
    workers_stop();
    pool_drop_idle(pool);
    assert_int_equal(cluster_connections(cluster), 0);
    close_all();
}

static int
setup(void **state)
{
    return workers_init(2);
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
        cmocka_unit_test(a_connection_is_used_again),
        cmocka_unit_test(the_newest_goes_first),
        cmocka_unit_test(after_an_answer_that_withholds_its_body_a_connection_rests),
        cmocka_unit_test(fresh_is_fresh),
        cmocka_unit_test(keepalive_bounds_idle_ones),
        cmocka_unit_test(idle_ones_run_out),
        cmocka_unit_test(the_origins_keep_alive_time_is_honoured),
        cmocka_unit_test(an_idle_one_that_the_origin_closes_is_gone),
        cmocka_unit_test(a_refused_connection_fails),
        cmocka_unit_test(a_connection_that_does_not_come_up_times_out),
        cmocka_unit_test(past_the_limit_one_waits_for_the_next),
        cmocka_unit_test(a_connection_that_closes_makes_room),
        cmocka_unit_test(an_idle_connection_elsewhere_does_not_hold_the_slot),
        cmocka_unit_test(the_queue_is_bounded_and_says_which_line),
        cmocka_unit_test(waiting_ends_with_connect_timeout_or_the_deadline),
        cmocka_unit_test(cancelling_gives_everything_back),
        cmocka_unit_test(who_cancels_lets_the_next_one_in),
        cmocka_unit_test(retired_endpoints_keep_no_connections),
        cmocka_unit_test(a_reload_keeps_connections),
        cmocka_unit_test(another_tls_identity_shares_nothing),
        cmocka_unit_test(draining_drops_what_is_idle),
        cmocka_unit_test(a_pool_that_ends_first_leaves_requests_to_end),
        cmocka_unit_test(a_pool_that_ends_takes_its_waits_along),
        cmocka_unit_test(requests_on_other_workers_get_their_turn),
        cmocka_unit_test(idle_connections_are_given_up_for_other_workers),
        cmocka_unit_test(many_share_few_fairly),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
