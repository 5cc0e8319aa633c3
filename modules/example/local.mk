weirmodule_LTLIBRARIES += modules/example/example.la
noinst_LTLIBRARIES += modules/example/libpolicy_example.la
modules_example_libpolicy_example_la_SOURCES = modules/example/example.c
modules_example_libpolicy_example_la_CFLAGS = $(MODULE_CFLAGS)
modules_example_example_la_SOURCES =
modules_example_example_la_LDFLAGS = $(MODULE_LDFLAGS)
modules_example_example_la_LIBADD = modules/example/libpolicy_example.la
EXTRA_DIST += modules/example/README.md

if HAVE_CMOCKA
check_PROGRAMS += modules/example/test_example
modules_example_test_example_SOURCES = modules/example/test_example.c
modules_example_test_example_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_example_test_example_LDADD = modules/example/libpolicy_example.la $(MODULE_TEST_LIBS)
endif
