# Unit tests of src/proxy. Their module is built like a real one, and found in libtool's own directory.
check_LTLIBRARIES += tests/unit/proxy/gate.la
tests_unit_proxy_gate_la_SOURCES = tests/unit/proxy/gate.c
tests_unit_proxy_gate_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
PROXY_TEST_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -DTEST_MODULES='"$(abs_top_builddir)/tests/unit/proxy/.libs"'
PROXY_TEST_RIG = tests/unit/proxy/rig.c tests/unit/proxy/rig.h

check_PROGRAMS += tests/unit/proxy/test_exchange
tests_unit_proxy_test_exchange_SOURCES = tests/unit/proxy/test_exchange.c $(PROXY_TEST_RIG)
tests_unit_proxy_test_exchange_CFLAGS = $(PROXY_TEST_CFLAGS)
tests_unit_proxy_test_exchange_LDADD = $(LIBS_5) $(CMOCKA_LIBS)
