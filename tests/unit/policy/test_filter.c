#include "fixture.h"

#include "../../../src/policy/filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAP 64

struct passage {
    struct fixture *f;
    struct filter *filter;
    struct fields trailers;
    char out[65536];
};

/* A route with these policies, and the filter of the body. */
static void
begin(struct passage *p, void **state, enum weir_body_of of, const char *policies)
{
    static const struct filter_cap cap = { CAP, "test.conf:1" };
    char text[1024];

    memset(p, 0, sizeof(*p));
    p->f = *state;
    fields_init(&p->trailers, &p->f->x_arena);
    snprintf(text, sizeof(text), "use bodies; upstream orders { } route /r { %s }", policies);
    fixture_load(p->f, text);
    chain_begin(&p->f->x, fixture_chain(p->f, "route", "/r"));
    assert_int_equal(chain_attempt(&p->f->x, NULL), CHAIN_PASS);
    fixture_respond(p->f, 200);
    chain_response(&p->f->x);
    p->filter = filter_new(&p->f->x, of, &cap);
}

/* What has come out since. */
static const char *
out(struct passage *p)
{
    struct iobuf *b = &p->filter->out;
    size_t n = b->len < sizeof(p->out) ? b->len : sizeof(p->out) - 1;

    memcpy(p->out, iobuf_pullup(b, n), n);
    p->out[n] = '\0';
    iobuf_consume(b, b->len);
    return p->out;
}

static enum chain_result
feed(struct passage *p, const char *text, bool end)
{
    struct iobuf in;
    enum chain_result result;

    iobuf_init(&in, SIZE_MAX);
    iobuf_add(&in, text, strlen(text));
    result = filter_feed(p->filter, &in, in.len, end, &p->trailers);
    assert_int_equal(in.len, 0);
    return result;
}

#define BODY(of_, policies_)                                                                                           \
    struct passage p;                                                                                                  \
    begin(&p, state, of_, policies_)
#define REQUEST_BODY(policies_) BODY(WEIR_BODY_REQUEST, policies_)
#define RESPONSE_BODY(policies_) BODY(WEIR_BODY_RESPONSE, policies_)

#define assert_passes(text_, end_, out_)                                                                               \
    assert_int_equal(feed(&p, text_, end_), CHAIN_PASS);                                                               \
    assert_string_equal(out(&p), out_)

static void
assert_last_row(struct passage *p, const char *text)
{
    assert_row(p->f, p->f->x.log.n - 1, text);
}

static void
nobody_looks(void **state)
{
    REQUEST_BODY("bodies_a { response upper; } bodies_b { request skip; }");

    assert_null(p.filter);
}

static void
who_looks_changes_nothing(void **state)
{
    REQUEST_BODY("bodies_a { request look; }");

    assert_false(p.filter->changes);
    assert_passes("one", false, "one");
    assert_passes("two", true, "two");
    assert_true(p.filter->ended);
}

static void
requests_pass_in_order_and_answers_in_reverse(void **state)
{
    static const char both[] =
        "bodies_a { request upper; response upper; } bodies_b { request brackets; response brackets; }";
    struct fixture *f;

    for (int i = 0; i < 2; i++) {
        struct passage p;

        fixture_setup((void **)&f);
        begin(&p, (void **)&f, i ? WEIR_BODY_RESPONSE : WEIR_BODY_REQUEST, both);
        assert_true(p.filter->changes);
        assert_passes("a", false, "[A]");
        assert_passes("b", true, "[B.]");
        fixture_teardown((void **)&f);
    }
    fixture_setup((void **)&f);
    struct passage p;
    begin(&p, (void **)&f, WEIR_BODY_REQUEST, "bodies_a { request brackets; } bodies_b { request lines; }");
    assert_passes("a\nb", true, "<[a><b.]>");
    fixture_teardown((void **)&f);
    fixture_setup((void **)&f);
    begin(&p, (void **)&f, WEIR_BODY_RESPONSE, "bodies_a { response brackets; } bodies_b { response lines; }");
    assert_passes("a\nb", true, "[<a><b>.]");
    fixture_teardown((void **)&f);
}

static void
an_end_without_bytes_is_told(void **state)
{
    REQUEST_BODY("bodies_a { request brackets; } bodies_b { request brackets; }");

    assert_passes("a", false, "[[a]]");
    assert_passes("", true, "[[.].]");
}

static void
what_is_held_comes_again(void **state)
{
    REQUEST_BODY("bodies_a { request whole; } bodies_b { request brackets; }");

    assert_passes("one ", false, "");
    assert_passes("two ", false, "");
    assert_passes("three", true, "[one two three.]");
}

static void
part_of_a_piece_can_be_held(void **state)
{
    REQUEST_BODY("bodies_a { request last_byte; } bodies_b { request lines; }");

    assert_passes("ab", false, "");
    assert_passes("c\n", false, "");
    assert_passes("d\n", false, "<abc>");
    assert_passes("", true, "<d>");
}

static void
no_more_is_held_than_may_be(void **state)
{
    REQUEST_BODY("bodies_a { request whole; }");
    char text[CAP + 1] = { 0 };

    memset(text, 'a', CAP);
    assert_passes(text, false, "");
    assert_int_equal(feed(&p, "b", false), CHAIN_REFUSED);
    assert_string_equal(p.f->x.refusal.reason->code, "body_hold_exceeded");
    assert_int_equal(p.f->x.refusal.reason->status, 413);
    assert_last_row(&p, "policy bodies_a refuse body_hold_exceeded enforce");
    assert_string_equal(p.f->x.log.rows[p.f->x.log.n - 1].at, "test.conf:1");
    assert_has(p.f->x.refusal.detail.p, "`body_hold` is 64 bytes");
}

static void
a_refusal_ends_the_body(void **state)
{
    RESPONSE_BODY("bodies_a { response refuse; }");

    assert_passes("one", false, "one");
    assert_int_equal(feed(&p, "an X", false), CHAIN_REFUSED);
    assert_string_equal(out(&p), "");
    assert_string_equal(p.f->x.refusal.reason->code, "bodies_refused");
    assert_last_row(&p, "policy bodies_a refuse bodies_refused enforce");
    assert_true(p.filter->refused);
}

static void
a_request_can_be_replied_to(void **state)
{
    REQUEST_BODY("bodies_a { request reply; }");

    assert_int_equal(feed(&p, "short and stout", true), CHAIN_REFUSED);
    assert_null(p.f->x.refusal.reason);
    assert_int_equal(p.f->x.refusal.status, 418);
}

static void
errors_of_a_policy_end_the_exchange(void **state)
{
    static const char *const actions[] = { "fail",  "suspend",       "unannounced", "flood",
                                           "reply", "more_than_all", "for_ever" };

    for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
        struct passage p;
        struct fixture *f;
        char text[64];

        fixture_setup((void **)&f);
        snprintf(text, sizeof(text), "bodies_a { response %s; }", actions[i]);
        begin(&p, (void **)&f, WEIR_BODY_RESPONSE, text);
        assert_int_equal(feed(&p, "x", true), CHAIN_REFUSED);
        assert_string_equal(f->x.refusal.reason->code, "policy_error");
        assert_last_row(&p, "policy bodies_a error policy_error enforce");
        fixture_teardown((void **)&f);
    }
}

static void
shadow_changes_nothing(void **state)
{
    static const char *const actions[] = { "upper",  "brackets", "whole",    "lines",         "last_byte",
                                           "refuse", "reply",    "suspend",  "more_than_all", "unannounced",
                                           "flood",  "fail",     "for_ever", "trailers" };

    for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
        struct passage p;
        struct fixture *f;
        char text[128];

        fixture_setup((void **)&f);
        snprintf(text, sizeof(text), "bodies_a { mode shadow; request %s; }", actions[i]);
        begin(&p, (void **)&f, WEIR_BODY_REQUEST, text);
        fields_add(&p.trailers, SLICE("x-sum"), SLICE("7"));
        assert_false(p.filter->changes);
        assert_passes("aX", false, "aX");
        assert_passes("b\nc", false, "b\nc");
        assert_passes("d", true, "d");
        assert_int_equal(p.trailers.n, 1);
        assert_null(f->x.refusal.reason);
        fixture_teardown((void **)&f);
    }
}

static void
shadow_says_once_what_it_would_have_done(void **state)
{
    REQUEST_BODY("bodies_a { mode shadow; request refuse; }");
    unsigned before = p.f->x.log.n;

    assert_passes("X", false, "X");
    assert_passes("X", true, "X");
    assert_int_equal(p.f->x.log.n, before + 1);
    assert_last_row(&p, "policy bodies_a refuse bodies_refused shadow");
}

static void
a_shadow_that_holds_too_much_stands_aside(void **state)
{
    REQUEST_BODY("bodies_a { mode shadow; request whole; }");
    char text[CAP + 2] = { 0 };

    memset(text, 'a', CAP + 1);
    assert_passes(text, false, text);
    assert_last_row(&p, "policy bodies_a refuse body_hold_exceeded shadow");
    assert_passes("b", true, "b");
}

static void
off_and_percent(void **state)
{
    static const char *const modes[] = { "mode off;", "percent 0%;" };

    for (int i = 0; i < 2; i++) {
        struct passage p;
        struct fixture *f;
        char text[128];

        fixture_setup((void **)&f);
        snprintf(text, sizeof(text), "bodies_a { %s request upper; }", modes[i]);
        begin(&p, (void **)&f, WEIR_BODY_REQUEST, text);
        assert_null(p.filter);
        fixture_teardown((void **)&f);
    }
}

static void
trailers_can_be_taken_and_given(void **state)
{
    RESPONSE_BODY("bodies_a { response trailers; }");

    fields_add(&p.trailers, SLICE("x-sum"), SLICE("7"));
    fields_add(&p.trailers, SLICE("x-more"), SLICE("yes"));
    assert_passes("body ", false, "body ");
    assert_passes("end ", true, "end x-sum=7;x-more=yes;");
    assert_int_equal(p.trailers.n, 1); /* and no Content-Length, whose turn it is not */
    assert_true(slice_eq(p.trailers.v[0].name, SLICE("x-moved")));
}

/* A body of many chunks, cut anywhere: nothing is lost, and pieces are contiguous. */
static void
large_bodies_pass(void **state)
{
    REQUEST_BODY("bodies_a { request look; } bodies_b { request upper; }");
    struct iobuf in;
    size_t fed = 0, got = 0, total = 200000;

    iobuf_init(&in, SIZE_MAX);
    for (size_t i = 0; i < total; i++)
        iobuf_add(&in, &"abcdefghijklmnopqrstuvwxyz"[i % 26], 1);
    while (in.len) {
        size_t n = filter_bite(&in);

        assert_in_range(n, 1, IOBUF_CHUNK_SIZE);
        assert_int_equal(filter_feed(p.filter, &in, n, n == in.len, &p.trailers), CHAIN_PASS);
        fed += n;
        while (p.filter->out.len) {
            assert_int_equal(*iobuf_front(&p.filter->out).p, 'A' + (int)(got % 26));
            iobuf_consume(&p.filter->out, 1);
            got++;
        }
    }
    assert_int_equal(fed, total);
    assert_int_equal(got, total);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(nobody_looks),
        T(who_looks_changes_nothing),
        T(requests_pass_in_order_and_answers_in_reverse),
        T(an_end_without_bytes_is_told),
        T(what_is_held_comes_again),
        T(part_of_a_piece_can_be_held),
        T(no_more_is_held_than_may_be),
        T(a_refusal_ends_the_body),
        T(a_request_can_be_replied_to),
        T(errors_of_a_policy_end_the_exchange),
        T(shadow_changes_nothing),
        T(shadow_says_once_what_it_would_have_done),
        T(a_shadow_that_holds_too_much_stands_aside),
        T(off_and_percent),
        T(trailers_can_be_taken_and_given),
        T(large_bodies_pass),
    };
    return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
