#include "../../../src/net/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void
assert_round(const char *text, const char *ip, int port)
{
    struct addr a;
    struct err e = { 0 };
    char out[ADDR_TEXT_MAX];

    assert_int_equal(addr_parse(slice_str(text), &a, &e), 0);
    assert_int_equal(addr_format(&a, out), strlen(text));
    assert_string_equal(out, text);
    assert_int_equal(addr_format_ip(&a, out), strlen(ip));
    assert_string_equal(out, ip);
    assert_int_equal(addr_port(&a), port);
}

static void
parses_and_formats(void **state)
{
    assert_round("0.0.0.0:80", "0.0.0.0", 80);
    assert_round("127.0.0.1:65535", "127.0.0.1", 65535);
    assert_round("10.1.2.3:0", "10.1.2.3", 0);
    assert_round("255.100.99.9:10", "255.100.99.9", 10);
    assert_round("[::1]:8443", "::1", 8443);
    assert_round("[2001:db8::5]:1", "2001:db8::5", 1);
    assert_round("[::]:80", "::", 80);
    assert_round("unix:/run/weir/admin.sock", "unix", -1);
}

static void
refuses(const char *text, const char *why)
{
    struct addr a;
    struct err e = { 0 };

    assert_int_equal(addr_parse(slice_str(text), &a, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    if (!strstr(e.text, why))
        fail_msg("\"%s\": \"%s\" does not say \"%s\"", text, e.text, why);
}

static void
refuses_what_is_no_address(void **state)
{
    char path[160] = "unix:/";

    refuses("", "not an IP");
    refuses("127.0.0.1", "no port");
    refuses("127.0.0.1:", "no port");
    refuses("127.0.0.1:65536", "not a port");
    refuses("127.0.0.1:-1", "not a port");
    refuses("127.0.0.1: 80", "not a port");
    refuses("127.0.0.1:8o", "not a port");
    refuses("127.0.0.256:80", "not an IP");
    refuses("127.1:80", "not an IP");
    refuses("localhost:80", "not an IP");
    refuses(":80", "not an IP");
    refuses("::1:80", "[ADDRESS]:PORT");
    refuses("[::1]80", "not an IP");
    refuses("[::1]", "no port");
    refuses("[127.0.0.1]:80", "not an IP");
    refuses("unix:", "absolute path");
    refuses("unix:relative", "absolute path");
    memset(path + 6, 'x', 107);
    refuses(path, "at most 107");
}

static void
longest_unix_path_fits(void **state)
{
    char path[160] = "unix:/", out[ADDR_TEXT_MAX];
    struct addr a, b;
    struct sockaddr_storage sa;

    memset(path + 6, 'x', 106);
    assert_int_equal(addr_parse(slice_str(path), &a, NULL), 0);
    addr_format(&a, out);
    assert_string_equal(out, path);
    assert_int_equal(addr_sockaddr(&a, &sa), offsetof(struct sockaddr_un, sun_path) + 108);
    assert_int_equal(addr_parse(slice_str(path), &b, NULL), 0);
    assert_ptr_equal(a.path, b.path);
    path[20] = 'y';
    assert_int_equal(addr_parse(slice_str(path), &b, NULL), 0);
    assert_false(addr_equal(&a, &b));
}

static void
mapped_addresses_read_as_ipv4(void **state)
{
    struct addr a;
    char out[ADDR_TEXT_MAX];

    assert_int_equal(addr_parse(SLICE("[::ffff:10.0.0.1]:80"), &a, NULL), 0);
    addr_format_ip(&a, out);
    assert_string_equal(out, "10.0.0.1");
    addr_format(&a, out);
    assert_string_equal(out, "10.0.0.1:80");
}

static struct addr
ip(const char *text)
{
    struct addr a;

    assert_int_equal(addr_parse_ip(slice_str(text), &a), 0);
    return a;
}

static void
compares(void **state)
{
    struct addr a = ip("10.0.0.1"), b = ip("10.0.0.2"), c = ip("::1"), none = { 0 };

    assert_true(addr_compare(&a, &b) < 0);
    assert_true(addr_compare(&b, &a) > 0);
    assert_true(addr_compare(&b, &c) < 0);
    assert_true(addr_compare(&none, &a) < 0);
    assert_int_equal(addr_compare(&none, &none), 0);
    addr_set_port(&a, 80);
    b = a;
    assert_true(addr_equal(&a, &b));
    addr_set_port(&b, 81);
    assert_true(addr_compare(&a, &b) < 0);
}

static void
knows_loopback(void **state)
{
    struct addr a = ip("127.8.9.1"), b = ip("::1"), c = ip("::ffff:127.0.0.1"), d = ip("128.0.0.1"), e = ip("::2"), f;

    assert_int_equal(addr_parse(SLICE("unix:/x"), &f, NULL), 0);
    assert_true(addr_is_loopback(&a) && addr_is_loopback(&b) && addr_is_loopback(&c) && addr_is_loopback(&f));
    assert_false(addr_is_loopback(&d) || addr_is_loopback(&e));
}

static bool
within(const char *net, const char *address)
{
    struct cidr c;
    struct addr a = ip(address);

    assert_int_equal(cidr_parse(slice_str(net), &c), 0);
    return cidr_match(&c, 1, &a);
}

static void
cidrs_match(void **state)
{
    assert_true(within("10.0.0.0/8", "10.255.0.1"));
    assert_false(within("10.0.0.0/8", "11.0.0.0"));
    assert_true(within("10.0.0.0/8", "::ffff:10.1.1.1"));
    assert_true(within("10.1.2.3/8", "10.9.9.9"));
    assert_true(within("192.168.4.0/22", "192.168.7.255"));
    assert_false(within("192.168.4.0/22", "192.168.8.0"));
    assert_true(within("192.0.2.1", "192.0.2.1"));
    assert_false(within("192.0.2.1", "192.0.2.2"));
    assert_true(within("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(within("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(within("::1", "::1"));
    assert_true(within("0.0.0.0/0", "203.0.113.9"));
    assert_false(within("0.0.0.0/0", "2001:db8::1"));
    assert_true(within("::/0", "2001:db8::1"));
    assert_false(within("::/0", "203.0.113.9"));
}

static void
cidr_sets_and_unix(void **state)
{
    struct cidr set[2];
    struct addr a = ip("fd00::9"), u;

    assert_int_equal(cidr_parse(SLICE("10.0.0.0/8"), &set[0]), 0);
    assert_int_equal(cidr_parse(SLICE("fd00::/8"), &set[1]), 0);
    assert_true(cidr_match(set, 2, &a));
    assert_false(cidr_match(set, 1, &a));
    assert_false(cidr_match(NULL, 0, &a));
    assert_int_equal(addr_parse(SLICE("unix:/x"), &u, NULL), 0);
    assert_false(cidr_match(set, 2, &u));
}

static void
refuses_what_is_no_cidr(void **state)
{
    static const char *const bad[] = { "",       "/8",       "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8",
                                       "::/129", "10.0.0/8", "host/8",    "10.0.0.0 /8" };
    struct cidr c;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (cidr_parse(slice_str(bad[i]), &c) == 0)
            fail_msg("\"%s\" was taken", bad[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_and_formats),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(longest_unix_path_fits),
        cmocka_unit_test(mapped_addresses_read_as_ipv4),
        cmocka_unit_test(compares),
        cmocka_unit_test(knows_loopback),
        cmocka_unit_test(cidrs_match),
        cmocka_unit_test(cidr_sets_and_unix),
        cmocka_unit_test(refuses_what_is_no_cidr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
