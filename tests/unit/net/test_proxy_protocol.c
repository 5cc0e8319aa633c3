#include "../../../src/net/proxy_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(s) s, sizeof(s) - 1

/* In every piece from the front: not complete until it is, and what comes behind changes nothing. */
static ssize_t
parse(const char *p, size_t n, struct proxy_header *h, const char **error)
{
    ssize_t used = 0;

    for (size_t i = 0; i <= n; i++) {
        char *exact = malloc(i ? i : 1);
        const char *why = NULL;
        ssize_t r;

        memcpy(exact, p, i);
        r = proxy_protocol_parse(exact, i, h, &why);
        free(exact);
        assert_true(r <= (ssize_t)i);
        if (used) {
            assert_int_equal(r, used);
            if (r < 0)
                assert_string_equal(why, *error);
        }
        used = r;
        *error = why;
    }
    return used;
}

static void
assert_announces(const char *p, size_t n, const char *source, const char *destination)
{
    struct proxy_header h;
    const char *error = NULL;
    char text[ADDR_TEXT_MAX];
    char behind[8192];

    memcpy(behind, p, n);
    memcpy(behind + n, "GET / HTTP/1.1\r\n", 16);
    assert_int_equal(parse(behind, n + 16, &h, &error), n);
    assert_int_equal(h.known, source != NULL);
    if (!source)
        return;
    addr_format(&h.source, text);
    assert_string_equal(text, source);
    addr_format(&h.destination, text);
    assert_string_equal(text, destination);
}

static void
assert_refused(const char *p, size_t n, const char *why)
{
    struct proxy_header h;
    const char *error = "";

    assert_int_equal(parse(p, n, &h, &error), -1);
    if (!strstr(error, why))
        fail_msg("\"%s\" does not say \"%s\"", error, why);
}

static void
reads_version_1(void **state)
{
    assert_announces(BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"), "192.0.2.7:56324", "198.51.100.1:443");
    assert_announces(BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255:65535",
                     "255.255.255.255:65535");
    assert_announces(BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 0 0\r\n"), "192.0.2.7:0", "198.51.100.1:0");
    assert_announces(BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n"), "[2001:db8::1]:1", "[2001:db8::2]:2");
    assert_announces(BYTES("PROXY TCP6 2001:0db8:0000:0000:0000:0000:0000:0001 ::ffff:192.0.2.1 1 2\r\n"),
                     "[2001:db8::1]:1", "192.0.2.1:2");
    assert_announces(BYTES("PROXY UNKNOWN\r\n"), NULL, NULL);
    assert_announces(BYTES("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), NULL, NULL);
}

static void
refuses_what_is_not_version_1(void **state)
{
    static const struct {
        const char *line, *why;
    } cases[] = {
        { "GET / HTTP/1.1\r\n", "does not begin" },
        { " PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "does not begin" },
        { "PROXY\tTCP4 1.2.3.4 1.2.3.4 1 2\r\n", "does not begin" },
        { "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "does not begin" },
        { "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "CR LF" },
        { "PROXY \n", "CR LF" },
        { "PROXY \r\n", "family" },
        { "PROXY TCP 1.2.3.4 1.2.3.4 1 2\r\n", "family" },
        { "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "family" },
        { "PROXY TCP4\r\n", "source" },
        { "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "family" },
        { "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "source" },
        { "PROXY TCP4 ::1 1.2.3.4 1 2\r\n", "source" },
        { "PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n", "source" },
        { "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", "source" },
        { "PROXY TCP4 example 1.2.3.4 1 2\r\n", "source" },
        { "PROXY TCP6 1.2.3.4 ::1 1 2\r\n", "source" },
        { "PROXY TCP6 [::1] ::1 1 2\r\n", "source" },
        { "PROXY TCP6 fe80::1%1 ::1 1 2\r\n", "source" },
        { "PROXY TCP4 1.2.3.4 ::1 1 2\r\n", "destination" },
        { "PROXY TCP4 1.2.3.4 1.2.3.256 1 2\r\n", "destination" },
        { "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", "source's port" },
        { "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "source's port" },
        { "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", "source's port" },
        { "PROXY TCP4 1.2.3.4 1.2.3.4  2\r\n", "source's port" },
        { "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "destination's port" },
        { "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", "destination's port" },
        { "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "destination's port" },
        { "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n", "bare CR" },
        { "PROXY UNKNOWN a\rb\r\n", "bare CR" },
        { "PROXY UNKNOWNX\r\n", "family" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_refused(cases[i].line, strlen(cases[i].line), cases[i].why);
    assert_refused(BYTES("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n"), "source");
}

/* 107 bytes are the longest line there can be. */
static void
a_line_of_version_1_is_short(void **state)
{
    char line[200];

    memset(line, 'x', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    memcpy(line + 105, "\r\n", 2);
    assert_announces(line, 107, NULL, NULL);
    memcpy(line + 105, "x\r\n", 3);
    assert_refused(line, 108, "longer than 107");
    memset(line + 105, 'x', 3);
    assert_refused(line, sizeof(line), "longer than 107");
}

static size_t
v2(char *out, unsigned command, unsigned family, const char *rest, size_t n)
{
    memcpy(out, SIGNATURE, 12);
    out[12] = (char)command;
    out[13] = (char)family;
    out[14] = (char)(n >> 8);
    out[15] = (char)n;
    if (n)
        memcpy(out + 16, rest, n);
    return 16 + n;
}

#define IN "\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"
#define IN6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\0\x01\0\x02"

static void
reads_version_2(void **state)
{
    char out[8192], paths[216] = "/tmp/a";

    assert_announces(out, v2(out, 0x21, 0x11, BYTES(IN)), "192.0.2.7:56324", "198.51.100.1:443");
    assert_announces(out, v2(out, 0x21, 0x21, BYTES(IN6)), "[2001:db8::1]:1", "[2001:db8::2]:2");
    assert_announces(out, v2(out, 0x21, 0x31, paths, sizeof(paths)), "unix:", "unix:");
    assert_announces(out, v2(out, 0x21, 0x00, NULL, 0), NULL, NULL);
    assert_announces(out, v2(out, 0x20, 0x00, NULL, 0), NULL, NULL);
    /* LOCAL: whatever is in it */
    assert_announces(out, v2(out, 0x20, 0xff, BYTES(IN "\x03\0")), NULL, NULL);
    /* TLVs: an authority, an empty one, one of no known type */
    assert_announces(out, v2(out, 0x21, 0x11, BYTES(IN "\x02\0\x04host\x05\0\0\xe0\0\x01x")), "192.0.2.7:56324",
                     "198.51.100.1:443");
}

static void
version_2_may_be_sealed(void **state)
{
    /* Computed by other code, which gives e3069283 for "123456789" (the check value of CRC32c). */
    static const char sealed[] = IN "\x02\0\x04host\x03\0\x04\x16\x48\x7e\x60";
    char out[8192];
    size_t n = v2(out, 0x21, 0x11, BYTES(sealed));

    assert_announces(out, n, "192.0.2.7:56324", "198.51.100.1:443");
    for (size_t i = 0; i < n; i++) {
        struct proxy_header h;
        const char *error;

        if (i == n - 7) /* without its type it is no checksum */
            continue;
        out[i] ^= 1;
        assert_false(proxy_protocol_parse(out, n, &h, &error) == (ssize_t)n && h.known);
        out[i] ^= 1;
    }
    assert_refused(out, v2(out, 0x21, 0x11, BYTES(IN "\x03\0\x04zzzz")), "checksum is wrong");
    assert_refused(out, v2(out, 0x21, 0x11, BYTES(IN "\x03\0\x03zzz")), "not one checksum");
    assert_refused(out, v2(out, 0x21, 0x11, BYTES(IN "\x03\0\x05zzzzz")), "not one checksum");
}

static void
refuses_what_is_not_version_2(void **state)
{
    char out[8192], zeros[5000] = { 0 };

    assert_refused(BYTES("\r\n\r\n\0\r\nQUIT\r"), "does not begin");
    assert_refused(BYTES("\r\nGET"), "does not begin");
    assert_refused(out, v2(out, 0x11, 0x11, BYTES(IN)), "neither PROXY nor LOCAL");
    assert_refused(out, v2(out, 0x31, 0x11, BYTES(IN)), "neither PROXY nor LOCAL");
    assert_refused(out, v2(out, 0x22, 0x11, BYTES(IN)), "neither PROXY nor LOCAL");
    assert_refused(out, v2(out, 0x21, 0x12, BYTES(IN)), "family");
    assert_refused(out, v2(out, 0x21, 0x10, BYTES(IN)), "family");
    assert_refused(out, v2(out, 0x21, 0x01, BYTES(IN)), "family");
    assert_refused(out, v2(out, 0x21, 0x41, BYTES(IN)), "family");
    assert_refused(out, v2(out, 0x21, 0x11, IN, 11), "cut short");
    assert_refused(out, v2(out, 0x21, 0x21, IN6, 35), "cut short");
    assert_refused(out, v2(out, 0x21, 0x31, zeros, 215), "cut short");
    assert_refused(out, v2(out, 0x21, 0x11, BYTES(IN "\x02")), "TLV is cut short");
    assert_refused(out, v2(out, 0x21, 0x11, BYTES(IN "\x02\0")), "TLV is cut short");
    assert_refused(out, v2(out, 0x21, 0x11, BYTES(IN "\x02\0\x02x")), "TLV is longer");
    assert_refused(out, v2(out, 0x21, 0x11, BYTES(IN "\x02\xff\xffx")), "TLV is longer");
    assert_refused(out, v2(out, 0x20, 0x00, zeros, 4081), "longer than 4096");
    assert_announces(out, v2(out, 0x20, 0x00, zeros, 4080), NULL, NULL);
}

static struct addr
addr_of(const char *text)
{
    struct addr a;

    assert_int_equal(addr_parse(slice_str(text), &a, NULL), 0);
    return a;
}

/* What is written is what is read, and nothing is longer than was promised. */
static void
reads_what_it_writes(void **state)
{
    static const struct {
        const char *from, *to, *read_from, *read_to; /* NULL: not known */
    } rows[] = {
        { "192.0.2.7:56324", "198.51.100.1:443", "192.0.2.7:56324", "198.51.100.1:443" },
        { "255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255:65535" },
        { "[2001:db8::7]:1", "[2001:db8::1]:65535", "[2001:db8::7]:1", "[2001:db8::1]:65535" },
        { "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535",
          "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535" },
        { "192.0.2.7:0", "[2001:db8::1]:443", "[::ffff:192.0.2.7]:0", "[2001:db8::1]:443" },
        { "unix:/a", "192.0.2.7:1", NULL, NULL },
        { "192.0.2.7:1", "unix:/a", NULL, NULL },
        { NULL, "192.0.2.7:1", NULL, NULL },
    };

    for (unsigned i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
        const char *const *row = &rows[i / 2].from, *error = "";
        struct addr from = addr_of(row[0] ? row[0] : "unix:/"), to = addr_of(row[1]), expected;
        char out[PROXY_WRITTEN_MAX];
        struct proxy_header h = { 0 };
        size_t n = proxy_protocol_write(out, 1 + (int)(i % 2), row[0] ? &from : NULL, &to);

        assert_true(n <= sizeof(out));
        assert_int_equal(proxy_protocol_parse(out, n, &h, &error), n);
        assert_int_equal(h.known, row[2] != NULL);
        if (!row[2])
            continue;
        expected = addr_of(row[2]);
        assert_true(addr_equal(&h.source, &expected));
        expected = addr_of(row[3]);
        assert_true(addr_equal(&h.destination, &expected));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_version_1),
        cmocka_unit_test(reads_what_it_writes),
        cmocka_unit_test(refuses_what_is_not_version_1),
        cmocka_unit_test(a_line_of_version_1_is_short),
        cmocka_unit_test(reads_version_2),
        cmocka_unit_test(version_2_may_be_sealed),
        cmocka_unit_test(refuses_what_is_not_version_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
