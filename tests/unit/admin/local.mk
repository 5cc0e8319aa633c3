# Unit tests of src/admin.
check_PROGRAMS += tests/unit/admin/test_admin
tests_unit_admin_test_admin_SOURCES = tests/unit/admin/test_admin.c $(PROXY_TEST_RIG)
tests_unit_admin_test_admin_CFLAGS = $(PROXY_TEST_CFLAGS)
tests_unit_admin_test_admin_LDADD = $(LIBS_6) $(CMOCKA_LIBS)
