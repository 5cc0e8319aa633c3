#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cache.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct weir_str
str(const char *s)
{
    return (struct weir_str){ s, strlen(s) };
}

static struct verified *
add(struct cache *c, const char *token, uint64_t hash, uint64_t version, int64_t until)
{
    struct verified *v = verified_new(str(token), json_object(), 0);
    v->hash = hash;
    v->version = version;
    v->from = 0;
    v->until = until;
    cache_add(c, v);
    verified_put(v);
    return v;
}

static bool
has(struct cache *c, const char *token, uint64_t hash, uint64_t version, int64_t now)
{
    struct verified *v = cache_get(c, hash, str(token), version, now);
    if (v)
        assert_memory_equal(v->token, token, v->n);
    verified_put(v);
    return v != NULL;
}

static void
test_finds_the_same_token_only(void **state)
{
    struct cache *c = cache_new(64);
    assert_false(has(c, "token", 5, 1, 10));
    add(c, "token", 5, 1, 100);
    assert_true(has(c, "token", 5, 1, 10));
    assert_false(has(c, "tokeN", 5, 1, 10)); /* the hash alone says nothing */
    assert_false(has(c, "token1", 5, 1, 10));
    assert_false(has(c, "token", 6, 1, 10));
    cache_free(c);
}

static void
test_time_and_keys_end_it(void **state)
{
    struct cache *c = cache_new(64);
    add(c, "a", 5, 1, 100);
    assert_true(has(c, "a", 5, 1, 99));
    assert_false(has(c, "a", 5, 1, 100));
    assert_false(has(c, "a", 5, 1, 10)); /* it is gone */
    add(c, "a", 5, 1, 100);
    assert_false(has(c, "a", 5, 2, 10));
    assert_false(has(c, "a", 5, 1, 10));
    add(c, "a", 5, 1, 100)->from = 50;
    assert_false(has(c, "a", 5, 1, 49));
    cache_free(c);
}

static void
test_least_recently_used_leaves(void **state)
{
    struct cache *c = cache_new(8); /* one set */
    char name[8];
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        add(c, name, (uint64_t)i, 1, 100);
    }
    assert_true(has(c, "t0", 0, 1, 1));
    add(c, "t8", 8, 1, 100);
    assert_false(has(c, "t1", 1, 1, 1));
    assert_true(has(c, "t0", 0, 1, 1));
    assert_true(has(c, "t8", 8, 1, 1));
    /* One entry for one token, however often it is added. */
    for (int i = 0; i < 20; i++)
        add(c, "t8", 8, 1, 100);
    assert_true(has(c, "t2", 2, 1, 1));
    assert_true(has(c, "t7", 7, 1, 1));
    cache_free(c);
}

/* `n` tokens in turn, `rounds` times; how many of them were found. */
static unsigned
in_turn(struct cache *c, unsigned first, unsigned n, unsigned rounds)
{
    unsigned found = 0;
    char name[16];
    for (unsigned i = 0; i < n * rounds; i++) {
        unsigned k = first + i % n;
        snprintf(name, sizeof(name), "t%u", k);
        if (has(c, name, k, 1, 1))
            found++;
        else
            add(c, name, k, 1, 100);
    }
    return found;
}

static void
test_more_in_turn_than_there_is_room_for(void **state)
{
    struct cache *c = cache_new(8); /* one set */
    unsigned found = in_turn(c, 0, 20, 100);
    assert_in_range(found, 2000 * 20 / 100, 2000 * 8 / 20); /* the best there is: 8 of 20 */
    /* Those whom nobody uses any more give way to others. */
    in_turn(c, 100, 8, 40);
    assert_int_equal(in_turn(c, 100, 8, 1), 8);
    cache_free(c);
}

static void
test_an_entry_outlives_its_cache(void **state)
{
    struct cache *c = cache_new(8);
    add(c, "a", 5, 1, 100);
    struct verified *v = cache_get(c, 5, str("a"), 1, 1);
    cache_free(c);
    assert_memory_equal(v->token, "a", 1);
    verified_put(v);
}

static struct cache *shared;

static void *
hammer(void *arg)
{
    char name[16];
    for (unsigned i = 0; i < 20000; i++) {
        unsigned k = (i * 7 + *(unsigned *)arg) % 24;
        snprintf(name, sizeof(name), "token%u", k);
        if (!has(shared, name, k, i / 4096, 1))
            add(shared, name, k, i / 4096, 100);
    }
    return NULL;
}

static void
test_threads(void **state)
{
    pthread_t threads[4];
    unsigned seeds[] = { 1, 2, 3, 4 };
    shared = cache_new(16);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, hammer, &seeds[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    cache_free(shared);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_the_same_token_only),  cmocka_unit_test(test_time_and_keys_end_it),
        cmocka_unit_test(test_least_recently_used_leaves), cmocka_unit_test(test_an_entry_outlives_its_cache),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_more_in_turn_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
