# Unit tests of src/observe.
check_PROGRAMS += tests/unit/observe/test_access_line tests/unit/observe/test_sink

tests_unit_observe_test_access_line_SOURCES = tests/unit/observe/test_access_line.c
tests_unit_observe_test_access_line_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_observe_test_access_line_LDADD = $(LIBS_4_OBSERVE) $(CMOCKA_LIBS)

tests_unit_observe_test_sink_SOURCES = tests/unit/observe/test_sink.c
tests_unit_observe_test_sink_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_observe_test_sink_LDADD = $(LIBS_4_OBSERVE) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/observe/test_access_log
tests_unit_observe_test_access_log_SOURCES = tests/unit/observe/test_access_log.c
tests_unit_observe_test_access_log_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_observe_test_access_log_LDADD = $(LIBS_4_OBSERVE) $(CMOCKA_LIBS)
