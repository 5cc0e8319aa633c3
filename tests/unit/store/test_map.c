#include "../../../src/store/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

/* From the Redis Cluster specification and CLUSTER KEYSLOT of a server. */
static void
test_slots(void **state)
{
    assert_int_equal(map_slot(SLICE("123456789")), 0x31C3);
    assert_int_equal(map_slot(SLICE("")), 0);
    assert_int_equal(map_slot(SLICE("foo")), 12182);
    assert_int_equal(map_slot(SLICE("{user1000}.following")), map_slot(SLICE("user1000")));
    assert_int_equal(map_slot(SLICE("foo{{bar}}zap")), map_slot(SLICE("{bar")));
    assert_int_equal(map_slot(SLICE("foo{bar}{zap}")), map_slot(SLICE("bar")));
    /* An empty or open tag is none. */
    assert_int_not_equal(map_slot(SLICE("foo{}{bar}")), map_slot(SLICE("bar")));
    assert_int_not_equal(map_slot(SLICE("foo{}{bar}")), map_slot(SLICE("")));
    assert_int_not_equal(map_slot(SLICE("foo{bar")), map_slot(SLICE("bar")));
}

static struct addr
address(unsigned port)
{
    struct addr a;

    assert_int_equal(addr_parse_ip(SLICE("10.0.0.1"), &a), 0);
    addr_set_port(&a, (uint16_t)port);
    return a;
}

static void
test_nodes(void **state)
{
    struct store_map *m = map_new_cluster(), *other = map_new_cluster();
    struct addr a;

    for (unsigned i = 0; i < MAP_NODES_MAX; i++) {
        a = address(7000 + i);
        assert_int_equal(map_node(m, &a), i);
        assert_int_equal(map_node(other, &a), i);
    }
    a = address(7003);
    assert_int_equal(map_node(m, &a), 3);
    a = address(9);
    assert_int_equal(map_node(m, &a), -1);
    assert_true(map_equal(m, other));
    m->slots[5] = 1;
    assert_false(map_equal(m, other));
    assert_false(map_equal(m, NULL));
    map_put(m);
    map_put(other);
    m = map_new_single(&a, 1);
    map_hold(m);
    map_put(m);
    assert_int_equal(m->n, 1);
    map_put(m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_nodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
