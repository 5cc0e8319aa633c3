#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "../../../src/base/arena.h"
#include "../../../src/base/random.h"
#include "../../../src/observe/access_line.h"

#define T0 (1795231419LL * NSEC_PER_SEC + 123456789) /* 2026-11-21T03:23:39.123456789Z */

struct fixture {
    struct arena arena;
    struct decision_log why;
    struct access_record r;
    char *line;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    arena_init(&f->arena);
    decision_init(&f->why, &f->arena);
    f->r = (struct access_record){
        .time_wall = T0,
        .duration = 12345678,
        .upstream_duration = 10000999,
        .request_id = SLICE("abc"),
        .client = SLICE("10.0.0.9"),
        .method = SLICE("GET"),
        .scheme = SLICE("https"),
        .host = SLICE("api.example.com"),
        .path = SLICE("/orders/7"),
        .query = SLICE("a=1"),
        .protocol = SLICE("HTTP/1.1"),
        .status = 200,
        .bytes_in = 120,
        .bytes_out = 18446744073709551615ULL,
        .upstream = SLICE("orders-v1"),
        .endpoint = SLICE("127.0.0.1:9001"),
        .route = SLICE("api.example.com/orders/"),
        .attempts = 2,
        .why = &f->why,
    };
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    arena_fini(&f->arena);
    free(f->line);
    free(f);
    return 0;
}

/* The line as text; checks that it kept to its bound. */
static const char *
line(struct fixture *f)
{
    size_t bound = access_line_bound(&f->r);
    char *end;

    free(f->line);
    f->line = malloc(bound + 1); /* the sanitizer sees a byte past it */
    end = access_line_write(f->line, &f->r);
    assert_true((size_t)(end - f->line) <= bound);
    *end = '\0';
    return f->line;
}

static void
the_keys_and_their_order(void **state)
{
    struct fixture *f = *state;
    struct decision *d = decision_add(&f->why, "route", SLICE("r1"), VERDICT_PASS);

    d->at = "gateway.conf:12";
    d->detail = SLICE("of no interest");
    d = decision_add(&f->why, "policy", SLICE("jwt"), VERDICT_REFUSE);
    d->reason = "jwt_expired";
    d->detail = SLICE("ex\"pired");
    d = decision_add(&f->why, "policy", SLICE("rl"), VERDICT_REFUSE);
    d->reason = "rate_limited";
    d->mode = "shadow";
    d = decision_add(&f->why, "policy", SLICE("rl"), VERDICT_SKIP);
    d->mode = "shadow";
    f->r.reason = "jwt_expired";
    assert_string_equal(
        line(f),
        "{\"time\":\"2026-11-21T03:23:39.123Z\",\"request_id\":\"abc\",\"client\":\"10.0.0.9\",\"method\":\"GET\","
        "\"scheme\":\"https\",\"host\":\"api.example.com\",\"path\":\"/orders/7\",\"query\":\"a=1\","
        "\"protocol\":\"HTTP/1.1\",\"status\":200,\"bytes_in\":120,\"bytes_out\":18446744073709551615,"
        "\"duration_ms\":12.345,\"upstream\":\"orders-v1\",\"endpoint\":\"127.0.0.1:9001\",\"attempts\":2,"
        "\"upstream_ms\":10.000,\"route\":\"api.example.com/orders/\",\"reason\":\"jwt_expired\",\"why\":["
        "{\"step\":\"route\",\"subject\":\"r1\",\"verdict\":\"pass\",\"reason\":null,\"at\":\"gateway.conf:12\"},"
        "{\"step\":\"policy\",\"subject\":\"jwt\",\"verdict\":\"refuse\",\"reason\":\"jwt_expired\","
        "\"at\":null},"
        "{\"step\":\"policy\",\"subject\":\"rl\",\"verdict\":\"shadow_refuse\","
        "\"reason\":\"rate_limited\",\"at\":null},"
        "{\"step\":\"policy\",\"subject\":\"rl\",\"verdict\":\"skip\",\"reason\":null,\"at\":null}]}\n");
}

static void
what_does_not_apply_is_null(void **state)
{
    struct fixture *f = *state;
    json_t *o;

    f->r.upstream = f->r.endpoint = f->r.route = SLICE_NONE;
    f->r.upstream_duration = -1;
    f->r.why = NULL;
    f->r.query = SLICE_NONE;
    f->r.status = 0;
    f->r.bytes_out = 7;
    o = json_loads(line(f), 0, NULL);
    assert_non_null(o);
    assert_true(json_is_null(json_object_get(o, "upstream")));
    assert_true(json_is_null(json_object_get(o, "endpoint")));
    assert_true(json_is_null(json_object_get(o, "route")));
    assert_true(json_is_null(json_object_get(o, "upstream_ms")));
    assert_true(json_is_null(json_object_get(o, "reason")));
    assert_string_equal(json_string_value(json_object_get(o, "query")), "");
    assert_int_equal(json_integer_value(json_object_get(o, "status")), 0);
    assert_int_equal(json_array_size(json_object_get(o, "why")), 0);
    json_decref(o);
}

static void
assert_path(struct fixture *f, struct slice raw, const char *shown)
{
    char want[256];

    f->r.path = raw;
    snprintf(want, sizeof(want), "\"path\":\"%s\",", shown);
    if (!strstr(line(f), want))
        fail_msg("no %s in %s", want, f->line);
}

static void
hostile_bytes_are_escaped(void **state)
{
    struct fixture *f = *state;

    assert_path(f, SLICE("/a\"b\\c"), "/a\\\"b\\\\c");
    assert_path(f, SLICE("/a\nb\r\0\x1f\x7f"), "/a\\u000ab\\u000d\\u0000\\u001f\\u007f");
    assert_path(f, SLICE("/gr\xc3\xbc\xc3\x9f"), "/gr\xc3\xbc\xc3\x9f"); /* good UTF-8 stays */
    assert_path(f, SLICE("/\xf0\x9f\x98\x80"), "/\xf0\x9f\x98\x80");
    assert_path(f, SLICE("/\xff\xc3"), "/\\ufffd\\ufffd");            /* bad, and cut short */
    assert_path(f, SLICE("/\xc0\xaf"), "/\\ufffd\\ufffd");            /* overlong */
    assert_path(f, SLICE("/\xed\xa0\x80"), "/\\ufffd\\ufffd\\ufffd"); /* a surrogate */
    assert_path(f, SLICE("/\xc2\x9b"), "/\\u009b");                   /* CSI, as terminals know it */
}

/* However wide the words are that a text is looked at in, one byte of it changes one character of the line. */
static void
each_special_byte_is_found_in_each_place(void **state)
{
    static const unsigned char bytes[] = { 0, 0x1f, ' ', '!', '"', '#', '[', '\\', ']', '~', 0x7f, 0x80, 0xff };
    struct fixture *f = *state;
    char text[40], shown[8], want[96];

    for (unsigned at = 0; at < sizeof(text) * sizeof(text) * sizeof(bytes); at++) {
        unsigned char c = bytes[at % sizeof(bytes)];
        unsigned n = at / sizeof(bytes) / sizeof(text) + 1, pos = at / sizeof(bytes) % sizeof(text) % n;

        memset(text, 'a', n);
        text[pos] = (char)c;
        if (c >= 0x80)
            snprintf(shown, sizeof(shown), "\\ufffd");
        else if (c < 0x20 || c == 0x7f)
            snprintf(shown, sizeof(shown), "\\u%04x", c);
        else
            snprintf(shown, sizeof(shown), c == '"' || c == '\\' ? "\\%c" : "%c", c);
        snprintf(want, sizeof(want), "\"path\":\"%.*s%s%.*s\",", (int)pos, text, shown, (int)(n - pos - 1),
                 text + pos + 1);
        f->r.path = slice_of(text, n);
        assert_non_null(strstr(line(f), want));
    }
}

static void
random_bytes_always_make_one_line_of_json(void **state)
{
    struct fixture *f = *state;
    char junk[200];

    f->r.bytes_out = 7; /* jansson knows no number past INT64_MAX */
    for (int i = 0; i < 2000; i++) {
        const char *end;
        json_t *o;

        random_bytes(junk, sizeof(junk));
        f->r.path = f->r.host = slice_of(junk, random_below(sizeof(junk)));
        end = strchr(line(f), '\n');
        assert_string_equal(end, "\n");
        o = json_loads(f->line, JSON_ALLOW_NUL, NULL);
        assert_non_null(o);
        json_decref(o);
    }
}

static void
durations_are_never_negative(void **state)
{
    struct fixture *f = *state;

    f->r.duration = -5;
    f->r.upstream_duration = 999;
    assert_non_null(strstr(line(f), "\"duration_ms\":0.000,"));
    assert_non_null(strstr(f->line, "\"upstream_ms\":0.000,"));
}

static void
time_follows_the_second(void **state)
{
    struct fixture *f = *state;

    assert_non_null(strstr(line(f), "\"2026-11-21T03:23:39.123Z\""));
    f->r.time_wall = T0 + NSEC_PER_SEC - 123456789;
    assert_non_null(strstr(line(f), "\"2026-11-21T03:23:40.000Z\""));
    f->r.time_wall = T0;
    assert_non_null(strstr(line(f), "\"2026-11-21T03:23:39.123Z\""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_keys_and_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_apply_is_null, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_bytes_are_escaped, setup, teardown),
        cmocka_unit_test_setup_teardown(each_special_byte_is_found_in_each_place, setup, teardown),
        cmocka_unit_test_setup_teardown(random_bytes_always_make_one_line_of_json, setup, teardown),
        cmocka_unit_test_setup_teardown(durations_are_never_negative, setup, teardown),
        cmocka_unit_test_setup_teardown(time_follows_the_second, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
