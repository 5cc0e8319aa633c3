#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../testing/fakehost.h"

#include <string.h>

extern const struct weir_module weir_module;

static int
setup(void **state)
{
    fake_begin(&weir_module);
    fake_configure("grpc_web;");
    return 0;
}

static int
teardown(void **state)
{
    fake_end();
    return 0;
}

/* A request of this type, which has passed the request phase. */
static struct weir_exchange *
begin(const char *type, const char *accept)
{
    struct weir_exchange *x = fake_exchange();

    if (type)
        fake_request_header(x, "content-type", type);
    if (accept)
        fake_request_header(x, "accept", accept);
    assert_int_equal(weir_module.request(x, NULL), WEIR_CONTINUE);
    return x;
}

static void
answer(struct weir_exchange *x, const char *type)
{
    fake_response_header(x, "content-type", type);
    weir_module.response(x, NULL);
}

static void
media_types_are_translated(void **state)
{
    static const struct {
        const char *web, *accept, *grpc, *answered, *back;
    } rows[] = {
        { "application/grpc-web", NULL, "application/grpc", "application/grpc", "application/grpc-web" },
        { "application/grpc-web+proto", "*/*", "application/grpc+proto", "application/grpc",
          "application/grpc-web+proto" },
        { "application/grpc-web+json", NULL, "application/grpc+json", "application/grpc+json",
          "application/grpc-web+json" },
        { "Application/gRPC-Web-Text+proto;charset=utf-8", NULL, "application/grpc+proto", "application/grpc+proto",
          "application/grpc-web-text+proto" },
        { "application/grpc-web-text", "application/grpc-web-text", "application/grpc", "application/grpc",
          "application/grpc-web-text" },
        { "application/grpc-web-text-base64+proto", NULL, "application/grpc+proto", "application/grpc",
          "application/grpc-web-text+proto" },
        { "application/grpc-web+proto", "text/html, application/grpc-web-text", "application/grpc+proto",
          "application/grpc", "application/grpc-web-text+proto" },
        { "application/grpc-web-text+proto", "application/grpc-web+proto", "application/grpc+proto", "application/grpc",
          "application/grpc-web+proto" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct weir_exchange *x = begin(rows[i].web, rows[i].accept);

        assert_string_equal(fake_header(&x->request, "content-type"), rows[i].grpc);
        assert_string_equal(fake_header(&x->request, "te"), "trailers");
        answer(x, rows[i].answered);
        assert_string_equal(fake_header(&x->response, "content-type"), rows[i].back);
        assert_int_equal(x->use[WEIR_BODY_RESPONSE], WEIR_BODY_CHANGE);
        fake_exchange_free(x);
    }
}

static void
all_else_passes(void **state)
{
    static const char *const types[] = { NULL,
                                         "application/grpc",
                                         "application/grpc+proto",
                                         "application/grpc-website",
                                         "application/grpc-web-texts",
                                         "application/json",
                                         "" };

    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        struct weir_exchange *x = begin(types[i], NULL);

        assert_null(fake_header(&x->request, "te"));
        answer(x, "application/grpc");
        assert_string_equal(fake_header(&x->response, "content-type"), "application/grpc");
        assert_int_equal(x->use[WEIR_BODY_REQUEST], WEIR_BODY_SKIP);
        assert_int_equal(x->use[WEIR_BODY_RESPONSE], WEIR_BODY_SKIP);
        fake_exchange_free(x);
    }
}

static void
an_answer_that_is_no_grpc_passes(void **state)
{
    struct weir_exchange *x = begin("application/grpc-web-text", NULL);

    answer(x, "application/problem+json");
    assert_string_equal(fake_header(&x->response, "content-type"), "application/problem+json");
    assert_int_equal(x->use[WEIR_BODY_RESPONSE], WEIR_BODY_SKIP);
    fake_exchange_free(x);
}

#define FRAME "\0\0\0\0\5hello"
#define FRAME_N 10
#define FRAME_TEXT "AAAAAAVoZWxsbw=="

static void
the_request_is_decoded_however_it_is_cut(void **state)
{
    for (size_t cut = 0; cut <= strlen(FRAME_TEXT); cut++) {
        struct weir_exchange *x = begin("application/grpc-web-text+proto", NULL);

        assert_int_equal(fake_body(x, WEIR_BODY_REQUEST, FRAME_TEXT, cut, false), WEIR_CONTINUE);
        assert_int_equal(fake_body(x, WEIR_BODY_REQUEST, &FRAME_TEXT[cut], strlen(FRAME_TEXT) - cut, true),
                         WEIR_CONTINUE);
        assert_int_equal(x->n_body, FRAME_N);
        assert_memory_equal(x->body, FRAME, FRAME_N);
        fake_exchange_free(x);
    }
}

static void
a_long_request_is_decoded(void **state)
{
    struct weir_exchange *x = begin("application/grpc-web-text", NULL);
    char text[10000];

    memset(text, 'A', sizeof(text));
    assert_int_equal(fake_body(x, WEIR_BODY_REQUEST, text, sizeof(text), true), WEIR_CONTINUE);
    assert_int_equal(x->n_body, 7500);
    fake_exchange_free(x);
}

static void
text_that_is_none_is_refused(void **state)
{
    struct weir_exchange *x = begin("application/grpc-web-text", NULL);

    assert_int_equal(fake_body(x, WEIR_BODY_REQUEST, "AA{A", 4, false), WEIR_REFUSED);
    assert_string_equal(x->reason, "grpc_web_bad_body");
    fake_exchange_free(x);
    x = begin("application/grpc-web-text", NULL);
    assert_int_equal(fake_body(x, WEIR_BODY_REQUEST, "AAAAA", 5, true), WEIR_REFUSED);
    assert_string_equal(x->reason, "grpc_web_bad_body");
    fake_exchange_free(x);
}

static void
trailers_are_the_last_frame(void **state)
{
    static const char end[] = FRAME "\x80\0\0\0\x2fgrpc-status: 5\r\ngrpc-message: no\r\nx-mine: A B\r\n";
    struct weir_exchange *x = begin("application/grpc-web+proto", NULL);

    answer(x, "application/grpc");
    fake_body(x, WEIR_BODY_RESPONSE, FRAME, FRAME_N, false);
    assert_int_equal(x->n_body, FRAME_N);
    fake_trailer(x, "Grpc-Status", "5");
    fake_trailer(x, "grpc-message", "no");
    fake_trailer(x, "X-Mine", "A B");
    fake_body(x, WEIR_BODY_RESPONSE, "", 0, true);
    assert_int_equal(x->n_body, sizeof(end) - 1);
    assert_memory_equal(x->body, end, sizeof(end) - 1);
    assert_int_equal(x->trailers.n, 0);
    fake_exchange_free(x);
}

/* A message is there for the client as soon as it has come, and nothing is padded inside of one. */
static void
text_is_flushed_behind_each_message(void **state)
{
    for (size_t cut = 1; cut < FRAME_N; cut++) {
        struct weir_exchange *x = begin("application/grpc-web-text", NULL);

        answer(x, "application/grpc");
        fake_body(x, WEIR_BODY_RESPONSE, FRAME, cut, false);
        assert_int_equal(x->n_body, cut / 3 * 4);
        fake_body(x, WEIR_BODY_RESPONSE, &FRAME[cut], FRAME_N - cut, false);
        assert_string_equal(x->body, FRAME_TEXT);
        fake_trailer(x, "grpc-status", "0");
        fake_body(x, WEIR_BODY_RESPONSE, "", 0, true);
        assert_string_equal(x->body, FRAME_TEXT "gAAAABBncnBjLXN0YXR1czogMA0K");
        fake_exchange_free(x);
    }
}

static void
an_answer_without_a_status_is_unknown(void **state)
{
    struct weir_exchange *x = begin("application/grpc-web", NULL);

    answer(x, "application/grpc");
    fake_body(x, WEIR_BODY_RESPONSE, FRAME, FRAME_N, true);
    assert_non_null(memmem(x->body, x->n_body, "grpc-status: 2\r\n", 16));
    fake_exchange_free(x);

    x = begin("application/grpc-web", NULL);
    fake_response_header(x, "grpc-status", "7");
    answer(x, "application/grpc");
    fake_body(x, WEIR_BODY_RESPONSE, "", 0, true);
    assert_int_equal(x->n_body, 0); /* it stands in the head */
    fake_exchange_free(x);
}

/* The frame of the trailers would be taken for the rest of the message. */
static void
an_answer_that_ends_inside_a_message_is_refused(void **state)
{
    struct weir_exchange *x = begin("application/grpc-web", NULL);

    answer(x, "application/grpc");
    assert_int_equal(fake_body(x, WEIR_BODY_RESPONSE, FRAME, FRAME_N - 1, false), WEIR_CONTINUE);
    fake_trailer(x, "grpc-status", "0");
    assert_int_equal(fake_body(x, WEIR_BODY_RESPONSE, "", 0, true), WEIR_REFUSED);
    assert_string_equal(x->reason, "grpc_web_bad_answer");
    fake_exchange_free(x);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(media_types_are_translated, setup, teardown),
        cmocka_unit_test_setup_teardown(all_else_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_is_no_grpc_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(the_request_is_decoded_however_it_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_request_is_decoded, setup, teardown),
        cmocka_unit_test_setup_teardown(text_that_is_none_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(trailers_are_the_last_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(text_is_flushed_behind_each_message, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_without_a_status_is_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_ends_inside_a_message_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
