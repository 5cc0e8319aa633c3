/* The script in a real Redis on a unix socket of its own; skipped where there is no redis-server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "redis_script.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[] = "/tmp/weir-redis-XXXXXX", path[64];
static pid_t server = -1;

static redisContext *
dial(void)
{
    redisContext *c = redisConnectUnix(path);
    if (c && c->err) {
        redisFree(c);
        return NULL;
    }
    return c;
}

static int
start_server(void **state)
{
    if (system("command -v redis-server >/dev/null 2>&1") != 0 || !mkdtemp(dir))
        return 0;
    snprintf(path, sizeof(path), "%s/s", dir);
    server = fork();
    if (server == 0) {
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--logfile",
               "/dev/null", "--dir", dir, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 200; i++) {
        redisContext *c = dial();
        if (c) {
            *state = c;
            return 0;
        }
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL); /* there is no event for "it listens now" */
    }
    return -1;
}

static int
stop_server(void **state)
{
    if (*state)
        redisFree(*state);
    if (server > 0) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
        unlink(path);
        rmdir(dir);
    }
    return 0;
}

struct answer {
    long long allowed, left, retry_us, full_us;
};

static struct answer
take(redisContext *c, const char *key, const char *emission, const char *capacity)
{
    struct answer a = { -1, -1, -1, -1 };
    redisReply *r = redisCommand(c, "EVAL %s 1 %s %s %s", redis_script, key, emission, capacity);
    assert_non_null(r);
    if (r->type == REDIS_REPLY_ARRAY && r->elements == 4)
        a = (struct answer){ r->element[0]->integer, r->element[1]->integer, r->element[2]->integer,
                             r->element[3]->integer };
    else if (r->type == REDIS_REPLY_ERROR)
        print_message("%s\n", r->str);
    freeReplyObject(r);
    return a;
}

static long long
integer(redisContext *c, const char *command, const char *key)
{
    redisReply *r = redisCommand(c, "%s %s", command, key);
    long long v = r->integer;
    freeReplyObject(r);
    return v;
}

static void
test_burst_then_refusal(void **state)
{
    if (!*state)
        skip();
    for (int i = 0; i < 3; i++) { /* 6/m, burst 3 */
        struct answer a = take(*state, "weir:{burst:1}", "10000000.000", "30000000.000");
        assert_int_equal(a.allowed, 1);
        assert_int_equal(a.left, 2 - i);
        assert_in_range(a.full_us, (i + 1) * 10000000 - 2000000, (i + 1) * 10000000);
    }
    for (int i = 0; i < 5; i++) {
        struct answer a = take(*state, "weir:{burst:1}", "10000000.000", "30000000.000");
        assert_int_equal(a.allowed, 0);
        assert_int_equal(a.left, 0);
        assert_in_range(a.retry_us, 8000000, 10000000);
        assert_in_range(a.full_us, 28000000, 30000000);
    }
    assert_in_range(integer(*state, "PTTL", "weir:{burst:1}"), 28000, 30000);
}

/* A burst is whole whatever its token's length: no rounding takes the last one. */
static void
test_odd_rates_keep_their_burst(void **state)
{
    static const char *const emissions[] = { "333333333.333", "142857142.857", "8571428.571", "1000000.001" };
    if (!*state)
        skip();
    for (size_t i = 0; i < 4; i++) {
        char key[32], capacity[32];
        unsigned allowed = 0;
        snprintf(key, sizeof(key), "weir:{odd:%zu}", i);
        snprintf(capacity, sizeof(capacity), "%.3f", strtod(emissions[i], NULL) * 7);
        for (int k = 0; k < 10; k++)
            allowed += take(*state, key, emissions[i], capacity).allowed == 1;
        assert_int_equal(allowed, 7);
    }
}

static void
test_every_key_gets_an_expiry(void **state)
{
    if (!*state)
        skip();
    redisContext *c = *state;
    take(c, "weir:{ttl:1}", "1000.000", "5000.000");
    freeReplyObject(
        redisCommand(c, "SET weir:{ttl:2} 99999999999999")); /* somebody else's, without one, and far ahead */
    assert_int_equal(take(c, "weir:{ttl:2}", "60000000.000", "60000000.000").allowed, 0);
    assert_in_range(integer(c, "PTTL", "weir:{ttl:2}"), 1, 60000);
    freeReplyObject(redisCommand(c, "SET weir:{ttl:3} rubbish"));
    assert_int_equal(take(c, "weir:{ttl:3}", "60000000.000", "60000000.000").allowed, 1);
    redisReply *keys = redisCommand(c, "KEYS *");
    for (size_t i = 0; i < keys->elements; i++)
        assert_int_not_equal(integer(c, "PTTL", keys->element[i]->str), -1);
    freeReplyObject(keys);
}

static _Atomic unsigned passed;

static void *
client(void *arg)
{
    redisContext *c = dial();
    for (int i = 0; i < 200; i++) {
        redisReply *r = redisCommand(c, "EVAL %s 1 weir:{many:1} 3600000000.000 90000000000.000", redis_script);
        passed += r->element[0]->integer == 1;
        freeReplyObject(r);
    }
    redisFree(c);
    return NULL;
}

static void
test_parallel_clients_never_exceed_the_limit(void **state)
{
    if (!*state)
        skip();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, client, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(passed, 25);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_then_refusal),
        cmocka_unit_test(test_odd_rates_keep_their_burst),
        cmocka_unit_test(test_every_key_gets_an_expiry),
        cmocka_unit_test(test_parallel_clients_never_exceed_the_limit),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
