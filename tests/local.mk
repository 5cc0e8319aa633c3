# Unit tests mirror src/; tests/system is pytest against the real daemon.
if HAVE_CMOCKA
include $(top_srcdir)/tests/unit/base/local.mk
include $(top_srcdir)/tests/unit/conf/local.mk
include $(top_srcdir)/tests/unit/http/local.mk
include $(top_srcdir)/tests/unit/event/local.mk
include $(top_srcdir)/tests/unit/stats/local.mk
include $(top_srcdir)/tests/unit/net/local.mk
include $(top_srcdir)/tests/unit/session/local.mk
include $(top_srcdir)/tests/unit/upstream/local.mk
include $(top_srcdir)/tests/unit/store/local.mk
include $(top_srcdir)/tests/unit/observe/local.mk
include $(top_srcdir)/tests/unit/policy/local.mk
include $(top_srcdir)/tests/unit/proxy/local.mk
include $(top_srcdir)/tests/unit/admin/local.mk
include $(top_srcdir)/tests/unit/daemon/local.mk
endif
include $(top_srcdir)/tests/fuzz/local.mk
TESTS += $(check_PROGRAMS)
include $(top_srcdir)/tests/bench/local.mk

# Includes point down the levels, and the caps of style hold.
dist_check_SCRIPTS += tests/layers.sh
TESTS += tests/layers.sh

# clang-tidy and cppcheck, with the flags of this build.
ANALYSE_FLAGS = $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(CPPFLAGS) $(EVENT_CFLAGS) $(OPENSSL_CFLAGS) $(JANSSON_CFLAGS) \
	$(JWT_CFLAGS) $(HIREDIS_CFLAGS) $(CARES_CFLAGS) $(PCRE2_CFLAGS) $(CMOCKA_CFLAGS)
analyse: config.h $(BUILT_SOURCES)
	@CC="$(CC)" $(top_srcdir)/tests/analyse.sh $(top_srcdir) $(ANALYSE_FLAGS)
.PHONY: analyse
EXTRA_DIST += .clang-tidy tests/analyse.sh tests/analyse/clang-tidy.suppressions tests/analyse/cppcheck.suppressions
