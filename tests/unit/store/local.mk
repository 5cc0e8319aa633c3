# Unit tests of src/store. redis_lab.h starts a real redis-server.
EXTRA_DIST += tests/unit/store/redis_lab.h

check_PROGRAMS += tests/unit/store/test_store
tests_unit_store_test_store_SOURCES = tests/unit/store/test_store.c
tests_unit_store_test_store_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_store_test_store_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=conn_writev
tests_unit_store_test_store_LDADD = $(LIBS_4_STORE) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/store/test_finder
tests_unit_store_test_finder_SOURCES = tests/unit/store/test_finder.c
tests_unit_store_test_finder_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_store_test_finder_LDADD = $(LIBS_4_STORE) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/store/test_url
tests_unit_store_test_url_SOURCES = tests/unit/store/test_url.c
tests_unit_store_test_url_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_store_test_url_LDADD = $(LIBS_4_STORE) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/store/test_breaker
tests_unit_store_test_breaker_SOURCES = tests/unit/store/test_breaker.c
tests_unit_store_test_breaker_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_store_test_breaker_LDADD = $(LIBS_4_STORE) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/store/test_reply
tests_unit_store_test_reply_SOURCES = tests/unit/store/test_reply.c
tests_unit_store_test_reply_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_store_test_reply_LDADD = $(LIBS_4_STORE) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/store/test_map
tests_unit_store_test_map_SOURCES = tests/unit/store/test_map.c
tests_unit_store_test_map_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_store_test_map_LDADD = $(LIBS_4_STORE) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/store/test_script
tests_unit_store_test_script_SOURCES = tests/unit/store/test_script.c
tests_unit_store_test_script_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_store_test_script_LDADD = $(LIBS_4_STORE) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/store/test_store_workers
tests_unit_store_test_store_workers_SOURCES = tests/unit/store/test_store_workers.c
tests_unit_store_test_store_workers_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_store_test_store_workers_LDADD = $(LIBS_4_STORE) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/store/test_store_conf
tests_unit_store_test_store_conf_SOURCES = tests/unit/store/test_store_conf.c
tests_unit_store_test_store_conf_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_store_test_store_conf_LDADD = $(LIBS_4_STORE) $(CMOCKA_LIBS)
