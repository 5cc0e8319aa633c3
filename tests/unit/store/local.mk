# Unit tests of src/store. redis_lab.h starts a real redis-server.
EXTRA_DIST += tests/unit/store/redis_lab.h

check_PROGRAMS += tests/unit/store/test_store
tests_unit_store_test_store_SOURCES = tests/unit/store/test_store.c
tests_unit_store_test_store_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_store_test_store_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=conn_writev
tests_unit_store_test_store_LDADD = $(LIBS_4_STORE) $(CMOCKA_LIBS)
