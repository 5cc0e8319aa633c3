weirmodule_LTLIBRARIES += modules/circuit_breaker/circuit_breaker.la
noinst_LTLIBRARIES += modules/circuit_breaker/libpolicy_circuit_breaker.la
modules_circuit_breaker_libpolicy_circuit_breaker_la_SOURCES = modules/circuit_breaker/circuit_breaker.c \
	modules/circuit_breaker/circuit_breaker.h modules/circuit_breaker/circuit_breaker_conf.c modules/circuit_breaker/breaker.c \
	modules/circuit_breaker/breaker.h
modules_circuit_breaker_libpolicy_circuit_breaker_la_CFLAGS = $(MODULE_CFLAGS)
modules_circuit_breaker_circuit_breaker_la_SOURCES =
modules_circuit_breaker_circuit_breaker_la_LDFLAGS = $(MODULE_LDFLAGS)
modules_circuit_breaker_circuit_breaker_la_LIBADD = modules/circuit_breaker/libpolicy_circuit_breaker.la $(JANSSON_LIBS)
EXTRA_DIST += modules/circuit_breaker/README.md

if HAVE_CMOCKA
check_PROGRAMS += modules/circuit_breaker/test_breaker
modules_circuit_breaker_test_breaker_SOURCES = modules/circuit_breaker/test_breaker.c
modules_circuit_breaker_test_breaker_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_circuit_breaker_test_breaker_LDADD = modules/circuit_breaker/libpolicy_circuit_breaker.la $(MODULE_TEST_LIBS) $(JANSSON_LIBS)
check_PROGRAMS += modules/circuit_breaker/test_circuit_breaker
modules_circuit_breaker_test_circuit_breaker_SOURCES = modules/circuit_breaker/test_circuit_breaker.c
modules_circuit_breaker_test_circuit_breaker_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_circuit_breaker_test_circuit_breaker_LDADD = modules/circuit_breaker/libpolicy_circuit_breaker.la $(MODULE_TEST_LIBS) $(JANSSON_LIBS)
endif
