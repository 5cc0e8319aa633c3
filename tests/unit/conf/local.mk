# Unit tests of src/conf.
CONF_TESTS = \
	tests/unit/conf/test_lexer \
	tests/unit/conf/test_parser \
	tests/unit/conf/test_include \
	tests/unit/conf/test_resolve \
	tests/unit/conf/test_check \
	tests/unit/conf/test_value \
	tests/unit/conf/test_get \
	tests/unit/conf/test_diff \
	tests/unit/conf/test_dump \
	tests/unit/conf/test_files \
	tests/unit/conf/test_help \
	tests/unit/conf/test_random
check_PROGRAMS += $(CONF_TESTS)
CONF_FIXTURE = tests/unit/conf/fixture.c tests/unit/conf/fixture.h

tests_unit_conf_test_lexer_SOURCES = tests/unit/conf/test_lexer.c $(CONF_FIXTURE)
tests_unit_conf_test_lexer_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_conf_test_lexer_LDADD = $(LIBS_1_CONF) $(CMOCKA_LIBS)

tests_unit_conf_test_parser_SOURCES = tests/unit/conf/test_parser.c $(CONF_FIXTURE)
tests_unit_conf_test_parser_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_conf_test_parser_LDADD = $(LIBS_1_CONF) $(CMOCKA_LIBS)

tests_unit_conf_test_include_SOURCES = tests/unit/conf/test_include.c $(CONF_FIXTURE)
tests_unit_conf_test_include_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_conf_test_include_LDADD = $(LIBS_1_CONF) $(CMOCKA_LIBS)

tests_unit_conf_test_resolve_SOURCES = tests/unit/conf/test_resolve.c $(CONF_FIXTURE)
tests_unit_conf_test_resolve_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_conf_test_resolve_LDADD = $(LIBS_1_CONF) $(CMOCKA_LIBS)

tests_unit_conf_test_check_SOURCES = tests/unit/conf/test_check.c $(CONF_FIXTURE)
tests_unit_conf_test_check_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_conf_test_check_LDADD = $(LIBS_1_CONF) $(CMOCKA_LIBS)

tests_unit_conf_test_value_SOURCES = tests/unit/conf/test_value.c $(CONF_FIXTURE)
tests_unit_conf_test_value_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_conf_test_value_LDADD = $(LIBS_1_CONF) $(CMOCKA_LIBS)

tests_unit_conf_test_get_SOURCES = tests/unit/conf/test_get.c $(CONF_FIXTURE)
tests_unit_conf_test_get_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_conf_test_get_LDADD = $(LIBS_1_CONF) $(CMOCKA_LIBS)

tests_unit_conf_test_diff_SOURCES = tests/unit/conf/test_diff.c $(CONF_FIXTURE)
tests_unit_conf_test_diff_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_conf_test_diff_LDADD = $(LIBS_1_CONF) $(CMOCKA_LIBS)

tests_unit_conf_test_dump_SOURCES = tests/unit/conf/test_dump.c $(CONF_FIXTURE)
tests_unit_conf_test_dump_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_conf_test_dump_LDADD = $(LIBS_1_CONF) $(CMOCKA_LIBS)

tests_unit_conf_test_files_SOURCES = tests/unit/conf/test_files.c $(CONF_FIXTURE)
tests_unit_conf_test_files_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_conf_test_files_LDADD = $(LIBS_1_CONF) $(CMOCKA_LIBS)

tests_unit_conf_test_help_SOURCES = tests/unit/conf/test_help.c $(CONF_FIXTURE)
tests_unit_conf_test_help_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_conf_test_help_LDADD = $(LIBS_1_CONF) $(CMOCKA_LIBS)

tests_unit_conf_test_random_SOURCES = tests/unit/conf/test_random.c $(CONF_FIXTURE)
tests_unit_conf_test_random_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_conf_test_random_LDADD = $(LIBS_1_CONF) $(CMOCKA_LIBS)
