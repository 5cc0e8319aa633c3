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

# What starts threads; make check-threads in a build with --enable-tsan.
THREAD_TESTS = tests/unit/base/test_clock tests/unit/base/test_log tests/unit/base/test_random tests/unit/daemon/test_client \
	tests/unit/event/test_mailbox tests/unit/event/test_offload tests/unit/event/test_watchdog tests/unit/event/test_worker \
	tests/unit/net/test_listener tests/unit/net/test_resolver tests/unit/net/test_tls_conn tests/unit/observe/test_access_log \
	tests/unit/policy/test_fetch tests/unit/policy/test_state tests/unit/proxy/test_exchange tests/unit/stats/test_shard \
	tests/unit/store/test_store_workers tests/unit/upstream/test_names tests/unit/upstream/test_pool \
	tests/unit/upstream/test_slots modules/circuit_breaker/test_breaker modules/jwt/test_cache \
	modules/rate_limit/test_redis_script modules/rate_limit/test_table
check-threads:
	@$(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS="$(THREAD_TESTS)" check_PROGRAMS="$(THREAD_TESTS)"
.PHONY: check-threads

# clang-tidy and cppcheck, with the flags of this build.
ANALYSE_FLAGS = $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(CPPFLAGS) $(EVENT_CFLAGS) $(OPENSSL_CFLAGS) $(JANSSON_CFLAGS) \
	$(JWT_CFLAGS) $(HIREDIS_CFLAGS) $(CARES_CFLAGS) $(PCRE2_CFLAGS) $(CMOCKA_CFLAGS)
analyse: config.h $(BUILT_SOURCES)
	@CC="$(CC)" $(top_srcdir)/tests/analyse.sh $(top_srcdir) $(ANALYSE_FLAGS)
.PHONY: analyse
EXTRA_DIST += tests/helm/render.go .clang-tidy tests/analyse.sh tests/analyse/clang-tidy.suppressions tests/analyse/cppcheck.suppressions
