weirmodule_LTLIBRARIES += modules/rate_limit/rate_limit.la
noinst_LTLIBRARIES += modules/rate_limit/libpolicy_rate_limit.la
modules_rate_limit_libpolicy_rate_limit_la_SOURCES = modules/rate_limit/rate_limit.c modules/rate_limit/rate_limit.h \
	modules/rate_limit/rate_limit_conf.c modules/rate_limit/gcra.c modules/rate_limit/gcra.h modules/rate_limit/table.c \
	modules/rate_limit/table.h modules/rate_limit/redis_script.h
modules_rate_limit_libpolicy_rate_limit_la_CFLAGS = $(MODULE_CFLAGS)
modules_rate_limit_rate_limit_la_SOURCES =
modules_rate_limit_rate_limit_la_LDFLAGS = $(MODULE_LDFLAGS)
modules_rate_limit_rate_limit_la_LIBADD = modules/rate_limit/libpolicy_rate_limit.la
EXTRA_DIST += modules/rate_limit/README.md

if HAVE_CMOCKA
check_PROGRAMS += modules/rate_limit/test_gcra
modules_rate_limit_test_gcra_SOURCES = modules/rate_limit/test_gcra.c
modules_rate_limit_test_gcra_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_rate_limit_test_gcra_LDADD = modules/rate_limit/libpolicy_rate_limit.la $(MODULE_TEST_LIBS)
check_PROGRAMS += modules/rate_limit/test_table
modules_rate_limit_test_table_SOURCES = modules/rate_limit/test_table.c
modules_rate_limit_test_table_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_rate_limit_test_table_LDADD = modules/rate_limit/libpolicy_rate_limit.la $(MODULE_TEST_LIBS)
check_PROGRAMS += modules/rate_limit/test_redis_script
modules_rate_limit_test_redis_script_SOURCES = modules/rate_limit/test_redis_script.c
modules_rate_limit_test_redis_script_CFLAGS = $(MODULE_TEST_CFLAGS) $(HIREDIS_CFLAGS)
modules_rate_limit_test_redis_script_LDADD = modules/rate_limit/libpolicy_rate_limit.la $(MODULE_TEST_LIBS)  $(HIREDIS_LIBS)
check_PROGRAMS += modules/rate_limit/test_rate_limit
modules_rate_limit_test_rate_limit_SOURCES = modules/rate_limit/test_rate_limit.c
modules_rate_limit_test_rate_limit_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_rate_limit_test_rate_limit_LDADD = modules/rate_limit/libpolicy_rate_limit.la $(MODULE_TEST_LIBS)
endif
