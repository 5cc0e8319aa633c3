# Unit tests of src/stats.
check_PROGRAMS += tests/unit/stats/test_stats
tests_unit_stats_test_stats_SOURCES = tests/unit/stats/test_stats.c
tests_unit_stats_test_stats_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_stats_test_stats_LDADD = $(LIBS_1_STATS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/stats/test_shard
tests_unit_stats_test_shard_SOURCES = tests/unit/stats/test_shard.c
tests_unit_stats_test_shard_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_stats_test_shard_LDADD = $(LIBS_1_STATS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/stats/test_expose
tests_unit_stats_test_expose_SOURCES = tests/unit/stats/test_expose.c
tests_unit_stats_test_expose_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_stats_test_expose_LDADD = $(LIBS_1_STATS) $(CMOCKA_LIBS)
