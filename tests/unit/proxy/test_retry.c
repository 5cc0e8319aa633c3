#include "rig.h"

#include "../../../src/proxy/retry.h"

#include <stdlib.h>
#include <string.h>

#define S NSEC_PER_SEC
#define UNKNOWN METHOD_COUNT /* METHOD_OTHER is what is not said */

static const struct row {
    const char *what;
    struct retry_facts f; /* method GET, left 1 s, attempts 1, replayable unless said otherwise */
    const char *why;
} rows[] = {
    { "a failed connect is listed", { .result = WEIR_RESULT_CONNECT_FAILED }, "retry" },
    { "so is one that took too long", { .result = WEIR_RESULT_CONNECT_TIMEOUT }, "retry" },
    { "a reset", { .result = WEIR_RESULT_RESET, .wrote = true }, "retry" },
    { "an answer that is no HTTP", { .result = WEIR_RESULT_BAD_RESPONSE, .wrote = true }, "retry" },
    { "a timeout is not", { .result = WEIR_RESULT_TIMEOUT, .wrote = true }, "not_listed" },
    { "a listed status", { .result = WEIR_RESULT_ERROR_STATUS, .status = 503, .wrote = true }, "retry" },
    { "another status", { .result = WEIR_RESULT_ERROR_STATUS, .status = 500, .wrote = true }, "not_listed" },
    { "a status out of range", { .result = WEIR_RESULT_ERROR_STATUS, .status = 950, .wrote = true }, "not_listed" },
    { "weir's own limits", { .result = WEIR_RESULT_CANCELLED }, "not_listed" },
    { "a POST that never left", { .method = METHOD_POST, .result = WEIR_RESULT_CONNECT_FAILED }, "retry" },
    { "a POST that may have arrived", { .method = METHOD_POST, .result = WEIR_RESULT_RESET, .wrote = true },
      "not_idempotent" },
    { "a PATCH", { .method = METHOD_PATCH, .result = WEIR_RESULT_RESET, .wrote = true }, "not_idempotent" },
    { "an unknown method", { .method = UNKNOWN, .result = WEIR_RESULT_RESET, .wrote = true }, "not_idempotent" },
    { "a PUT", { .method = METHOD_PUT, .result = WEIR_RESULT_RESET, .wrote = true }, "retry" },
    { "all tries made", { .result = WEIR_RESULT_RESET, .attempts = 3 }, "attempts_used" },
    { "the last try", { .result = WEIR_RESULT_RESET, .attempts = 2 }, "retry" },
    { "no time left", { .result = WEIR_RESULT_RESET, .left = -1 }, "deadline" },
    { "the client has seen a part", { .result = WEIR_RESULT_RESET, .responded = true }, "response_begun" },
    { "a stale connection", { .result = WEIR_RESULT_RESET, .wrote = true, .stale = true }, "stale_connection" },
    { "stale beyond all tries", { .result = WEIR_RESULT_RESET, .stale = true, .attempts = 3 }, "stale_connection" },
    { "stale for the second time", { .result = WEIR_RESULT_RESET, .stale = true, .stale_used = true }, "retry" },
    { "left out again",
      { .result = WEIR_RESULT_RESET, .stale = true, .stale_used = true, .left_out = true, .attempts = 4 },
      "stale_connection" },
    { "left out once too often",
      { .result = WEIR_RESULT_RESET, .stale = true, .stale_used = true, .left_out = true, .attempts = 5 },
      "attempts_used" },
    { "stale, but a POST that may have arrived",
      { .method = METHOD_POST, .result = WEIR_RESULT_RESET, .wrote = true, .stale = true }, "not_idempotent" },
    { "stale, and a POST that was not sent", { .method = METHOD_POST, .result = WEIR_RESULT_RESET, .stale = true },
      "stale_connection" },
    { "a call of gRPC that ends with a listed status",
      { .method = METHOD_POST, .result = WEIR_RESULT_ERROR_STATUS, .status = 503, .grpc = GRPC_UNAVAILABLE,
        .wrote = true },
      "retry" },
    { "one that is no failure of the origin",
      { .method = METHOD_POST, .result = WEIR_RESULT_ERROR_STATUS, .status = 429, .grpc = GRPC_RESOURCE_EXHAUSTED,
        .wrote = true },
      "retry" },
    { "one whose status is not listed, though what stands for it is",
      { .result = WEIR_RESULT_ERROR_STATUS, .status = 503, .grpc = GRPC_INTERNAL, .wrote = true }, "not_listed" },
    { "the same, of a POST",
      { .method = METHOD_POST, .result = WEIR_RESULT_ERROR_STATUS, .status = 503, .grpc = GRPC_INTERNAL,
        .wrote = true },
      "not_idempotent" },
    { "one whose origin bids to wait",
      { .method = METHOD_POST, .result = WEIR_RESULT_ERROR_STATUS, .status = 503, .grpc = GRPC_UNAVAILABLE,
        .wrote = true, .told_to_wait = true },
      "pushback" },
    { "one that has used all tries",
      { .method = METHOD_POST, .result = WEIR_RESULT_ERROR_STATUS, .status = 503, .grpc = GRPC_UNAVAILABLE,
        .wrote = true, .attempts = 3 },
      "attempts_used" },
    { "a POST with a listed status of HTTP is no call",
      { .method = METHOD_POST, .result = WEIR_RESULT_ERROR_STATUS, .status = 503, .wrote = true }, "not_idempotent" },
};

static struct retry_conf conf = { .attempts = 3,
                                  .on = RETRY_ON_CONNECT_FAILURE | RETRY_ON_RESET,
                                  .grpc = 1u << GRPC_UNAVAILABLE | 1u << GRPC_RESOURCE_EXHAUSTED };

static void
every_rule(void **state)
{
    (void)state;
    conf.status[(503 - 100) / 8] |= 1 << (503 - 100) % 8;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct retry_facts f = rows[i].f;
        f.method = f.method == UNKNOWN ? METHOD_OTHER : f.method ? f.method : METHOD_GET;
        f.left = f.left < 0 ? 0 : S;
        f.attempts = f.attempts ? f.attempts : 1;
        f.body_replayable = true;
        struct retry_answer a = retry_decide(&conf, &f);
        bool again = !strcmp(rows[i].why, "retry") || !strcmp(rows[i].why, "stale_connection");
        if (strcmp(a.why, rows[i].why) != 0 || a.again != again)
            fail_msg("%s: %s, and not %s", rows[i].what, a.why, rows[i].why);
        assert_int_equal(a.fresh, !strcmp(a.why, "stale_connection"));
        assert_int_equal(a.budget, !strcmp(a.why, "retry")); /* the race costs no budget */
    }
}

static void
a_body_that_is_gone_is_not_repeated(void **state)
{
    struct retry_facts f = { .method = METHOD_PUT, .result = WEIR_RESULT_RESET, .attempts = 1, .left = S,
                             .stale = true };
    (void)state;
    assert_false(retry_decide(&conf, &f).again);
    f.body_replayable = true;
    assert_true(retry_decide(&conf, &f).again);
}

static void
without_a_retry_block_only_the_stale_one(void **state)
{
    const struct retry_conf none = { .attempts = 1 };
    struct retry_facts f = { .method = METHOD_GET, .result = WEIR_RESULT_CONNECT_FAILED, .attempts = 1, .left = S,
                             .body_replayable = true };
    (void)state;
    assert_false(retry_decide(&none, &f).again);
    f.stale = true;
    f.result = WEIR_RESULT_RESET;
    assert_true(retry_decide(&none, &f).fresh);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule),
        cmocka_unit_test(a_body_that_is_gone_is_not_repeated),
        cmocka_unit_test(without_a_retry_block_only_the_stale_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
