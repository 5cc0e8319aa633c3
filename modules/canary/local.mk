weirmodule_LTLIBRARIES += modules/canary/canary.la
noinst_LTLIBRARIES += modules/canary/libpolicy_canary.la
modules_canary_libpolicy_canary_la_SOURCES = modules/canary/canary.c modules/canary/canary.h modules/canary/canary_conf.c \
	modules/canary/canary_admin.c modules/canary/split.c modules/canary/split.h modules/canary/cookie.c modules/canary/cookie.h
modules_canary_libpolicy_canary_la_CFLAGS = $(MODULE_CFLAGS)
modules_canary_canary_la_SOURCES =
modules_canary_canary_la_LDFLAGS = $(MODULE_LDFLAGS)
modules_canary_canary_la_LIBADD = modules/canary/libpolicy_canary.la $(JANSSON_LIBS) $(OPENSSL_LIBS) -lm
EXTRA_DIST += modules/canary/README.md

if HAVE_CMOCKA
check_PROGRAMS += modules/canary/test_split
modules_canary_test_split_SOURCES = modules/canary/test_split.c
modules_canary_test_split_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_canary_test_split_LDADD = modules/canary/libpolicy_canary.la $(MODULE_TEST_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS) -lm -lm
check_PROGRAMS += modules/canary/test_cookie
modules_canary_test_cookie_SOURCES = modules/canary/test_cookie.c
modules_canary_test_cookie_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_canary_test_cookie_LDADD = modules/canary/libpolicy_canary.la $(MODULE_TEST_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS) -lm
check_PROGRAMS += modules/canary/test_canary
modules_canary_test_canary_SOURCES = modules/canary/test_canary.c
modules_canary_test_canary_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_canary_test_canary_LDADD = modules/canary/libpolicy_canary.la $(MODULE_TEST_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS) -lm
endif
