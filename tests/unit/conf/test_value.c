#include "fixture.h"

/* One directive of a type, with bounds; its line in a configuration of that one line. NULL when it is refused. */
static struct conf *
load_typed(enum weir_type type, int64_t min, int64_t max, const char *value)
{
    static struct weir_arg args[2];
    static struct weir_directive rows[2];
    struct conf *c = conf_new();
    char text[512];

    args[0] = (struct weir_arg){ "X", type, min, max, "one|two|three" };
    rows[0] = (struct weir_directive){ "x", "main", args };
    conf_add_rows(c, rows, NULL, NULL);
    snprintf(text, sizeof(text), "x %s;", value);
    conf_parse_text(c, "t", slice_str(text));
    conf_check(c);
    return c;
}

static void
good_int(enum weir_type type, int64_t min, int64_t max, const char *value, int64_t want)
{
    struct conf *c = load_typed(type, min, max, value);

    if (conf_errors(c))
        fail_msg("refused: %s", value);
    assert_int_equal(conf_get_int(conf_root(c), "x"), want);
    conf_free(c);
}

static void
good(enum weir_type type, const char *value)
{
    struct conf *c = load_typed(type, 0, 0, value);

    if (conf_errors(c))
        fail_msg("refused: %s", value);
    conf_free(c);
}

static void
bad(enum weir_type type, int64_t min, int64_t max, const char *value, const char *why)
{
    char *told = fixture_told(load_typed(type, min, max, value));

    if (!strstr(told, why))
        fail_msg("of %s is not told: %s\ntold:\n%s", value, why, told);
    free(told);
}

static void
test_whole_numbers(void **state)
{
    (void)state;
    good_int(WEIR_T_INT, 0, 0, "0", 0);
    good_int(WEIR_T_INT, 0, 0, "9223372036854775807", INT64_MAX);
    good_int(WEIR_T_INT, 1, 64, "64", 64);
    good_int(WEIR_T_INT, -5, 5, "-5", -5);
    good_int(WEIR_T_INT, 3, 0, "99999", 99999); /* no upper bound */
    bad(WEIR_T_INT, 0, 0, "9223372036854775808", "is not a whole number");
    bad(WEIR_T_INT, 0, 0, "-1", "`-1` is not a whole number");
    bad(WEIR_T_INT, 0, 0, "5x", "`5x` is not a whole number");
    bad(WEIR_T_INT, 0, 0, "\"\"", "`` is not a whole number");
    bad(WEIR_T_INT, 1, 64, "65", "`65` is too large\nx 65;\n  ^\n  it goes from 1 to 64\n");
    bad(WEIR_T_INT, 1, 64, "0", "`0` is too small\n");
    bad(WEIR_T_INT, 3, 0, "2", "`2` is too small\nx 2;\n  ^\n  at least 3\n");
    bad(WEIR_T_INT, -5, 0, "1", "`1` is too large\nx 1;\n  ^\n  it goes from -5 to 0\n");
}

static void
test_sizes(void **state)
{
    (void)state;
    good_int(WEIR_T_SIZE, 0, 0, "512", 512);
    good_int(WEIR_T_SIZE, 0, 0, "8k", 8192);
    good_int(WEIR_T_SIZE, 1024, 1 << 20, "1M", 1 << 20);
    bad(WEIR_T_SIZE, 0, 0, "8kb", "`8kb` is not a size");
    bad(WEIR_T_SIZE, 0, 0, "99999999999g", "is not a size");
    bad(WEIR_T_SIZE, 1024, 3 << 20, "1023", "it goes from 1k to 3m");
    bad(WEIR_T_SIZE, 1025, 3 << 20, "4m", "it goes from 1025 to 3m");
}

static void
test_durations(void **state)
{
    (void)state;
    good_int(WEIR_T_DURATION, 0, 0, "250ms", 250 * NSEC_PER_MSEC);
    good_int(WEIR_T_DURATION, NSEC_PER_MSEC, 24 * 3600 * NSEC_PER_SEC, "24h", 24 * 3600 * NSEC_PER_SEC);
    good_int(WEIR_T_DURATION, 0, 0, "0", 0);
    bad(WEIR_T_DURATION, 0, 0, "5", "`5` is not a duration: the unit is missing\nx 5;\n  ^\n  did you mean `5s`?\n");
    bad(WEIR_T_DURATION, 0, 0, "5sec", "`5sec` is not a duration\n");
    bad(WEIR_T_DURATION, 0, 0, "1.5s", "`1.5s` is not a duration\n");
    bad(WEIR_T_DURATION, 10 * NSEC_PER_MSEC, 90 * NSEC_PER_SEC, "9ms",
        "`9ms` is too small\nx 9ms;\n  ^\n  it goes from 10ms to 90s\n");
    bad(WEIR_T_DURATION, NSEC_PER_SEC, 0, "0", "at least 1s");
    bad(WEIR_T_DURATION, 1500 * NSEC_PER_MSEC, 48 * 3600 * NSEC_PER_SEC, "3d", "it goes from 1500ms to 2d");
}

static void
test_rates(void **state)
{
    struct conf *c = load_typed(WEIR_T_RATE, 0, 0, "6000/m");
    uint64_t count;
    nsec_t per;

    (void)state;
    assert_int_equal(conf_errors(c), 0);
    conf_rate(conf_find(conf_root(c), "x"), 0, &count, &per);
    assert_int_equal(count, 6000);
    assert_int_equal(per, 60 * NSEC_PER_SEC);
    conf_rate(conf_find(conf_root(c), "x"), 1, &count, &per);
    assert_int_equal(count + (uint64_t)per, 0);
    conf_free(c);
    bad(WEIR_T_RATE, 0, 0, "100", "`100` is not a rate");
    bad(WEIR_T_RATE, 0, 0, "0/s", "`0/s` is too small");
    bad(WEIR_T_RATE, 0, 0, "1/x", "`1/x` is not a rate");
}

static void
test_percentages(void **state)
{
    struct conf *c = load_typed(WEIR_T_PERCENT, 0, 0, "0.5%");

    (void)state;
    assert_true(conf_get_percent(conf_root(c), "x") > 0.499 && conf_get_percent(conf_root(c), "x") < 0.501);
    conf_free(c);
    good(WEIR_T_PERCENT, "100%");
    good(WEIR_T_PERCENT, "0%");
    bad(WEIR_T_PERCENT, 0, 0, "50",
        "`50` is not a percentage: the sign is missing\nx 50;\n  ^\n  did you mean `50%`?\n");
    bad(WEIR_T_PERCENT, 0, 0, "101%", "`101%` is not a percentage");
    bad(WEIR_T_PERCENT, 1, 50, "51%", "it goes from 1% to 50%");
    bad(WEIR_T_PERCENT, 0, 0, "%", "`%` is not a percentage");
}

static void
test_switches(void **state)
{
    (void)state;
    good_int(WEIR_T_BOOL, 0, 0, "on", 1);
    good_int(WEIR_T_BOOL, 0, 0, "off", 0);
    bad(WEIR_T_BOOL, 0, 0, "yes", "`yes` is neither `on` nor `off`");
}

static void
test_choices(void **state)
{
    (void)state;
    good_int(WEIR_T_WORD, 0, 0, "one", 0);
    good_int(WEIR_T_WORD, 0, 0, "three", 2);
    bad(WEIR_T_WORD, 0, 0, "thre",
        "`thre` is not one of `one`, `two`, `three`\nx thre;\n  ^\n  did you mean `three`?\n");
    bad(WEIR_T_WORD, 0, 0, "seventeen",
        "`seventeen` cannot stand here\nx seventeen;\n  ^\n  write one of `one`, `two`, `three`\n");
    bad(WEIR_T_WORD, 0, 0, "one|two", "`one|two` ");
    bad(WEIR_T_WORD, 0, 0, "\"\"", "`` cannot stand here");
}

static void
test_statuses(void **state)
{
    struct conf *c = load_typed(WEIR_T_STATUS, 0, 0, "200-299");

    (void)state;
    assert_int_equal(conf_int(conf_find(conf_root(c), "x"), 0), 200);
    assert_int_equal(conf_int_high(conf_find(conf_root(c), "x"), 0), 299);
    assert_int_equal(conf_int_high(conf_find(conf_root(c), "x"), 1), 0);
    conf_free(c);
    good_int(WEIR_T_STATUS, 0, 0, "404", 404);
    bad(WEIR_T_STATUS, 0, 0, "99", "`99` is not a status");
    bad(WEIR_T_STATUS, 0, 0, "600", "`600` is not a status");
    bad(WEIR_T_STATUS, 0, 0, "200-", "`200-` is not a status");
    bad(WEIR_T_STATUS, 0, 0, "0200", "`0200` is not a status");
    bad(WEIR_T_STATUS, 0, 0, "299-200", "did you mean `200-299`?");
}

static void
test_names(void **state)
{
    (void)state;
    good(WEIR_T_NAME, "a");
    good(WEIR_T_NAME, "_a.B-9");
    bad(WEIR_T_NAME, 0, 0, "9a", "`9a` is not a name");
    bad(WEIR_T_NAME, 0, 0, "a/b", "`a/b` is not a name");
    bad(WEIR_T_NAME, 0, 0, "\"\"", "a name has 1 to 64 characters");
    good(WEIR_T_NAME, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    bad(WEIR_T_NAME, 0, 0, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "a name has 1 to 64 characters");
}

static void
test_addresses(void **state)
{
    static const char *const both[] = { "0.0.0.0:80", "[::1]:8080", "[::]:65535", "unix:/run/x.sock" };

    (void)state;
    for (unsigned i = 0; i < sizeof(both) / sizeof(*both); i++) {
        good(WEIR_T_ADDRESS, both[i]);
        good(WEIR_T_ENDPOINT, both[i]);
    }
    good(WEIR_T_ADDRESS, "127.0.0.1:0");
    good(WEIR_T_ENDPOINT, "orders.internal:9001");
    good(WEIR_T_ENDPOINT, "a_b-c.:1");
    good(WEIR_T_ENDPOINT, "localhost:1");
    bad(WEIR_T_ENDPOINT, 0, 0, "a:0", "the port goes from 1 to 65535");
    bad(WEIR_T_ADDRESS, 0, 0, "1.2.3.4:65536", "the port goes from 0 to 65535");
    bad(WEIR_T_ADDRESS, 0, 0, "1.2.3.4", "`1.2.3.4` is not an address: the port is missing");
    bad(WEIR_T_ADDRESS, 0, 0, "localhost:80", "names are not looked up here");
    bad(WEIR_T_ADDRESS, 0, 0, "::1", "  write [::1]:8080\n");
    bad(WEIR_T_ADDRESS, 0, 0, "::1:80", "needs a port, and brackets");
    bad(WEIR_T_ADDRESS, 0, 0, "[::1]", "is not an address");
    bad(WEIR_T_ADDRESS, 0, 0, "unix:run", "absolute path");
    bad(WEIR_T_ADDRESS, 0, 0,
        "unix:/"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "at most 107 bytes, this one has 108");
    bad(WEIR_T_ENDPOINT, 0, 0, "http://a:80", "is a URL, not an address");
    bad(WEIR_T_ENDPOINT, 0, 0, "1.2.3.444:80", "is not an address");
    bad(WEIR_T_ENDPOINT, 0, 0, "a..b:80", "is not an address");
    bad(WEIR_T_ENDPOINT, 0, 0, "-a:80", "is not an address");
    bad(WEIR_T_ENDPOINT, 0, 0, "a-:80", "is not an address");
    bad(WEIR_T_ENDPOINT, 0, 0, ":80", "is not an address");
    bad(WEIR_T_ENDPOINT, 0, 0, "\"a b:80\"", "is not an address");
}

static void
test_ranges_of_addresses(void **state)
{
    (void)state;
    good(WEIR_T_CIDR, "10.0.0.0/8");
    good(WEIR_T_CIDR, "fe80::/10");
    good(WEIR_T_CIDR, "::/0");
    good(WEIR_T_CIDR, "192.0.2.1");
    good(WEIR_T_CIDR, "2001:db8::1/128");
    bad(WEIR_T_CIDR, 0, 0, "10.0.0.0/33", "0 to 32 bits");
    bad(WEIR_T_CIDR, 0, 0, "::/129", "0 to 128 bits");
    bad(WEIR_T_CIDR, 0, 0, "10.0.0/8", "is not a range of addresses");
    bad(WEIR_T_CIDR, 0, 0, "10.0.0.0/", "0 to 32 bits");
    bad(WEIR_T_CIDR, 0, 0, "localhost", "is not a range of addresses");
}

static void
test_text_is_taken_as_it_is(void **state)
{
    (void)state;
    good(WEIR_T_STRING, "\"\"");
    good(WEIR_T_STRING, "***");
    good(WEIR_T_TEMPLATE, "a${client.ip}");
    good(WEIR_T_PATH, "a/b");
    bad(WEIR_T_PATH, 0, 0, "''", "the name of a file is empty");
}

static void
test_masked_values(void **state)
{
    static const struct weir_arg args[] = { { "N", WEIR_T_INT, 5, 10 }, { "T", WEIR_T_WORD, .choices = "a|b" }, { 0 } };
    static const struct weir_directive rows[] = { { "x", "main", args }, { 0 } };
    struct conf *c = conf_new();

    (void)state;
    bad(WEIR_T_INT, 0, 0, "***", "`***` stands where a dump has hidden a value\nx ***;\n  ^\n  put the value back\n");
    bad(WEIR_T_ENDPOINT, 0, 0, "a:***", "put the value back");
    conf_allow_masked(c);
    conf_add_rows(c, rows, NULL, NULL);
    conf_parse_text(c, "t", SLICE("x *** ***;"));
    assert_int_equal(conf_check(c), 0);
    assert_int_equal(conf_get_int(conf_root(c), "x"), 5);
    conf_free(c);
}

static void
test_types_of_a_newer_module(void **state)
{
    (void)state;
    good((enum weir_type)99, "anything");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_percentages),
        cmocka_unit_test(test_switches),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_ranges_of_addresses),
        cmocka_unit_test(test_text_is_taken_as_it_is),
        cmocka_unit_test(test_masked_values),
        cmocka_unit_test(test_types_of_a_newer_module),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
