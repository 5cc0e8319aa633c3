/* Real worker threads: each has a connection of its own, made before the first call and closed on its own thread. */
#include "redis_lab.h"

#include "../../../src/stats/stats.h"

#include <stdatomic.h>

#define WORKERS 3
#define CALLS 2000

static struct redis_lab redis;
static struct store_lab lab;
static atomic_uint good, bad, running;
static struct loop *loop;

struct batch {
    unsigned left; /* to be asked */
    unsigned way;  /* under way */
};
static struct batch batches[WORKERS + 1];

static void on_reply(const struct weir_store_reply *reply, void *arg);

static void
ask_some(struct batch *b)
{
    struct slice args[] = { SLICE("1"), SLICE("2") };

    while (b->left && b->way < 50) {
        assert_non_null(
            store_eval(lab.store, "return {tonumber(ARGV[1]), tonumber(ARGV[2])}", SLICE("k"), args, 2, on_reply, b));
        b->left--;
        b->way++;
    }
    if (!b->way)
        atomic_fetch_sub(&running, 1);
}

static void
on_reply(const struct weir_store_reply *reply, void *arg)
{
    struct batch *b = arg;

    if (!reply->error && reply->n == 2 && reply->ints[0] == 1 && reply->ints[1] == 2)
        atomic_fetch_add(&good, 1);
    else
        atomic_fetch_add(&bad, 1);
    b->way--;
    ask_some(b);
}

static void
begin(void *arg)
{
    ask_some(arg);
}

static bool
all_ended(void *arg)
{
    return atomic_load(&running) == 0;
}

static unsigned
clients(void)
{
    return (unsigned)atoi(redis_do(&redis, "client list | grep -vc cmd=client"));
}

static bool
has_clients(void *arg)
{
    return clients() == *(unsigned *)arg;
}

static void
test_workers(void **state)
{
    unsigned all = WORKERS, none = 0, id;
    struct store_lab second;
    struct strbuf out;

    log_set_level(LOG_LVL_ERROR);
    redis_start(&redis, NULL);
    assert_int_equal(workers_init(WORKERS), 0);
    assert_int_equal(stats_init(WORKERS), 0);
    loop = worker_get(WORKER_SERVICE)->loop;
    assert_int_equal(workers_start(NULL, NULL), 0);
    store_lab_open(&lab, redis.url, "timeout 10s;");
    store_start(lab.store, NULL);
    lab_run(loop, has_clients, &all); /* before any call */

    atomic_store(&running, WORKERS);
    for (id = 1; id <= WORKERS; id++) {
        batches[id].left = CALLS;
        worker_post(id, begin, &batches[id]);
    }
    lab_run(loop, all_ended, NULL);
    assert_int_equal(atomic_load(&bad), 0);
    assert_int_equal(atomic_load(&good), WORKERS * CALLS);
    assert_int_equal(clients(), WORKERS); /* the service loop asked nothing */

    /* A reload: the next generation goes on with the same connections. */
    store_lab_open(&second, redis.url, "timeout 10s; required on;");
    store_start(second.store, NULL);
    store_lab_close(&lab);
    assert_int_equal(clients(), WORKERS);
    strbuf_init(&out, 1 << 20);
    stats_expose(&out);
    assert_non_null(strstr(out.p, "weir_store_up{store=\"main\"} 1\n"));
    strbuf_fini(&out);
    assert_true(has_state(&(struct state_wait){ second.store, "up" }));

    /* Another URL under the same name, while the old one goes. */
    store_lab_open(&lab, redis_do(&redis, "config get unixsocket | tail -1 | sed 's,^,unix:,'"), "timeout 10s;");
    store_start(lab.store, NULL);
    store_lab_close(&second);
    lab_run(loop, has_clients, &all);

    store_stop(lab.store);
    store_free(lab.store);
    lab_run(loop, has_clients, &none);
    store_lab_open(&second, redis.url, "timeout 10s;");
    store_start(second.store, NULL);
    lab_run(loop, has_clients, &all);
    workers_stop();
    store_lab_close(&second); /* as at the end of the daemon: what is left to the workers is done by workers_fini */
    workers_fini();
    stats_fini();
    assert_int_equal(clients(), 0);
    arena_fini(&lab.arena);
    conf_free(lab.conf);
    redis_stop(&redis);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
