noinst_LIBRARIES += src/upstream/libupstream.a
src_upstream_libupstream_a_SOURCES =
src_upstream_libupstream_a_CFLAGS = $(AM_CFLAGS)
