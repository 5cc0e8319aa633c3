#include "../../../src/net/client_count.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct addr
ip(const char *text)
{
    struct addr a;

    assert_int_equal(addr_parse_ip(slice_of(text, strlen(text)), &a), 0);
    return a;
}

/* The entry, or NULL when there is no room. */
static struct client_count *
take(struct client_counts *t, const char *text, unsigned max)
{
    struct addr a = ip(text);
    struct client_count *c;
    bool room = client_count_take(t, &a, max, &c);

    assert_int_equal(room, c != NULL);
    return c;
}

static void
test_the_limit_and_one_more(void **state)
{
    struct client_counts *t = client_counts_new();
    struct client_count *c[3], *other;

    for (int i = 0; i < 3; i++)
        assert_non_null(c[i] = take(t, "10.0.0.1", 3));
    assert_null(take(t, "10.0.0.1", 3));
    assert_null(take(t, "::ffff:10.0.0.1", 3));
    assert_non_null(other = take(t, "10.0.0.2", 3));
    assert_int_equal(client_counts_addresses(t), 2);
    client_count_give(c[0]);
    assert_non_null(c[0] = take(t, "10.0.0.1", 3));
    assert_null(take(t, "10.0.0.1", 2)); /* a limit that was lowered */
    for (int i = 0; i < 3; i++)
        client_count_give(c[i]);
    assert_int_equal(client_counts_addresses(t), 1);
    client_count_give(other);
    client_count_give(NULL);
    client_counts_free(t);
}

static void
test_ipv6_by_its_network(void **state)
{
    struct client_counts *t = client_counts_new();
    struct client_count *c[5];

    assert_non_null(c[0] = take(t, "2001:db8:1:2::1", 2));
    assert_non_null(c[1] = take(t, "2001:db8:1:2:ffff::9", 2));
    assert_null(take(t, "2001:db8:1:2:3:4:5:6", 2));
    assert_non_null(c[2] = take(t, "2001:db8:1:3::1", 2));
    /* The bytes of 10.0.0.1, as the start of an IPv6 address. */
    assert_non_null(c[3] = take(t, "10.0.0.1", 1));
    assert_non_null(c[4] = take(t, "a00:1::", 1));
    for (int i = 0; i < 5; i++)
        client_count_give(c[i]);
    client_counts_free(t);
}

static void
test_a_unix_peer_is_not_counted(void **state)
{
    struct client_counts *t = client_counts_new();
    struct addr a = { .len = sizeof(sa_family_t), .u.sa.sa_family = AF_UNIX };
    struct client_count *c;

    for (int i = 0; i < 5; i++) {
        assert_true(client_count_take(t, &a, 1, &c));
        assert_null(c);
    }
    assert_int_equal(client_counts_addresses(t), 0);
    client_counts_free(t);
}

static void
test_many_addresses(void **state)
{
    static struct client_count *c[5000];
    struct client_counts *t = client_counts_new();
    char text[32];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5000; i++) {
            snprintf(text, sizeof(text), "10.%d.%d.1", i / 250, i % 250);
            assert_non_null(c[i] = take(t, text, 1));
            assert_null(take(t, text, 1));
        }
        assert_int_equal(client_counts_addresses(t), 5000);
        for (int i = 0; i < 5000; i++)
            client_count_give(c[(i * 7) % 5000]);
        assert_int_equal(client_counts_addresses(t), 0);
    }
    client_counts_free(t);
}

static void *
hammer(void *arg)
{
    struct addr a = ip("10.0.0.1");
    struct client_count *c;
    uintptr_t most = 0;

    for (int i = 0; i < 20000; i++) {
        if (client_count_take(arg, &a, 2, &c))
            client_count_give(c);
        else
            most++;
    }
    return (void *)most;
}

static void
test_threads(void **state)
{
    struct client_counts *t = client_counts_new();
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, t), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(client_counts_addresses(t), 0);
    client_counts_free(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_limit_and_one_more), cmocka_unit_test(test_ipv6_by_its_network),
        cmocka_unit_test(test_a_unix_peer_is_not_counted), cmocka_unit_test(test_many_addresses),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
