/* Against a real redis-server, on the service loop. test_store_workers.c has the threads. */
#include "redis_lab.h"
#include "../../../src/net/conn.h"
#include "../../../src/stats/stats.h"

static struct loop *loop;
static struct redis_lab redis;
static struct store_lab lab;

/* Linked with --wrap: every system call that writes commands goes through here. */
static unsigned writes;
ssize_t __real_conn_writev(struct conn *c, const struct iovec *iov, int n);
ssize_t __wrap_conn_writev(struct conn *c, const struct iovec *iov, int n);

ssize_t
__wrap_conn_writev(struct conn *c, const struct iovec *iov, int n)
{
    writes++;
    return __real_conn_writev(c, iov, n);
}

static int
setup(void **state)
{
    log_set_level(LOG_LVL_ERROR);
    assert_int_equal(workers_init(0), 0);
    assert_int_equal(stats_init(0), 0);
    loop = worker_get(WORKER_SERVICE)->loop;
    redis_start(&redis, NULL);
    return 0;
}

static int
teardown(void **state)
{
    workers_fini();
    stats_fini();
    redis_stop(&redis);
    return 0;
}

/* Patient: what is not about time must not fail on a busy machine. */
static void
open_store(const char *more)
{
    store_lab_open(&lab, redis.url, more);
    store_start(lab.store, NULL);
}

#define PATIENT "timeout 5s;"

static void
test_round_trip(void **state)
{
    struct asked a;
    double latency;

    open_store(PATIENT);
    assert_string_equal(store_state(lab.store, &latency), "connecting");
    assert_true(latency < 0);
    ask_and_wait(loop, lab.store, &a, "return {tonumber(ARGV[1]), #ARGV[2], #KEYS[1], -5}", "some key");
    assert_good(&a);
    assert_int_equal(a.n, 4);
    assert_int_equal(a.ints[0], 7);
    assert_int_equal(a.ints[1], 11);
    assert_int_equal(a.ints[2], 8);
    assert_int_equal(a.ints[3], -5);
    assert_string_equal(store_state(lab.store, &latency), "up");
    assert_true(latency > 0);
    ask_and_wait(loop, lab.store, &a, "return 9", "k");
    assert_good(&a);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.ints[0], 9);
    ask_and_wait(loop, lab.store, &a, "return {}", "k");
    assert_good(&a);
    assert_int_equal(a.n, 0);
    store_lab_close(&lab);
}

static void
test_unexpected_answers(void **state)
{
    static const char *const scripts[] = { "return 'text'",
                                           "return {1, 'text'}",
                                           "return {1, {2}}",
                                           "return nil",
                                           "return redis.status_reply('FINE')",
                                           "local t = {} for i = 1, 100 do t[i] = i end return t" };
    struct asked a;
    char big[700];

    open_store(PATIENT);
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        ask_and_wait(loop, lab.store, &a, scripts[i], "k");
        assert_string_equal(a.error, "the script did not return integers");
    }
    ask_and_wait(loop, lab.store, &a, "return redis.error_reply('MINE is this')", "k");
    assert_non_null(strstr(a.error, "MINE is this"));
    ask_and_wait(loop, lab.store, &a, "return {1, redis.error_reply('MINE inside')}", "k");
    assert_non_null(strstr(a.error, "MINE inside"));
    ask_and_wait(loop, lab.store, &a, "this is no Lua", "k");
    assert_non_null(strstr(a.error, "ERR"));
    snprintf(big, sizeof(big), "return redis.error_reply('%0600d')", 1);
    ask_and_wait(loop, lab.store, &a, big, "k");
    assert_int_equal(strlen(a.error), 255);
    ask_and_wait(loop, lab.store, &a, "return {1}", "k");
    assert_good(&a);
    store_lab_close(&lab);
}

#define MANY 1000
static struct asked many[MANY];

static bool
all_done(void *arg)
{
    for (unsigned i = 0; i < MANY; i++) {
        if (!many[i].done)
            return false;
    }
    return true;
}

static void
ask_many(const char *script)
{
    char key[16];

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "%u", i);
        ask(lab.store, &many[i], script, key);
    }
}

static void
test_one_turn_is_one_write(void **state)
{
    open_store(PATIENT);
    bring_up(loop, lab.store);
    assert_string_equal(redis_do(&redis, "script load 'return {tonumber(KEYS[1])}'") + 40, "");
    writes = 0;
    ask_many("return {tonumber(KEYS[1])}");
    assert_int_equal(writes, 0);
    lab_run(loop, all_done, NULL);
    for (unsigned i = 0; i < MANY; i++) {
        assert_good(&many[i]);
        assert_int_equal(many[i].ints[0], i); /* each got its own answer */
        assert_int_equal(many[i].done, 1);
    }
    assert_in_range(writes, 1, 8); /* more than one only where the socket was full */
    store_lab_close(&lab);
}

static void
test_scripts_come_back(void **state)
{
    static const char script[] = "return {tonumber(KEYS[1]) * 2}";
    struct asked a;

    open_store(PATIENT);
    ask_and_wait(loop, lab.store, &a, script, "4");
    assert_good(&a);
    assert_string_equal(redis_do(&redis, "script flush"), "OK");
    assert_string_equal(redis_do(&redis, "config resetstat"), "OK");
    ask_many(script);
    lab_run(loop, all_done, NULL);
    for (unsigned i = 0; i < MANY; i++) {
        assert_good(&many[i]);
        assert_int_equal(many[i].ints[0], 2 * i);
    }
    /* The text was sent once, not a thousand times. */
    assert_non_null(strstr(redis_do(&redis, "info commandstats | grep cmdstat_eval:"), "calls=1,"));
    store_lab_close(&lab);
}

/* A server that is found by a patient store, and another generation of the store that waits 20 ms for it: on a busy machine
 * the first must not fail, and the failures of the second are those that the test makes. */
static void
open_hasty(struct store_lab *hasty)
{
    open_store(PATIENT);
    bring_up(loop, lab.store);
    store_lab_open(hasty, redis.url, "timeout 20ms;");
    store_start(hasty->store, NULL);
}

/* Asks until the store leaves its server alone; *a is the last answer. */
static void
ask_until_down(struct asked *a)
{
    struct state_wait down = { lab.store, "down" };
    unsigned tries = 0;

    do {
        ask_and_wait(loop, lab.store, a, "return {1}", "k");
        assert_true(++tries < 1000);
    } while (!has_state(&down));
    ask_and_wait(loop, lab.store, a, "return {1}", "k");
    assert_string_equal(a->error, "unavailable");
}

static void
test_timeout(void **state)
{
    struct store_lab hasty;
    struct asked a;

    open_hasty(&hasty);
    kill(redis.pid, SIGSTOP);
    ask_and_wait(loop, hasty.store, &a, "return {1}", "k");
    kill(redis.pid, SIGCONT);
    assert_string_equal(a.error, "timeout");
    assert_true(a.ended - a.at >= 19 * NSEC_PER_MSEC);
    assert_true(a.ended - a.at < 4 * NSEC_PER_SEC); /* not when the patient store's timer would have come */
    /* The late answer is dropped: this one gets its own. */
    ask_and_wait(loop, lab.store, &a, "return {2}", "k");
    assert_good(&a);
    assert_int_equal(a.ints[0], 2);
    store_lab_close(&hasty);
    store_lab_close(&lab);
}

static void
test_timeouts_open_the_breaker(void **state)
{
    struct state_wait up = { NULL, "up" };
    struct store_lab hasty;
    struct asked a[3], b;
    char all[4096];

    open_hasty(&hasty);
    up.store = lab.store;
    log_catch();
    kill(redis.pid, SIGSTOP);
    for (unsigned i = 0; i < 3; i++)
        ask(hasty.store, &a[i], "return {1}", "k");
    for (unsigned i = 0; i < 3; i++)
        lab_run(loop, is_done, &a[i]);
    ask_and_wait(loop, lab.store, &b, "return {2}", "k"); /* would wait for 5 s */
    kill(redis.pid, SIGCONT);
    for (unsigned i = 0; i < 3; i++)
        assert_string_equal(a[i].error, "timeout");
    assert_string_equal(b.error, "unavailable");
    assert_true(b.ended - b.at < 5 * NSEC_PER_SEC);
    lab_run(loop, has_state, &up);
    ask_and_wait(loop, lab.store, &b, "return {3}", "k");
    assert_good(&b);
    assert_int_equal(b.ints[0], 3);
    store_lab_close(&hasty);
    store_lab_close(&lab);
    assert_int_equal(log_caught("does not answer in time; leaving it alone", all, sizeof(all)), 1);
}

static void
test_breaker_waits_longer(void **state)
{
    struct state_wait up = { NULL, "up" };
    struct asked a;
    char all[4096];

    open_store(PATIENT);
    up.store = lab.store;
    bring_up(loop, lab.store);
    log_catch();
    redis_kill(&redis);
    ask_until_down(&a); /* by itself: connecting is refused */
    redis_run(&redis, NULL);
    lab_run(loop, has_state, &up);
    ask_and_wait(loop, lab.store, &a, "return {5}", "k");
    assert_good(&a);
    assert_int_equal(a.ints[0], 5);
    store_lab_close(&lab);
    assert_int_equal(log_caught("connect to unix:", all, sizeof(all)), 1); /* one line for all the tries */
}

static void
test_restart_is_hardly_seen(void **state)
{
    struct asked a;

    open_store(PATIENT);
    bring_up(loop, lab.store);
    redis_kill(&redis);
    redis_run(&redis, NULL); /* both before the loop looks again */
    ask_and_wait(loop, lab.store, &a, "return {6}", "k");
    if (a.error[0]) /* it was sent on the dead connection */
        ask_and_wait(loop, lab.store, &a, "return {6}", "k");
    assert_good(&a);
    assert_int_equal(a.ints[0], 6);
    store_lab_close(&lab);
}

static void
test_cancel(void **state)
{
    struct asked a, b, c, d;

    open_store(PATIENT);
    bring_up(loop, lab.store);
    ask(lab.store, &a, "return {1}", "k");
    ask(lab.store, &b, "return {2}", "k");
    ask(lab.store, &c, "return {3}", "k");
    store_cancel(b.call);
    lab_run(loop, is_done, &c);
    assert_int_equal(b.done, 0);
    assert_int_equal(a.ints[0], 1);
    assert_int_equal(c.ints[0], 3);
    /* One that has failed already, but was not told yet. */
    redis_kill(&redis);
    ask_until_down(&a);
    ask(lab.store, &d, "return {1}", "k");
    store_cancel(d.call);
    ask_and_wait(loop, lab.store, &a, "return {1}", "k");
    assert_int_equal(d.done, 0);
    store_lab_close(&lab);
    redis_run(&redis, NULL);
}

struct again {
    struct asked asked;
    unsigned left;
};

static void
ask_again(const struct weir_store_reply *reply, void *arg)
{
    struct again *a = arg;

    on_asked(reply, &a->asked);
    a->asked.done = 0;
    if (--a->left == 0)
        a->asked.done = 1;
    else
        assert_non_null(store_eval(lab.store, "return {1}", SLICE("k"), NULL, 0, ask_again, a));
}

static void
test_asking_from_inside(void **state)
{
    struct again a = { .left = 100 };

    open_store(PATIENT);
    assert_non_null(store_eval(lab.store, "return {1}", SLICE("k"), NULL, 0, ask_again, &a));
    lab_run(loop, is_done, &a.asked);
    assert_good(&a.asked);
    redis_kill(&redis);
    a.left = 20; /* failing ones, of which each asks anew */
    assert_non_null(store_eval(lab.store, "return {1}", SLICE("k"), NULL, 0, ask_again, &a));
    lab_run(loop, is_done, &a.asked);
    assert_string_equal(a.asked.error, "unavailable");
    store_lab_close(&lab);
    redis_run(&redis, NULL);
}

static void
test_caps(void **state)
{
    struct slice args[20] = { { 0 } }, huge = { NULL, 70000 };
    struct asked a = { 0 };
    char *bytes = xcalloc(1, huge.n);
    unsigned n = 0;

    huge.p = bytes;
    open_store(PATIENT);
    clock_update();
    assert_null(store_eval(lab.store, "return {1}", huge, NULL, 0, on_asked, &a));
    assert_null(store_eval(lab.store, "return {1}", SLICE("k"), args, 20, on_asked, &a));
    while (n <= 10000 && store_eval(lab.store, "return {1}", SLICE("k"), NULL, 0, on_asked, &a))
        n++;
    assert_int_equal(n, 10000);
    store_lab_close(&lab); /* with all of them under way: nobody is told */
    assert_int_equal(a.done, 0);
    free(bytes);
}

static void
test_password(void **state)
{
    const char *options[] = { "--requirepass", "s3cret/@:", NULL };
    struct asked a;
    char url[256], all[8192];

    redis_kill(&redis);
    redis_run(&redis, options);
    snprintf(url, sizeof(url), "unix://:s3cret%%2f%%40%%3A@%s?db=3", redis.socket);
    store_lab_open(&lab, url, PATIENT);
    assert_null(strstr(store_url_shown(lab.store), "s3cret"));
    assert_non_null(strstr(store_url_shown(lab.store), "unix://:***@/tmp/"));
    store_start(lab.store, NULL);
    ask_and_wait(loop, lab.store, &a, "redis.call('set', KEYS[1], 'x', 'px', 10000) return {1}", "inthree");
    assert_good(&a);
    assert_string_equal(redis_do(&redis, "-a s3cret/@: --no-auth-warning -n 3 exists inthree"), "1");
    store_lab_close(&lab);

    log_catch();
    snprintf(url, sizeof(url), "unix://:wr0ng@%s", redis.socket);
    store_lab_open(&lab, url, PATIENT);
    store_start(lab.store, NULL);
    ask_until_down(&a);
    store_lab_close(&lab);
    assert_int_equal(log_caught("refused AUTH (user or password of the store's url): WRONGPASS", all, sizeof(all)), 1);
    assert_null(strstr(all, "wr0ng"));

    log_catch();
    store_lab_open(&lab, redis.url, PATIENT);
    ask_until_down(&a);
    store_lab_close(&lab);
    assert_int_equal(log_caught("NOAUTH", all, sizeof(all)), 1);
    redis_kill(&redis);
    redis_run(&redis, NULL);
}

/* A server that does not know AUTH repeats its arguments. */
static void
test_an_echoed_password_is_not_shown(void **state)
{
    const char *options[] = { "--rename-command", "AUTH", "", NULL };
    struct asked a;
    char url[256], all[8192];

    redis_kill(&redis);
    redis_run(&redis, options);
    log_catch();
    snprintf(url, sizeof(url), "unix://:s3cret@%s", redis.socket);
    store_lab_open(&lab, url, PATIENT);
    ask_until_down(&a);
    store_lab_close(&lab);
    assert_int_equal(log_caught("refused AUTH", all, sizeof(all)), 1);
    assert_null(strstr(all, "s3cret"));
    redis_kill(&redis);
    redis_run(&redis, NULL);
}

static void
test_loading_counts_as_away(void **state)
{
    struct asked a;

    open_store(PATIENT);
    bring_up(loop, lab.store);
    for (unsigned i = 0; i < 3; i++) {
        ask_and_wait(loop, lab.store, &a, "return redis.error_reply('LOADING Redis is loading')", "k");
        assert_non_null(strstr(a.error, "LOADING"));
    }
    log_set_level(LOG_LVL_ERROR);
    ask_and_wait(loop, lab.store, &a, "return {1}", "k");
    assert_string_equal(a.error, "unavailable");
    store_lab_close(&lab);
}

static void
test_metrics(void **state)
{
    struct strbuf out;
    struct asked a;

    open_store(PATIENT);
    bring_up(loop, lab.store);
    ask_and_wait(loop, lab.store, &a, "no Lua", "k");
    strbuf_init(&out, 1 << 20);
    stats_expose(&out);
    assert_non_null(strstr(out.p, "\nweir_store_up{store=\"main\"} 1\n"));
    assert_non_null(strstr(out.p, "weir_store_errors_total{store=\"main\",error=\"server\"}"));
    assert_non_null(strstr(out.p, "weir_store_latency_seconds_count{store=\"main\"}"));
    store_lab_close(&lab);
    strbuf_clear(&out);
    stats_expose(&out);
    assert_null(strstr(out.p, "weir_store_up"));
    strbuf_fini(&out);
}

/* Two generations: the second has the first one's connection. */
static void
test_state_outlives_a_generation(void **state)
{
    struct store_lab second;
    struct asked a;
    double latency;

    open_store(PATIENT);
    bring_up(loop, lab.store);
    store_lab_open(&second, redis.url, "timeout 4s; required on;");
    assert_string_equal(store_state(second.store, &latency), "up");
    assert_true(store_required(second.store));
    assert_false(store_required(lab.store));
    store_start(second.store, NULL);
    store_lab_close(&lab);
    ask_and_wait(loop, second.store, &a, "return {1}", "k");
    assert_good(&a);
    assert_non_null(strstr(redis_do(&redis, "info stats | grep ^total_connections_received:"), ":"));
    store_lab_close(&second);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_unexpected_answers),
        cmocka_unit_test(test_one_turn_is_one_write),
        cmocka_unit_test(test_scripts_come_back),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_timeouts_open_the_breaker),
        cmocka_unit_test(test_breaker_waits_longer),
        cmocka_unit_test(test_restart_is_hardly_seen),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_asking_from_inside),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_password),
        cmocka_unit_test(test_an_echoed_password_is_not_shown),
        cmocka_unit_test(test_loading_counts_as_away),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_state_outlives_a_generation),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
