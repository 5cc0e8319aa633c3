noinst_LIBRARIES += src/observe/libobserve.a
src_observe_libobserve_a_SOURCES = \
	src/observe/access_line.c src/observe/access_line.h \
	src/observe/access_log.c src/observe/access_log.h \
	src/observe/sink.c src/observe/sink.h
src_observe_libobserve_a_CFLAGS = $(AM_CFLAGS)
