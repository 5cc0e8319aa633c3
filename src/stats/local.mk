noinst_LIBRARIES += src/stats/libstats.a
src_stats_libstats_a_SOURCES = \
	src/stats/expose.c \
	src/stats/shard.c \
	src/stats/stats.c src/stats/stats.h src/stats/stats_impl.h
src_stats_libstats_a_CFLAGS = $(AM_CFLAGS)
