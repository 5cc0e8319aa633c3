# Unit tests of src/policy. Their modules are built like real ones, and found in libtool's own directory.
TEST_MODULE_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere
check_LTLIBRARIES += \
	tests/unit/policy/probe.la \
	tests/unit/policy/giver.la \
	tests/unit/policy/late_giver.la \
	tests/unit/policy/good.la \
	tests/unit/policy/old.la \
	tests/unit/policy/bodies.la \
	tests/unit/policy/bad_major.la \
	tests/unit/policy/bad_minor.la \
	tests/unit/policy/bad_size.la \
	tests/unit/policy/bad_symbol.la \
	tests/unit/policy/bad_name.la \
	tests/unit/policy/bad_directive.la \
	tests/unit/policy/bad_reason.la \
	tests/unit/policy/bad_variable.la \
	tests/unit/policy/bad_load.la
tests_unit_policy_probe_la_SOURCES = tests/unit/policy/probe.c tests/unit/policy/probe.h
tests_unit_policy_probe_la_CFLAGS = $(AM_CFLAGS)
tests_unit_policy_probe_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
tests_unit_policy_giver_la_SOURCES = tests/unit/policy/giver.c
tests_unit_policy_giver_la_CFLAGS = $(AM_CFLAGS) -DGIVER_NAME='"giver"'
tests_unit_policy_giver_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
tests_unit_policy_late_giver_la_SOURCES = tests/unit/policy/giver.c
tests_unit_policy_late_giver_la_CFLAGS = $(AM_CFLAGS) -DGIVER_NAME='"late_giver"' -DGIVER_TARGET
tests_unit_policy_late_giver_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
tests_unit_policy_old_la_SOURCES = tests/unit/policy/old.c tests/unit/policy/old.h
tests_unit_policy_old_la_CFLAGS = $(AM_CFLAGS)
tests_unit_policy_old_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
tests_unit_policy_bodies_la_SOURCES = modules/testing/bodies.c
tests_unit_policy_bodies_la_CFLAGS = $(AM_CFLAGS)
tests_unit_policy_bodies_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
tests_unit_policy_good_la_SOURCES = tests/unit/policy/bad.c
tests_unit_policy_good_la_CFLAGS = $(AM_CFLAGS) -DMODULE_NAME='"good"'
tests_unit_policy_good_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
tests_unit_policy_bad_major_la_SOURCES = tests/unit/policy/bad.c
tests_unit_policy_bad_major_la_CFLAGS = $(AM_CFLAGS) -DBAD_MAJOR -DMODULE_NAME='"bad_major"'
tests_unit_policy_bad_major_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
tests_unit_policy_bad_minor_la_SOURCES = tests/unit/policy/bad.c
tests_unit_policy_bad_minor_la_CFLAGS = $(AM_CFLAGS) -DBAD_MINOR -DMODULE_NAME='"bad_minor"'
tests_unit_policy_bad_minor_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
tests_unit_policy_bad_size_la_SOURCES = tests/unit/policy/bad.c
tests_unit_policy_bad_size_la_CFLAGS = $(AM_CFLAGS) -DBAD_SIZE -DMODULE_NAME='"bad_size"'
tests_unit_policy_bad_size_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
tests_unit_policy_bad_symbol_la_SOURCES = tests/unit/policy/bad.c
tests_unit_policy_bad_symbol_la_CFLAGS = $(AM_CFLAGS) -DBAD_SYMBOL -DMODULE_NAME='"bad_symbol"'
tests_unit_policy_bad_symbol_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
tests_unit_policy_bad_name_la_SOURCES = tests/unit/policy/bad.c
tests_unit_policy_bad_name_la_CFLAGS = $(AM_CFLAGS) -DBAD_NAME -DMODULE_NAME='"other"'
tests_unit_policy_bad_name_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
tests_unit_policy_bad_directive_la_SOURCES = tests/unit/policy/bad.c
tests_unit_policy_bad_directive_la_CFLAGS = $(AM_CFLAGS) -DBAD_DIRECTIVE -DMODULE_NAME='"bad_directive"'
tests_unit_policy_bad_directive_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
tests_unit_policy_bad_reason_la_SOURCES = tests/unit/policy/bad.c
tests_unit_policy_bad_reason_la_CFLAGS = $(AM_CFLAGS) -DBAD_REASON -DMODULE_NAME='"bad_reason"'
tests_unit_policy_bad_reason_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
tests_unit_policy_bad_variable_la_SOURCES = tests/unit/policy/bad.c
tests_unit_policy_bad_variable_la_CFLAGS = $(AM_CFLAGS) -DBAD_VARIABLE -DMODULE_NAME='"bad_variable"'
tests_unit_policy_bad_variable_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)
tests_unit_policy_bad_load_la_SOURCES = tests/unit/policy/bad.c
tests_unit_policy_bad_load_la_CFLAGS = $(AM_CFLAGS) -DBAD_LOAD -DMODULE_NAME='"bad_load"'
tests_unit_policy_bad_load_la_LDFLAGS = $(TEST_MODULE_LDFLAGS)

POLICY_TEST_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -DTEST_MODULES='"$(abs_builddir)/tests/unit/policy/.libs"'
POLICY_FIXTURE = tests/unit/policy/fixture.c tests/unit/policy/fixture.h tests/unit/policy/probe.h

check_PROGRAMS += tests/unit/policy/test_chain
tests_unit_policy_test_chain_SOURCES = tests/unit/policy/test_chain.c $(POLICY_FIXTURE)
tests_unit_policy_test_chain_CFLAGS = $(POLICY_TEST_CFLAGS)
tests_unit_policy_test_chain_LDADD = $(LIBS_4_POLICY) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/policy/test_filter
tests_unit_policy_test_filter_SOURCES = tests/unit/policy/test_filter.c $(POLICY_FIXTURE)
tests_unit_policy_test_filter_CFLAGS = $(POLICY_TEST_CFLAGS)
tests_unit_policy_test_filter_LDADD = $(LIBS_4_POLICY) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/policy/test_host
tests_unit_policy_test_host_SOURCES = tests/unit/policy/test_host.c $(POLICY_FIXTURE)
tests_unit_policy_test_host_CFLAGS = $(POLICY_TEST_CFLAGS)
tests_unit_policy_test_host_LDADD = $(LIBS_4_POLICY) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/policy/test_module
tests_unit_policy_test_module_SOURCES = tests/unit/policy/test_module.c $(POLICY_FIXTURE)
tests_unit_policy_test_module_CFLAGS = $(POLICY_TEST_CFLAGS)
tests_unit_policy_test_module_LDADD = $(LIBS_4_POLICY) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/policy/test_order
tests_unit_policy_test_order_SOURCES = tests/unit/policy/test_order.c $(POLICY_FIXTURE)
tests_unit_policy_test_order_CFLAGS = $(POLICY_TEST_CFLAGS)
tests_unit_policy_test_order_LDADD = $(LIBS_4_POLICY) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/policy/test_policy
tests_unit_policy_test_policy_SOURCES = tests/unit/policy/test_policy.c $(POLICY_FIXTURE)
tests_unit_policy_test_policy_CFLAGS = $(POLICY_TEST_CFLAGS)
tests_unit_policy_test_policy_LDADD = $(LIBS_4_POLICY) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/policy/test_state
tests_unit_policy_test_state_SOURCES = tests/unit/policy/test_state.c
tests_unit_policy_test_state_CFLAGS = $(POLICY_TEST_CFLAGS)
tests_unit_policy_test_state_LDADD = $(LIBS_4_POLICY) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/policy/test_template
tests_unit_policy_test_template_SOURCES = tests/unit/policy/test_template.c $(POLICY_FIXTURE)
tests_unit_policy_test_template_CFLAGS = $(POLICY_TEST_CFLAGS)
tests_unit_policy_test_template_LDADD = $(LIBS_4_POLICY) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/policy/test_fetch
tests_unit_policy_test_fetch_SOURCES = tests/unit/policy/test_fetch.c
tests_unit_policy_test_fetch_CFLAGS = $(POLICY_TEST_CFLAGS)
tests_unit_policy_test_fetch_LDADD = $(LIBS_4_POLICY) $(CMOCKA_LIBS)
