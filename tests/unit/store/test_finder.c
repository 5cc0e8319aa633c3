/* Names, TLS, sentinels and clusters, against real servers. */
#include "../net/tls_lab.h"
#include "redis_lab.h"

#include "../../../src/net/tls.h"
#include "../../../src/stats/stats.h"

static struct loop *loop;
static struct resolver *resolver;

static int
setup(void **state)
{
    struct err e = { 0 };

    log_set_level(LOG_LVL_ERROR);
    assert_int_equal(tls_init(), 0);
    lab_dir_make();
    setenv("WEIR_DNS_SERVERS", "127.0.0.1:1", 1);
    assert_int_equal(workers_init(0), 0);
    assert_int_equal(stats_init(0), 0);
    loop = worker_get(WORKER_SERVICE)->loop;
    resolver = resolver_new(loop, &e);
    assert_non_null(resolver);
    return 0;
}

static int
teardown(void **state)
{
    resolver_free(resolver);
    workers_fini();
    stats_fini();
    rmdir(lab_dir);
    return 0;
}

static void
open_url(struct store_lab *s, const char *url, const char *more)
{
    store_lab_open(s, url, more);
    clock_update();
    store_start(s->store, resolver);
}

/* Asks until the store is there: the first calls are made before it is known where. */
static void
ask_until_good(struct store_lab *s, struct asked *a, const char *script, const char *key)
{
    nsec_t until = clock_precise() + 20 * NSEC_PER_SEC;

    do
        ask_and_wait(loop, s->store, a, script, key);
    while (a->error[0] && clock_precise() < until);
    assert_good(a);
}

static void
test_a_name_over_tls(void **state)
{
    struct lab_cert ca, server;
    struct redis_lab redis = { .port = 0 };
    struct store_lab s;
    struct asked a;
    char port[16], url[128], more[256], all[8192];
    const char *options[] = { "--tls-port",
                              port,
                              "--tls-cert-file",
                              server.cert_file,
                              "--tls-key-file",
                              server.key_file,
                              "--tls-ca-cert-file",
                              ca.cert_file,
                              "--tls-auth-clients",
                              "no",
                              NULL };
    int number = free_port();

    lab_cert_make(&ca, "ca", NULL, NULL, 30);
    lab_cert_make(&server, "server", "DNS:localhost", &ca, 30);
    snprintf(port, sizeof(port), "%d", number);
    redis_start(&redis, options);

    snprintf(url, sizeof(url), "rediss://localhost:%d", number);
    snprintf(more, sizeof(more), "timeout 5s; ca %s;", ca.cert_file);
    open_url(&s, url, more);
    ask_until_good(&s, &a, "return {4}", "k");
    assert_int_equal(a.ints[0], 4);
    store_lab_close(&s);

    /* An unknown signer is refused. */
    log_catch();
    open_url(&s, url, "timeout 5s; ");
    do
        ask_and_wait(loop, s.store, &a, "return {4}", "k");
    while (a.ended - a.at > NSEC_PER_MSEC || !has_state(&(struct state_wait){ s.store, "down" }));
    assert_string_equal(a.error, "unavailable");
    store_lab_close(&s);
    assert_true(log_caught("certificate", all, sizeof(all)) > 0);

    open_url(&s, url, "timeout 5s; verify off;");
    ask_until_good(&s, &a, "return {4}", "k");
    store_lab_close(&s);
    redis_stop(&redis);
    lab_cert_drop(&ca);
    lab_cert_drop(&server);
}

static void
test_a_name_that_is_not_known(void **state)
{
    struct store_lab s;
    struct asked a;
    struct state_wait down = { NULL, "down" };
    char all[8192];

    log_catch();
    open_url(&s, "redis://:geheim@no-such-host.test", "timeout 5s;");
    down.store = s.store;
    ask_and_wait(loop, s.store, &a, "return {1}", "k");
    assert_string_equal(a.error, "unavailable");
    lab_run(loop, has_state, &down);
    store_lab_close(&s);
    assert_int_equal(log_caught("cannot be resolved", all, sizeof(all)), 1);
    assert_null(strstr(all, "geheim"));
}

/* ------------------------------------------------------------------ sentinels */

static void
start_sentinel(struct redis_lab *r, int master)
{
    char path[128], command[512], text[256];
    FILE *f;

    snprintf(r->dir, sizeof(r->dir), "/tmp/test_store.XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->socket, sizeof(r->socket), "%s/redis.sock", r->dir);
    snprintf(path, sizeof(path), "%s/sentinel.conf", r->dir);
    snprintf(text, sizeof(text), "port %d\nbind 127.0.0.1\nunixsocket %s\nsentinel monitor mymaster 127.0.0.1 %d 1\n",
             r->port, r->socket, master);
    assert_non_null(f = fopen(path, "w"));
    fputs(text, f);
    fclose(f);
    r->pid = fork();
    if (r->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!freopen("/dev/null", "w", stdout))
            _exit(1);
        execlp("redis-server", "redis-server", path, "--sentinel", (char *)NULL);
        _exit(127);
    }
    snprintf(
        command, sizeof(command),
        "for i in $(seq 500); do redis-cli -s %s ping 2>/dev/null | grep -q PONG && exit 0; sleep 0.01; done; exit 1",
        r->socket);
    assert_int_equal(system(command), 0);
}

static void
test_sentinel(void **state)
{
    struct redis_lab first = { .port = free_port() }, second = { .port = free_port() },
                     sentinel = { .port = free_port() };
    struct store_lab s;
    struct asked a;
    char url[128], command[256], all[8192];

    redis_start(&first, NULL);
    redis_start(&second, NULL);
    assert_string_equal(redis_do(&first, "set who 1"), "OK");
    assert_string_equal(redis_do(&second, "set who 2"), "OK");
    start_sentinel(&sentinel, first.port);

    /* The first of the listed does not answer. */
    snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%d,127.0.0.1:%d/mymaster", free_port(), sentinel.port);
    open_url(&s, url, "timeout 5s;");
    ask_until_good(&s, &a, "return tonumber(redis.call('get', 'who'))", "k");
    assert_int_equal(a.ints[0], 1);

    log_catch();
    assert_string_equal(redis_do(&sentinel, "sentinel remove mymaster"), "OK");
    snprintf(command, sizeof(command), "sentinel monitor mymaster 127.0.0.1 %d 1", second.port);
    assert_string_equal(redis_do(&sentinel, command), "OK");
    snprintf(command, sizeof(command), "replicaof 127.0.0.1 %d", second.port);
    assert_string_equal(redis_do(&first, command), "OK");
    /* The old master is a replica now, which the next write finds out. */
    ask_and_wait(loop, s.store, &a, "redis.call('set', KEYS[1], 1) return {1}", "k");
    assert_true(a.error[0]);
    ask_until_good(&s, &a, "redis.call('set', KEYS[1], 1) return tonumber(redis.call('get', 'who'))", "k");
    assert_int_equal(a.ints[0], 2);
    assert_true(log_caught("replica", all, sizeof(all)) > 0);

    store_lab_close(&s);
    redis_stop(&sentinel);
    redis_stop(&second);
    redis_stop(&first);
}

static void
test_sentinel_without_that_master(void **state)
{
    struct redis_lab sentinel = { .port = free_port() };
    struct state_wait down = { NULL, "down" };
    struct store_lab s;
    char url[128], all[8192];

    start_sentinel(&sentinel, free_port());
    log_catch();
    snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%d/another", sentinel.port);
    open_url(&s, url, "");
    down.store = s.store;
    lab_run(loop, has_state, &down);
    store_lab_close(&s);
    assert_int_equal(log_caught("it knows no master of that name", all, sizeof(all)), 1);
    redis_stop(&sentinel);
}

/* ------------------------------------------------------------------ clusters */

static void
start_node(struct redis_lab *r)
{
    char bus[16];
    const char *options[] = { "--cluster-enabled", "yes", "--cluster-port", bus, NULL };

    r->port = free_port();
    snprintf(bus, sizeof(bus), "%d", free_port());
    redis_start(r, options);
}

static void
wait_cluster(struct redis_lab *r)
{
    char command[512];

    snprintf(command, sizeof(command),
             "for i in $(seq 2000); do redis-cli -s %s cluster info | tr -d '\\r' | "
             "grep -q 'cluster_state:ok' && redis-cli -s %s cluster info | grep -q 'cluster_size:2' && exit 0; sleep "
             "0.01; done; exit 1",
             r->socket, r->socket);
    assert_int_equal(system(command), 0);
}

/* "foo" is in slot 12182, "bar" in 5061. */
static void
test_cluster(void **state)
{
    struct redis_lab low = { 0 }, high = { 0 };
    char url[128], command[256], id[64];
    struct store_lab s;
    struct asked a;

    start_node(&low);
    start_node(&high);
    assert_string_equal(redis_do(&low, "cluster addslotsrange 0 8191"), "OK");
    assert_string_equal(redis_do(&high, "cluster addslotsrange 8192 16383"), "OK");
    assert_string_equal(redis_do(&low, "config get cluster-port"), "cluster-port");
    snprintf(command, sizeof(command), "cluster meet 127.0.0.1 %d $(redis-cli -s %s config get cluster-port | tail -1)",
             high.port, high.socket);
    assert_string_equal(redis_do(&low, command), "OK");
    wait_cluster(&low);
    wait_cluster(&high);

    snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%d", low.port);
    open_url(&s, url, "timeout 5s;");
    ask_until_good(&s, &a, "redis.call('set', KEYS[1], 3) return {1}", "foo");
    ask_until_good(&s, &a, "redis.call('set', KEYS[1], 4) return {1}", "bar");
    assert_string_equal(redis_do(&high, "get foo"), "3");
    assert_string_equal(redis_do(&low, "get bar"), "4");

    /* While a slot is moving, a key that is not there any more is asked for at the other one. */
    snprintf(id, sizeof(id), "%s", redis_do(&low, "cluster myid"));
    snprintf(command, sizeof(command), "cluster setslot 12182 migrating %s", id);
    assert_string_equal(redis_do(&high, command), "OK");
    snprintf(id, sizeof(id), "%s", redis_do(&high, "cluster myid"));
    snprintf(command, sizeof(command), "cluster setslot 12182 importing %s", id);
    assert_string_equal(redis_do(&low, command), "OK");
    ask_and_wait(loop, s.store, &a, "redis.call('set', KEYS[1], 6) return {6}", "{foo}new");
    assert_good(&a);
    assert_int_equal(a.ints[0], 6);

    /* A slot moves: the next call is redirected, and is good at once. */
    assert_string_equal(redis_do(&high, "del foo"), "1");
    snprintf(id, sizeof(id), "%s", redis_do(&low, "cluster myid"));
    snprintf(command, sizeof(command), "cluster setslot 12182 node %s", id);
    assert_string_equal(redis_do(&low, command), "OK");
    assert_string_equal(redis_do(&high, command), "OK");
    ask_and_wait(loop, s.store, &a, "redis.call('set', KEYS[1], 5) return {1}", "foo");
    assert_good(&a);
    assert_string_equal(redis_do(&low, "get foo"), "5");

    store_lab_close(&s);
    redis_stop(&low);
    redis_stop(&high);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_over_tls), cmocka_unit_test(test_a_name_that_is_not_known),
        cmocka_unit_test(test_sentinel),        cmocka_unit_test(test_sentinel_without_that_master),
        cmocka_unit_test(test_cluster),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
