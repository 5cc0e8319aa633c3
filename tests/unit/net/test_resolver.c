#include "../../../src/net/resolver.h"
#include "../../../src/base/log.h"
#include "fake_dns.h"

struct seen {
    unsigned calls;
    unsigned n;
    struct addr addrs[RESOLVER_ADDRS_MAX];
    char error[160];
    struct resolver_watch *free_inside;
};

static struct loop *loop;
static struct resolver *resolver;
static struct fake_dns *dns;

static int
setup(void **state)
{
    struct err e = { 0 };

    log_set_level(LOG_LVL_ERROR);
    dns = fake_dns_start();
    setenv("WEIR_DNS_SERVERS", dns->at, 1);
    loop = loop_new("test");
    resolver = resolver_new(loop, &e);
    return resolver ? 0 : -1;
}

static int
teardown(void **state)
{
    resolver_free(resolver);
    loop_free(loop);
    fake_dns_stop(dns);
    return 0;
}

static void
on_change(const struct addr *addrs, unsigned n, const char *error, void *arg)
{
    struct seen *s = arg;

    s->calls++;
    s->n = n;
    if (n)
        memcpy(s->addrs, addrs, n * sizeof(addrs[0]));
    snprintf(s->error, sizeof(s->error), "%s", error ? error : "");
    assert_true((n == 0) == (error != NULL));
    if (s->free_inside)
        resolver_watch_free(s->free_inside);
    s->free_inside = NULL;
}

static bool
called(void *arg)
{
    return ((struct seen *)arg)->calls != 0;
}

static bool
called_twice(void *arg)
{
    return ((struct seen *)arg)->calls >= 2;
}

static void
assert_addr(const struct addr *a, const char *text)
{
    char out[ADDR_TEXT_MAX];

    addr_format(a, out);
    assert_string_equal(out, text);
}

static struct resolver_watch *
watch(struct seen *s)
{
    return resolver_watch_new(resolver, SLICE("svc.test"), 8080, on_change, s);
}

static void
resolves_both_families_sorted(void **state)
{
    struct seen s = { 0 };
    struct resolver_watch *w;

    fake_dns_set(
        dns, (struct fake_answer){ .ttl = 30, .ipv4 = { "10.0.0.2", "10.0.0.1", "10.0.0.2" }, .ipv6 = { "fd00::1" } });
    w = watch(&s);
    assert_int_equal(s.calls, 0);
    lab_run(loop, called, &s);
    assert_int_equal(s.n, 3);
    assert_addr(&s.addrs[0], "10.0.0.1:8080");
    assert_addr(&s.addrs[1], "10.0.0.2:8080");
    assert_addr(&s.addrs[2], "[fd00::1]:8080");
    resolver_watch_free(w);
}

static void
follows_the_ttl_and_tells_changes_only(void **state)
{
    struct seen s = { 0 };
    struct resolver_watch *w;
    unsigned before;

    fake_dns_set(dns, (struct fake_answer){ .ttl = 0, .ipv4 = { "10.0.0.1", "10.0.0.2" } });
    w = watch(&s);
    lab_run(loop, called, &s);
    before = fake_dns_queries(dns);
    fake_dns_set(dns, (struct fake_answer){ .ttl = 0, .ipv4 = { "10.0.0.2", "10.0.0.1" } });
    assert_false(lab_run_for(loop, called_twice, &s, 1500 * NSEC_PER_MSEC)); /* asked again, same set */
    assert_true(fake_dns_queries(dns) > before);
    assert_true(fake_dns_queries(dns) <= before + 4);
    fake_dns_set(dns, (struct fake_answer){ .ttl = 0, .ipv4 = { "10.0.0.3" } });
    lab_run(loop, called_twice, &s);
    assert_int_equal(s.n, 1);
    assert_addr(&s.addrs[0], "10.0.0.3:8080");
    resolver_watch_free(w);
}

static bool
asked_more(void *arg)
{
    return fake_dns_queries(dns) > *(unsigned *)arg;
}

static void
keeps_the_last_good_answer(void **state)
{
    struct seen s = { 0 }, late = { 0 };
    struct resolver_watch *w, *w2;
    unsigned before;

    fake_dns_set(dns, (struct fake_answer){ .ttl = 1, .ipv4 = { "10.0.0.1" } });
    w = watch(&s);
    lab_run(loop, called, &s);
    fake_dns_set(dns, (struct fake_answer){ .rcode = FAKE_DNS_NXDOMAIN });
    before = fake_dns_queries(dns) + 1;
    lab_run(loop, asked_more, &before);
    assert_false(lab_run_for(loop, called_twice, &s, 50 * NSEC_PER_MSEC));
    w2 = watch(&late); /* a newcomer gets it too */
    lab_run(loop, called, &late);
    assert_int_equal(late.n, 1);
    fake_dns_set(dns, (struct fake_answer){ .ttl = 1, .ipv4 = { "10.0.0.9" } });
    lab_run(loop, called_twice, &s);
    assert_addr(&s.addrs[0], "10.0.0.9:8080");
    resolver_watch_free(w);
    resolver_watch_free(w2);
}

static void
tells_each_failure_until_it_resolves(void **state)
{
    struct seen s = { 0 };
    struct resolver_watch *w;

    fake_dns_set(dns, (struct fake_answer){ .rcode = FAKE_DNS_NXDOMAIN });
    w = watch(&s);
    lab_run(loop, called, &s);
    assert_int_equal(s.n, 0);
    assert_non_null(strstr(s.error, "not found"));
    lab_run(loop, called_twice, &s);
    assert_int_equal(s.n, 0);
    fake_dns_set(dns, (struct fake_answer){ .ttl = 1, .ipv4 = { "10.0.0.1" } });
    s.calls = 0;
    lab_run(loop, called, &s);
    assert_int_equal(s.n, 1);
    resolver_watch_free(w);
}

static void
no_data_is_a_failure(void **state)
{
    struct seen s = { 0 };
    struct resolver_watch *w;

    fake_dns_set(dns, (struct fake_answer){ .ttl = 5 });
    w = watch(&s);
    lab_run(loop, called, &s);
    assert_int_equal(s.n, 0);
    assert_true(s.error[0]);
    resolver_watch_free(w);
}

static void
long_answers_come_by_tcp_and_are_capped(void **state)
{
    struct seen s = { 0 };
    struct resolver_watch *w;

    fake_dns_set(dns, (struct fake_answer){ .ttl = 30, .many = 300, .truncate = true });
    w = watch(&s);
    lab_run(loop, called, &s);
    assert_int_equal(s.n, RESOLVER_ADDRS_MAX);
    assert_addr(&s.addrs[0], "10.9.0.0:8080");
    resolver_watch_free(w);
}

static void
names_are_absolute(void **state)
{
    struct seen s = { 0 };
    struct resolver_watch *w = resolver_watch_new(resolver, SLICE("short"), 1, on_change, &s);

    fake_dns_set(dns, (struct fake_answer){ .rcode = FAKE_DNS_NXDOMAIN });
    lab_run(loop, called, &s);
    pthread_mutex_lock(&dns->lock);
    assert_string_equal(dns->odd, "short");
    assert_string_equal(dns->asked, "short");
    pthread_mutex_unlock(&dns->lock);
    resolver_watch_free(w);
}

/* A hosts file of our own, until hosts_fini. */
static void
hosts_init(char *path, const char *text)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    setenv("CARES_HOSTS", path, 1);
}

static void
hosts_fini(const char *path)
{
    unsetenv("CARES_HOSTS");
    unlink(path);
}

static void
localhost_needs_no_dns(void **state)
{
    char path[] = "/tmp/test_resolver.XXXXXX";
    struct seen s = { 0 };
    struct resolver_watch *w;

    hosts_init(path, "127.0.0.1 localhost\n");
    w = resolver_watch_new(resolver, SLICE("localhost"), 9001, on_change, &s);
    lab_run(loop, called, &s);
    assert_true(s.n >= 1);
    for (unsigned i = 0; i < s.n; i++)
        assert_true(addr_is_loopback(&s.addrs[i]));
    assert_addr(&s.addrs[0], "127.0.0.1:9001");
    assert_int_equal(fake_dns_queries(dns), 0);
    resolver_watch_free(w);
    hosts_fini(path);
}

static void
the_hosts_file_goes_first(void **state)
{
    char path[] = "/tmp/test_resolver.XXXXXX";
    struct seen s = { 0 };
    struct resolver_watch *w;

    hosts_init(path, "192.0.2.7 svc.test\n");
    fake_dns_set(dns, (struct fake_answer){ .ttl = 5, .ipv4 = { "10.0.0.1" } });
    w = watch(&s);
    lab_run(loop, called, &s);
    assert_int_equal(s.n, 1);
    assert_addr(&s.addrs[0], "192.0.2.7:8080");
    resolver_watch_free(w);
    hosts_fini(path);
}

static void
addresses_are_names_too(void **state)
{
    struct seen s = { 0 };
    struct resolver_watch *w = resolver_watch_new(resolver, SLICE("192.0.2.1"), 80, on_change, &s);

    lab_run(loop, called, &s);
    assert_int_equal(s.n, 1);
    assert_addr(&s.addrs[0], "192.0.2.1:80");
    assert_int_equal(fake_dns_queries(dns), 0);
    resolver_watch_free(w);
}

static void
watches_of_one_name_share_queries(void **state)
{
    struct seen a = { 0 }, b = { 0 };
    struct resolver_watch *wa, *wb;

    fake_dns_set(dns, (struct fake_answer){ .ttl = 30, .ipv4 = { "10.0.0.1" } });
    wa = watch(&a);
    wb = resolver_watch_new(resolver, SLICE("SVC.test"), 81, on_change, &b);
    lab_run(loop, called, &a);
    lab_run(loop, called, &b);
    assert_addr(&a.addrs[0], "10.0.0.1:8080");
    assert_addr(&b.addrs[0], "10.0.0.1:81");
    assert_int_equal(fake_dns_queries(dns), 2); /* A and AAAA */
    resolver_watch_free(wa);
    resolver_watch_free(wb);
}

static void
a_watch_may_go_in_its_own_callback_or_before_the_answer(void **state)
{
    struct seen a = { 0 }, b = { 0 }, gone = { 0 };
    struct resolver_watch *wb;

    fake_dns_set(dns, (struct fake_answer){ .ttl = 1, .ipv4 = { "10.0.0.1" } });
    resolver_watch_free(watch(&gone));
    a.free_inside = watch(&a);
    wb = watch(&b);
    b.free_inside = wb;
    lab_run(loop, called, &a);
    lab_run(loop, called, &b);
    assert_int_equal(gone.calls, 0);
    a.calls = 0;
    fake_dns_set(dns, (struct fake_answer){ .ttl = 1, .ipv4 = { "10.0.0.2" } });
    assert_false(lab_run_for(loop, called, &a, 1300 * NSEC_PER_MSEC));
}

static void
looks_up_once(void **state)
{
    struct seen s = { 0 };

    fake_dns_set(dns, (struct fake_answer){ .ttl = 1, .ipv4 = { "10.0.0.1" } });
    resolver_lookup(resolver, SLICE("svc.test"), 443, NSEC_PER_SEC, on_change, &s);
    assert_int_equal(s.calls, 0);
    lab_run(loop, called, &s);
    assert_addr(&s.addrs[0], "10.0.0.1:443");
    fake_dns_set(dns, (struct fake_answer){ .ttl = 1, .ipv4 = { "10.0.0.2" } });
    assert_false(lab_run_for(loop, called_twice, &s, 1300 * NSEC_PER_MSEC));
}

static void
a_lookup_has_a_deadline(void **state)
{
    struct seen s = { 0 };
    nsec_t began;

    fake_dns_set(dns, (struct fake_answer){ .silent = true });
    began = clock_precise();
    resolver_lookup(resolver, SLICE("svc.test"), 443, 100 * NSEC_PER_MSEC, on_change, &s);
    lab_run(loop, called, &s);
    assert_int_equal(s.n, 0);
    assert_non_null(strstr(s.error, "in time"));
    assert_true(clock_precise() - began < 1500 * NSEC_PER_MSEC);
}

static void
a_lookup_may_be_cancelled_and_is_told_of_the_end(void **state)
{
    struct seen a = { 0 }, b = { 0 };

    fake_dns_set(dns, (struct fake_answer){ .silent = true });
    resolver_lookup_cancel(resolver_lookup(resolver, SLICE("svc.test"), 443, NSEC_PER_SEC, on_change, &a));
    resolver_lookup(resolver, SLICE("svc.test"), 443, NSEC_PER_SEC, on_change, &b);
    assert_false(lab_run_for(loop, called, &b, 20 * NSEC_PER_MSEC));
    resolver_free(resolver);
    resolver = NULL;
    assert_int_equal(a.calls, 0);
    assert_int_equal(b.calls, 1);
}

static void
wrong_servers_are_refused(void **state)
{
    struct err e = { 0 };

    setenv("WEIR_DNS_SERVERS", "nonsense:x", 1);
    assert_null(resolver_new(loop, &e));
    assert_non_null(strstr(e.text, "WEIR_DNS_SERVERS=nonsense:x"));
}

#define on_loop(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        on_loop(resolves_both_families_sorted),
        on_loop(follows_the_ttl_and_tells_changes_only),
        on_loop(keeps_the_last_good_answer),
        on_loop(tells_each_failure_until_it_resolves),
        on_loop(no_data_is_a_failure),
        on_loop(long_answers_come_by_tcp_and_are_capped),
        on_loop(names_are_absolute),
        on_loop(localhost_needs_no_dns),
        on_loop(the_hosts_file_goes_first),
        on_loop(addresses_are_names_too),
        on_loop(watches_of_one_name_share_queries),
        on_loop(a_watch_may_go_in_its_own_callback_or_before_the_answer),
        on_loop(looks_up_once),
        on_loop(a_lookup_has_a_deadline),
        on_loop(a_lookup_may_be_cancelled_and_is_told_of_the_end),
        on_loop(wrong_servers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
