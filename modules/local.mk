# Policy modules: shared objects on the public ABI alone. Their unit tests drive them through a host made for tests (testing/).
MODULE_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared
FAKEHOST = modules/testing/fakehost.c modules/testing/fakehost.h modules/testing/fakeconf.c modules/testing/fakeconf.h

include $(top_srcdir)/modules/jwt/local.mk
include $(top_srcdir)/modules/rate_limit/local.mk
include $(top_srcdir)/modules/circuit_breaker/local.mk
include $(top_srcdir)/modules/canary/local.mk
include $(top_srcdir)/modules/example/local.mk
