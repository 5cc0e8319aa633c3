# Unit tests of src/daemon.
check_PROGRAMS += tests/unit/daemon/test_client tests/unit/daemon/test_load
tests_unit_daemon_test_client_SOURCES = tests/unit/daemon/test_client.c $(PROXY_TEST_RIG)
tests_unit_daemon_test_client_CFLAGS = $(PROXY_TEST_CFLAGS)
tests_unit_daemon_test_client_LDADD = $(LIBS_7) $(CMOCKA_LIBS)
tests_unit_daemon_test_load_SOURCES = tests/unit/daemon/test_load.c $(PROXY_TEST_RIG)
tests_unit_daemon_test_load_CFLAGS = $(PROXY_TEST_CFLAGS)
tests_unit_daemon_test_load_LDADD = $(LIBS_7) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/daemon/test_channel
tests_unit_daemon_test_channel_SOURCES = tests/unit/daemon/test_channel.c
tests_unit_daemon_test_channel_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_daemon_test_channel_LDADD = $(LIBS_7) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/daemon/test_confine
tests_unit_daemon_test_confine_SOURCES = tests/unit/daemon/test_confine.c
tests_unit_daemon_test_confine_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_daemon_test_confine_LDADD = $(LIBS_7) $(CMOCKA_LIBS)
