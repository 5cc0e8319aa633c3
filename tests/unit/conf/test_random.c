/* Arbitrary bytes never crash the parser or the checks, are never accepted in part without a word, and what is accepted
 * is dumped so that it is accepted again. The seed is fixed, so that a failure can be repeated; WEIR_TEST_SEED sets
 * another. */
#include "fixture.h"

static const char seed_text[] =
    "workers auto; # comment\n"
    "use jwt rate_limit;\n"
    "access_log stdout format=json;\n"
    "trusted_proxies 10.0.0.0/8 fe80::/10;\n"
    "listener public {\n    bind 0.0.0.0:8080;\n    bind unix:/run/x;\n    tls { certificate tls.crt; }\n    limits { "
    "head 8k; fields 100; }\n}\n"
    "upstream orders-v1 {\n    endpoint 127.0.0.1:9001 weight=2 zone=\"a b\";\n    endpoint orders.internal:9001;\n"
    "    balance hash ${jwt.sub};\n    connect_timeout 250ms;\n    panic 50%;\n    retry { }\n    expect 200-299;\n}\n"
    "host api.example.com *.api.example.com {\n    rate_limit { rate 100/s burst=200; key \"${client.ip} x\"; secret "
    "'abcdef'; mode shadow; percent 10; }\n"
    "    route /orders/ { methods GET POST; proxy orders-v1; timeout 30s; rate_limit off; }\n}\n"
    "route ~ ^/v[0-9]{1,3}/ name=r1 { respond 200 \"ok\\n\\t\\\"\" type='text/plain'; }\n";

static const char *const pieces[] = {
    "{",    "}",   ";",   "\"",         "'",       "\\",        "${",         "${env.HOME}", "${file:/etc/hostname}",
    "}",    "\n",  " ",   "#",          "=",       "route / {", "include x;", "include *;",  "\0",
    "\x80", "off", "***", "rate_limit", "weight=", "{2}",       "\t",         "\r\n",        "-",
    "/"
};

static uint64_t rng;

static unsigned
any(unsigned n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (unsigned)(rng >> 33) % n;
}

static size_t
splice(char *text, size_t n, size_t cap, size_t at, size_t cut, const char *in)
{
    size_t add = in[0] ? strlen(in) : 1;

    if (cut > n - at)
        cut = n - at;
    if (n - cut + add > cap)
        return n;
    memmove(text + at + add, text + at + cut, n - at - cut);
    memcpy(text + at, in, add);
    return n - cut + add;
}

static size_t
mutate(char *text, size_t n, size_t cap)
{
    unsigned times = 1 + any(6);
    char byte[2] = { 0, 0 };

    while (times--) {
        switch (any(4)) {
        case 0:
            byte[0] = (char)any(256);
            n = splice(text, n, cap, any((unsigned)n + 1), any(2), byte);
            break;
        case 1:
            n = splice(text, n, cap, any((unsigned)n + 1), any(30), " ");
            break;
        case 2:
            n = any((unsigned)n + 1);
            break;
        default:
            n = splice(text, n, cap, any((unsigned)n + 1), any(4), pieces[any(sizeof(pieces) / sizeof(*pieces))]);
        }
    }
    return n;
}

static void
read_all(const struct weir_conf *block)
{
    for (const struct weir_conf *line = conf_first(block); line; line = conf_sibling(line)) {
        assert_ptr_equal(conf_parent(line), block);
        for (unsigned i = 0; i < conf_args(line); i++)
            assert_int_equal(strlen(conf_arg(line, i).p), conf_arg(line, i).n);
        assert_non_null(conf_find(block, conf_name(line)));
        conf_get_int(line, "timeout");
        conf_opt_int(line, "weight", 0);
        assert_true(strlen(conf_at(line)) > 0);
        read_all(line);
    }
}

static void
try_text(const char *text, size_t n)
{
    struct conf *c = fixture_new(), *again;
    char *dump, *second, *told;
    int rc = conf_parse_text(c, "/nonexistent/gateway.conf", slice_of(text, n));

    rc |= conf_check(c);
    assert_int_equal(rc != 0, conf_errors(c) > 0);
    if (!conf_errors(c))
        read_all(conf_root(c));
    dump = fixture_dump(c);
    if (!conf_errors(c)) {
        again = fixture_new();
        conf_allow_masked(again);
        conf_parse_text(again, "/nonexistent/gateway.conf", slice_str(dump));
        if (conf_check(again))
            fail_msg("not accepted again:\n%.*s\n%s\n%s", (int)n, text, dump, fixture_told(again));
        second = fixture_dump(again);
        assert_string_equal(dump, second);
        conf_free(again);
        free(second);
    }
    free(dump);
    told = fixture_told(c);
    assert_true(rc == 0 || strstr(told, "error: ") != NULL);
    free(told);
}

static void
test_mutations(void **state)
{
    const char *seed = getenv("WEIR_TEST_SEED"), *rounds = getenv("WEIR_TEST_ROUNDS");
    static char text[8192];
    unsigned n_rounds = rounds ? (unsigned)atoi(rounds) : 4000;

    (void)state;
    rng = seed ? strtoull(seed, NULL, 10) | 1 : 88172645463325252ULL;
    for (unsigned i = 0; i < n_rounds; i++) {
        size_t n = sizeof(seed_text) - 1;

        memcpy(text, seed_text, n);
        n = mutate(text, n, sizeof(text));
        try_text(text, n);
    }
}

static void
test_noise(void **state)
{
    char text[256];

    (void)state;
    rng = 424242;
    for (unsigned i = 0; i < 4000; i++) {
        size_t n = 0;

        while (n < sizeof(text) - 32 && any(40))
            n = splice(text, n, sizeof(text), n, 0, any(3) ? pieces[any(sizeof(pieces) / sizeof(*pieces))] : "a");
        try_text(text, n);
    }
}

static void
test_the_seed_itself_is_good(void **state)
{
    (void)state;
    assert_told(seed_text, "");
    try_text(seed_text, sizeof(seed_text) - 1);
}

/* What could take time out of proportion. */
static void
test_hostile_sizes(void **state)
{
    static const char *const patterns[] = { "${",   "\"", "'\\'\"", "a{",   "}",       ";", "x \n",
                                            "\"${", "a;", "\x01",   "x=\"", "route\n", "#", "workers a\nworkers b\n" };
    enum { SIZE = 400000 };
    char *text = malloc(SIZE);

    (void)state;
    for (unsigned i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
        size_t len = strlen(patterns[i]), n = SIZE / len * len;
        nsec_t start = clock_precise();

        for (size_t at = 0; at < n; at += len)
            memcpy(text + at, patterns[i], len);
        for (int quoted = 0; quoted < 2; quoted++) {
            struct conf *c = fixture_new();

            text[0] = quoted ? '"' : patterns[i][0];
            conf_parse_text(c, "t", slice_of(text, n));
            conf_check(c);
            free(fixture_told(c));
        }
        if (clock_precise() - start > 20 * NSEC_PER_SEC)
            fail_msg("slow: %s", patterns[i]);
    }
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_seed_itself_is_good),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_hostile_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
