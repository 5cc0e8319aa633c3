# Policy modules: shared objects on the public ABI alone. What one is made of is a convenience library, so that its unit tests (test_*.c,
# on the host for tests in testing/) link the same objects.
MODULE_LDFLAGS = $(WEIR_LDFLAGS) -module -avoid-version -shared
MODULE_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(OPENSSL_CFLAGS)
noinst_LTLIBRARIES =

include $(top_srcdir)/modules/jwt/local.mk
include $(top_srcdir)/modules/rate_limit/local.mk
include $(top_srcdir)/modules/circuit_breaker/local.mk
include $(top_srcdir)/modules/canary/local.mk
include $(top_srcdir)/modules/grpc_web/local.mk
include $(top_srcdir)/modules/example/local.mk

if HAVE_CMOCKA
MODULE_TEST_CFLAGS = $(MODULE_CFLAGS) $(CMOCKA_CFLAGS)
MODULE_TEST_LIBS = modules/testing/libfakehost.la $(CMOCKA_LIBS)
check_LTLIBRARIES += modules/testing/libfakehost.la
modules_testing_libfakehost_la_SOURCES = modules/testing/fakehost.c modules/testing/fakehost.h \
	modules/testing/fakehost_impl.h modules/testing/fakehost_body.c modules/testing/fakehost_conf.c modules/testing/fakehost_exchange.c \
	modules/testing/fakehost_state.c modules/testing/fakehost_world.c modules/testing/fakeconf.c modules/testing/fakeconf.h
endif
