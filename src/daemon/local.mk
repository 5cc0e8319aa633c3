noinst_LIBRARIES += src/daemon/libdaemon.a
src_daemon_libdaemon_a_SOURCES =
src_daemon_libdaemon_a_CFLAGS = $(AM_CFLAGS)
