#include "fixture.h"

#include "../../../src/upstream/names.h"

#include "../net/fake_dns.h"

static struct resolver *resolver;
static struct fake_dns *dns;

static bool
is_warm(void *c)
{
    return cluster_warm(c);
}

static void
a_name_becomes_endpoints(void **state)
{
    struct fixture f, g;
    struct cluster *c = fixture_cluster(&f, "endpoint localhost:9001 weight=3;"), *next;
    struct pick p = { 0 };
    struct endpoint_state *e;

    assert_false(cluster_healthy(c)); /* nothing is known yet */
    assert_null(cluster_pick(c, &p));
    cluster_start(c, resolver);
    assert_true(run_until(is_warm, c));
    assert_true(cluster_healthy(c));
    e = cluster_pick(c, &p);
    assert_non_null(e);
    assert_true(addr_is_loopback(&e->addr));
    assert_int_equal(addr_port(&e->addr), 9001);
    assert_string_equal(e->authority, "localhost:9001");
    assert_string_equal(e->host, "localhost");
    assert_int_equal(atomic_load(&e->weight), 3);
    assert_ptr_equal(cluster_endpoint(c, SLICE("localhost:9001")) != NULL, true);

    /* A reload begins with the answers there are: before it is started, even. */
    next = fixture_cluster(&g, "endpoint localhost:9001 weight=3; endpoint 127.0.0.1:9009;");
    assert_true(endpoint_set_has(next->priv->views[0].set, e));
    cluster_start(next, resolver);
    assert_true(cluster_warm(next));
    assert_false(atomic_load(&e->retired));
    cluster_stop(c);
    fixture_close(&f);
    assert_false(atomic_load(&e->retired));
    cluster_stop(next);
    fixture_close(&g);
    assert_true(atomic_load(&e->retired));
    endpoint_put(e);
}

static void
a_name_that_does_not_resolve_delays_nothing_else(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, "endpoint no-such-host.invalid:1; endpoint 127.0.0.1:9001;");
    struct pick p = { 0 };
    struct endpoint_state *e;

    cluster_start(c, resolver);
    e = cluster_pick(c, &p);
    assert_non_null(e);
    assert_string_equal(e->address, "127.0.0.1:9001");
    endpoint_put(e);
    cluster_stop(c);
    fixture_close(&f);
}

static void
the_same_address_counts_once(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, "endpoint 127.0.0.1:9001; endpoint localhost:9001;");
    const struct endpoint_set *set;
    unsigned i, v4 = 0;

    cluster_start(c, resolver);
    assert_true(run_until(is_warm, c));
    set = c->priv->views[0].set;
    for (i = 0; i < set->n; i++)
        v4 += strcmp(set->entries[i].e->address, "127.0.0.1:9001") == 0;
    assert_int_equal(v4, 1);
    cluster_stop(c);
    fixture_close(&f);
}

static bool
has(struct cluster *c, const char *address)
{
    return cluster_endpoint(c, slice_str(address)) != NULL;
}

static bool
has_the_third(void *c)
{
    return has(c, "10.0.0.3:80");
}

static void
a_changed_answer_changes_the_endpoints(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, "endpoint svc.test:80;");
    struct endpoint_state *gone, *kept;

    fake_dns_set(dns, (struct fake_answer){ .ttl = 1, .ipv4 = { "10.0.0.1", "10.0.0.2" } });
    cluster_start(c, resolver);
    assert_true(run_until(is_warm, c));
    gone = cluster_endpoint(c, SLICE("10.0.0.1:80"));
    kept = cluster_endpoint(c, SLICE("10.0.0.2:80"));
    assert_non_null(gone);
    assert_non_null(kept);
    endpoint_hold(gone);
    atomic_store(&kept->requests_total, 17);
    fake_dns_set(dns, (struct fake_answer){ .ttl = 1, .ipv4 = { "10.0.0.2", "10.0.0.3" } });
    assert_true(run_until(has_the_third, c));
    assert_false(has(c, "10.0.0.1:80"));
    assert_true(atomic_load(&gone->retired)); /* and its idle connections with it */
    assert_ptr_equal(cluster_endpoint(c, SLICE("10.0.0.2:80")), kept);
    assert_int_equal(atomic_load(&kept->requests_total), 17);
    /* A name that is no more keeps its last good answer. */
    fake_dns_set(dns, (struct fake_answer){ .rcode = FAKE_DNS_NXDOMAIN });
    run_for(1200 * MS);
    assert_true(has(c, "10.0.0.3:80"));
    endpoint_put(gone);
    cluster_stop(c);
    fixture_close(&f);
}

/* ---- workers get an answer by their mailboxes ---- */

static _Atomic unsigned seen;
static struct cluster *shared;

static void
look(void *arg)
{
    struct pick p = { 0 };
    struct endpoint_state *e = cluster_pick(shared, &p);

    if (e) {
        atomic_fetch_add(&seen, 1);
        endpoint_put(e);
    }
}

static bool
all_seen(void *arg)
{
    return atomic_load(&seen) >= 2;
}

static void
workers_get_answers(void **state)
{
    struct fixture f;

    assert_int_equal(workers_start(NULL, NULL), 0);
    shared = fixture_cluster(&f, "endpoint localhost:9001;");
    cluster_start(shared, resolver);
    assert_true(run_until(is_warm, shared));
    worker_post(1, look, NULL);
    worker_post(2, look, NULL);
    assert_true(run_until(all_seen, NULL));
    cluster_stop(shared);
    fixture_close(&f);
    workers_stop();
}

static int
setup(void **state)
{
    struct err e = { 0 };

    if (workers_init(2) < 0)
        return -1;
    dns = fake_dns_start();
    setenv("WEIR_DNS_SERVERS", dns->at, 1);
    resolver = resolver_new(service_loop(), &e);
    return resolver ? 0 : -1;
}

static int
teardown(void **state)
{
    resolver_free(resolver);
    workers_fini();
    fake_dns_stop(dns);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_becomes_endpoints),
        cmocka_unit_test(a_name_that_does_not_resolve_delays_nothing_else),
        cmocka_unit_test(the_same_address_counts_once),
        cmocka_unit_test(a_changed_answer_changes_the_endpoints),
        cmocka_unit_test(workers_get_answers),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
