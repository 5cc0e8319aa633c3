# Unit tests of src/http.
HTTP_TESTS = \
	tests/unit/http/test_chars \
	tests/unit/http/test_token \
	tests/unit/http/test_field \
	tests/unit/http/test_cookie \
	tests/unit/http/test_limit \
	tests/unit/http/test_message \
	tests/unit/http/test_reason \
	tests/unit/http/test_date \
	tests/unit/http/test_uri \
	tests/unit/http/test_uri_path \
	tests/unit/http/test_url \
	tests/unit/http/test_grpc \
	tests/unit/http/test_h1_scan \
	tests/unit/http/test_h1_request \
	tests/unit/http/test_h2_request \
	tests/unit/http/test_h2_response \
	tests/unit/http/test_h1_framing \
	tests/unit/http/test_h1_response \
	tests/unit/http/test_chunked \
	tests/unit/http/test_h1_write \
	tests/unit/http/test_ws_frames
check_PROGRAMS += $(HTTP_TESTS)
EXTRA_DIST += tests/unit/http/http_test.h

tests_unit_http_test_chars_SOURCES = tests/unit/http/test_chars.c
tests_unit_http_test_chars_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_chars_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_token_SOURCES = tests/unit/http/test_token.c
tests_unit_http_test_token_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_token_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_field_SOURCES = tests/unit/http/test_field.c
tests_unit_http_test_field_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_field_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_cookie_SOURCES = tests/unit/http/test_cookie.c
tests_unit_http_test_cookie_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_cookie_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_message_SOURCES = tests/unit/http/test_message.c
tests_unit_http_test_message_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_message_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_reason_SOURCES = tests/unit/http/test_reason.c
tests_unit_http_test_reason_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_reason_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_date_SOURCES = tests/unit/http/test_date.c
tests_unit_http_test_date_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_date_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_uri_SOURCES = tests/unit/http/test_uri.c
tests_unit_http_test_uri_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_uri_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_uri_path_SOURCES = tests/unit/http/test_uri_path.c
tests_unit_http_test_uri_path_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_uri_path_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_url_SOURCES = tests/unit/http/test_url.c
tests_unit_http_test_url_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_url_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_grpc_SOURCES = tests/unit/http/test_grpc.c
tests_unit_http_test_grpc_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_grpc_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_h1_scan_SOURCES = tests/unit/http/test_h1_scan.c
tests_unit_http_test_h1_scan_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_h1_scan_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_h2_request_SOURCES = tests/unit/http/test_h2_request.c
tests_unit_http_test_h2_request_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_h2_request_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)
tests_unit_http_test_h1_request_SOURCES = tests/unit/http/test_h1_request.c
tests_unit_http_test_h1_request_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_h1_request_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_h1_framing_SOURCES = tests/unit/http/test_h1_framing.c
tests_unit_http_test_h1_framing_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_h1_framing_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_h1_response_SOURCES = tests/unit/http/test_h1_response.c
tests_unit_http_test_h1_response_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_h1_response_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_chunked_SOURCES = tests/unit/http/test_chunked.c
tests_unit_http_test_chunked_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_chunked_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_h1_write_SOURCES = tests/unit/http/test_h1_write.c
tests_unit_http_test_h1_write_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_h1_write_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_limit_SOURCES = tests/unit/http/test_limit.c
tests_unit_http_test_limit_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_limit_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_h2_response_SOURCES = tests/unit/http/test_h2_response.c
tests_unit_http_test_h2_response_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_h2_response_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)

tests_unit_http_test_ws_frames_SOURCES = tests/unit/http/test_ws_frames.c
tests_unit_http_test_ws_frames_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_http_test_ws_frames_LDADD = $(LIBS_1_HTTP) $(CMOCKA_LIBS)
