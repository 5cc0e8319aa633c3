# Unit tests of src/proxy. Their module is built like a real one, and found in libtool's own directory.
check_LTLIBRARIES += tests/unit/proxy/gate.la
tests_unit_proxy_gate_la_SOURCES = tests/unit/proxy/gate.c
tests_unit_proxy_gate_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
PROXY_TEST_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS) \
	-DTEST_MODULES='"$(abs_top_builddir)/tests/unit/proxy/.libs"'
PROXY_TEST_RIG = tests/unit/proxy/rig.c tests/unit/proxy/rig.h tests/unit/proxy/build.h

check_PROGRAMS += tests/unit/proxy/test_exchange tests/unit/proxy/test_explain tests/unit/proxy/test_regex \
	tests/unit/proxy/test_regex_filter tests/unit/proxy/test_regex_literal tests/unit/proxy/test_reply tests/unit/proxy/test_retry tests/unit/proxy/test_route
tests_unit_proxy_test_exchange_SOURCES = tests/unit/proxy/test_exchange.c $(PROXY_TEST_RIG)
tests_unit_proxy_test_exchange_CFLAGS = $(PROXY_TEST_CFLAGS)
tests_unit_proxy_test_exchange_LDADD = $(LIBS_5) $(CMOCKA_LIBS)
tests_unit_proxy_test_explain_SOURCES = tests/unit/proxy/test_explain.c $(PROXY_TEST_RIG)
tests_unit_proxy_test_explain_CFLAGS = $(PROXY_TEST_CFLAGS)
tests_unit_proxy_test_explain_LDADD = $(LIBS_5) $(CMOCKA_LIBS)
tests_unit_proxy_test_regex_SOURCES = tests/unit/proxy/test_regex.c $(PROXY_TEST_RIG)
tests_unit_proxy_test_regex_CFLAGS = $(PROXY_TEST_CFLAGS)
tests_unit_proxy_test_regex_LDADD = $(LIBS_5) $(CMOCKA_LIBS)
tests_unit_proxy_test_regex_filter_SOURCES = tests/unit/proxy/test_regex_filter.c tests/unit/proxy/rig.h
tests_unit_proxy_test_regex_filter_CFLAGS = $(PROXY_TEST_CFLAGS)
tests_unit_proxy_test_regex_filter_LDADD = $(LIBS_5) $(CMOCKA_LIBS)
tests_unit_proxy_test_regex_literal_SOURCES = tests/unit/proxy/test_regex_literal.c tests/unit/proxy/rig.h
tests_unit_proxy_test_regex_literal_CFLAGS = $(PROXY_TEST_CFLAGS)
tests_unit_proxy_test_regex_literal_LDADD = $(LIBS_5) $(CMOCKA_LIBS)
tests_unit_proxy_test_reply_SOURCES = tests/unit/proxy/test_reply.c tests/unit/proxy/rig.h
tests_unit_proxy_test_reply_CFLAGS = $(PROXY_TEST_CFLAGS)
tests_unit_proxy_test_reply_LDADD = $(LIBS_5) $(CMOCKA_LIBS)
tests_unit_proxy_test_retry_SOURCES = tests/unit/proxy/test_retry.c tests/unit/proxy/rig.h
tests_unit_proxy_test_retry_CFLAGS = $(PROXY_TEST_CFLAGS)
tests_unit_proxy_test_retry_LDADD = $(LIBS_5) $(CMOCKA_LIBS)
tests_unit_proxy_test_route_SOURCES = tests/unit/proxy/test_route.c $(PROXY_TEST_RIG)
tests_unit_proxy_test_route_CFLAGS = $(PROXY_TEST_CFLAGS)
tests_unit_proxy_test_route_LDADD = $(LIBS_5) $(CMOCKA_LIBS)
