# Fuzz targets. With --enable-fuzzers libFuzzer drives them (make fuzz); else each is a check program that replays its
# corpus.
FUZZ_TARGETS = tests/fuzz/fuzz_request tests/fuzz/fuzz_response tests/fuzz/fuzz_chunked tests/fuzz/fuzz_uri \
	tests/fuzz/fuzz_find \
	tests/fuzz/fuzz_conf tests/fuzz/fuzz_template tests/fuzz/fuzz_reply tests/fuzz/fuzz_token tests/fuzz/fuzz_jwks \
	tests/fuzz/fuzz_canary_cookie tests/fuzz/fuzz_down_h1 tests/fuzz/fuzz_down_h2 tests/fuzz/fuzz_up_h1 tests/fuzz/fuzz_up_h2 tests/fuzz/fuzz_proxy_header \
	tests/fuzz/fuzz_proxy tests/fuzz/fuzz_load tests/fuzz/fuzz_variable tests/fuzz/fuzz_ws_frames tests/fuzz/fuzz_grpc_web
FUZZ_LIB = tests/fuzz/libfuzz.a
tests_fuzz_libfuzz_a_SOURCES = tests/fuzz/fuzz.c tests/fuzz/fuzz.h tests/fuzz/wire.c tests/fuzz/wire.h
tests_fuzz_libfuzz_a_CFLAGS = $(AM_CFLAGS)
if FUZZERS
noinst_PROGRAMS += $(FUZZ_TARGETS)
noinst_LIBRARIES += $(FUZZ_LIB)
else
check_PROGRAMS += $(FUZZ_TARGETS)
check_LIBRARIES += $(FUZZ_LIB)
tests_fuzz_libfuzz_a_SOURCES += tests/fuzz/replay.c
tests_fuzz_libfuzz_a_CFLAGS += -DFUZZ_CORPUS='"$(abs_top_srcdir)/tests/fuzz/corpus"'
endif
EXTRA_DIST += tests/fuzz/README.md tests/fuzz/run.sh tests/fuzz/corpus tests/fuzz/dict

# The engine brings a main: of these programs alone.
LDFLAGS_FUZZ = $(AM_LDFLAGS) $(WEIR_FUZZ_LDFLAGS)

tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c
tests_fuzz_fuzz_request_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_request_LDADD = $(FUZZ_LIB) $(LIBS_1_HTTP)
tests_fuzz_fuzz_response_SOURCES = tests/fuzz/fuzz_response.c
tests_fuzz_fuzz_response_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_response_LDADD = $(FUZZ_LIB) $(LIBS_1_HTTP)
tests_fuzz_fuzz_chunked_SOURCES = tests/fuzz/fuzz_chunked.c
tests_fuzz_fuzz_chunked_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_chunked_LDADD = $(FUZZ_LIB) $(LIBS_1_HTTP)
tests_fuzz_fuzz_uri_SOURCES = tests/fuzz/fuzz_uri.c
tests_fuzz_fuzz_uri_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_uri_LDADD = $(FUZZ_LIB) $(LIBS_1_HTTP)
tests_fuzz_fuzz_find_SOURCES = tests/fuzz/fuzz_find.c
tests_fuzz_fuzz_find_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_find_LDADD = $(FUZZ_LIB) $(LIBS_1_HTTP)
tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c
tests_fuzz_fuzz_conf_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_conf_LDADD = $(FUZZ_LIB) $(LIBS_7)
tests_fuzz_fuzz_template_SOURCES = tests/fuzz/fuzz_template.c
tests_fuzz_fuzz_template_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_template_LDADD = $(FUZZ_LIB) $(LIBS_4_POLICY)
tests_fuzz_fuzz_reply_SOURCES = tests/fuzz/fuzz_reply.c
tests_fuzz_fuzz_reply_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_reply_LDADD = $(FUZZ_LIB) $(LIBS_4_STORE)
tests_fuzz_fuzz_token_SOURCES = tests/fuzz/fuzz_token.c
tests_fuzz_fuzz_token_CFLAGS = $(MODULE_CFLAGS)
tests_fuzz_fuzz_token_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_token_LDADD = $(FUZZ_LIB) modules/jwt/libpolicy_jwt.la $(LIBS_1_HTTP) $(JANSSON_LIBS) $(OPENSSL_LIBS)
tests_fuzz_fuzz_jwks_SOURCES = tests/fuzz/fuzz_jwks.c
tests_fuzz_fuzz_jwks_CFLAGS = $(MODULE_CFLAGS)
tests_fuzz_fuzz_jwks_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_jwks_LDADD = $(FUZZ_LIB) modules/jwt/libpolicy_jwt.la $(LIBS_1_HTTP) $(JANSSON_LIBS) $(OPENSSL_LIBS)
tests_fuzz_fuzz_canary_cookie_SOURCES = tests/fuzz/fuzz_canary_cookie.c
tests_fuzz_fuzz_canary_cookie_CFLAGS = $(MODULE_CFLAGS)
tests_fuzz_fuzz_canary_cookie_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_canary_cookie_LDADD = $(FUZZ_LIB) modules/canary/libpolicy_canary.la $(LIBS_1_HTTP) $(JANSSON_LIBS) \
	$(OPENSSL_LIBS)
tests_fuzz_fuzz_grpc_web_SOURCES = tests/fuzz/fuzz_grpc_web.c
tests_fuzz_fuzz_grpc_web_CFLAGS = $(MODULE_CFLAGS)
tests_fuzz_fuzz_grpc_web_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_grpc_web_LDADD = $(FUZZ_LIB) modules/grpc_web/libpolicy_grpc_web.la $(LIBS_1_HTTP)
tests_fuzz_fuzz_ws_frames_SOURCES = tests/fuzz/fuzz_ws_frames.c
tests_fuzz_fuzz_ws_frames_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_ws_frames_LDADD = $(FUZZ_LIB) $(LIBS_1_HTTP)
tests_fuzz_fuzz_down_h1_SOURCES = tests/fuzz/fuzz_down_h1.c
tests_fuzz_fuzz_down_h1_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_down_h1_LDADD = $(FUZZ_LIB) $(LIBS_3)
tests_fuzz_fuzz_down_h2_SOURCES = tests/fuzz/fuzz_down_h2.c
tests_fuzz_fuzz_down_h2_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_down_h2_LDADD = $(FUZZ_LIB) $(LIBS_3)
tests_fuzz_fuzz_up_h1_SOURCES = tests/fuzz/fuzz_up_h1.c
tests_fuzz_fuzz_up_h1_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_up_h1_LDADD = $(FUZZ_LIB) $(LIBS_3)
tests_fuzz_fuzz_up_h2_SOURCES = tests/fuzz/fuzz_up_h2.c
tests_fuzz_fuzz_up_h2_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_up_h2_LDADD = $(FUZZ_LIB) $(LIBS_3)
tests_fuzz_fuzz_proxy_header_SOURCES = tests/fuzz/fuzz_proxy_header.c
tests_fuzz_fuzz_proxy_header_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_proxy_header_LDADD = $(FUZZ_LIB) $(LIBS_2)
tests_fuzz_fuzz_proxy_SOURCES = tests/fuzz/fuzz_proxy.c tests/fuzz/gateway.c tests/fuzz/gateway.h tests/fuzz/strict.c \
	tests/fuzz/strict.h
tests_fuzz_fuzz_proxy_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_proxy_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_proxy_LDADD = $(FUZZ_LIB) $(LIBS_5)
tests_fuzz_fuzz_variable_SOURCES = tests/fuzz/fuzz_variable.c
tests_fuzz_fuzz_variable_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_variable_LDADD = $(FUZZ_LIB) $(LIBS_4_POLICY)
tests_fuzz_fuzz_load_SOURCES = tests/fuzz/fuzz_load.c
tests_fuzz_fuzz_load_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) -DFUZZ_MODULES='"$(abs_top_builddir)/modules"'
tests_fuzz_fuzz_load_LDFLAGS = $(LDFLAGS_FUZZ)
tests_fuzz_fuzz_load_LDADD = $(FUZZ_LIB) $(LIBS_7) $(SYSTEMD_LIBS)

# FUZZ_SECONDS for each target; FUZZ="request uri" for some of them. New inputs are kept in tests/fuzz/work of the build
# directory.
FUZZ_SECONDS = 60
FUZZ =
.PHONY: fuzz
if FUZZERS
fuzz: $(FUZZ_TARGETS)
	$(top_srcdir)/tests/fuzz/run.sh $(FUZZ_SECONDS) $(top_srcdir)/tests/fuzz tests/fuzz $(FUZZ)
else
fuzz:
	@echo "make fuzz needs libFuzzer: configure --enable-fuzzers CC=clang"; exit 1
endif
fuzz-clean:
	rm -rf tests/fuzz/work tests/fuzz/findings
clean-local: fuzz-clean
.PHONY: fuzz-clean
