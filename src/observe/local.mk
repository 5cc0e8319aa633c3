noinst_LIBRARIES += src/observe/libobserve.a
src_observe_libobserve_a_SOURCES =
src_observe_libobserve_a_CFLAGS = $(AM_CFLAGS)
