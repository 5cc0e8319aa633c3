#include "rig.h"

#include "../../../src/proxy/reply.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;

static json_t *
document(struct slice detail)
{
    struct slice body = reply_problem(&arena, reason_get(REASON_NO_ROUTE), detail, SLICE("id-1"));
    json_t *v = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(v);
    return v;
}

static const char *
member(json_t *v, const char *name)
{
    return json_string_value(json_object_get(v, name));
}

static void
it_has_the_members_of_a_problem(void **state)
{
    (void)state;
    json_t *v = document(SLICE("nothing \"here\"\n"));
    assert_string_equal(member(v, "type"), "urn:weir:reason:no_route");
    assert_string_equal(member(v, "title"), "No route");
    assert_string_equal(member(v, "detail"), "nothing \"here\"\n");
    assert_string_equal(member(v, "reason"), "no_route");
    assert_string_equal(member(v, "request_id"), "id-1");
    assert_int_equal(json_integer_value(json_object_get(v, "status")), 404);
    json_decref(v);
}

static void
without_a_detail_the_title_stands_for_it(void **state)
{
    (void)state;
    json_t *v = document(SLICE_NONE);
    assert_string_equal(member(v, "detail"), "No route");
    json_decref(v);
}

static void
whatever_is_quoted_it_stays_json(void **state)
{
    static char detail[100000];
    (void)state;
    memset(detail, 1, sizeof detail); /* the longest escape */
    json_decref(document(slice_of(detail, sizeof detail)));
    memset(detail, 0xff, sizeof detail); /* no UTF-8 */
    json_decref(document(slice_of(detail, sizeof detail)));
    for (size_t i = 0; i < sizeof detail; i++)
        detail[i] = "\xc3\xa4"[i % 2]; /* cut in the middle of a character */
    json_decref(document(slice_of(detail + 1, sizeof detail - 1)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_the_members_of_a_problem),
        cmocka_unit_test(without_a_detail_the_title_stands_for_it),
        cmocka_unit_test(whatever_is_quoted_it_stays_json),
    };
    arena_init(&arena);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&arena);
    return rc;
}
