noinst_LIBRARIES += src/daemon/libdaemon.a
src_daemon_libdaemon_a_SOURCES = \
	src/daemon/channel.c src/daemon/channel.h src/daemon/child.c src/daemon/child.h src/daemon/client.c src/daemon/client.h src/daemon/command.h \
	src/daemon/admin_client.c src/daemon/admin_client.h src/daemon/command_check.c src/daemon/command_demo.c src/daemon/demo.h src/daemon/demo_conf.h src/daemon/demo_start.c \
	src/daemon/demo_token.c src/daemon/demo_tour.c src/daemon/command_explain.c src/daemon/command_help.c src/daemon/command_reload.c src/daemon/command_run.c src/daemon/command_status.c \
	src/daemon/confine.c src/daemon/confine.h src/daemon/daemon_conf.c src/daemon/daemon_conf.h src/daemon/drain.c src/daemon/drain.h src/daemon/error_log.c src/daemon/error_log.h \
	src/daemon/gateway.c src/daemon/gateway.h src/daemon/live.c src/daemon/live.h src/daemon/load.c src/daemon/load.h \
	src/daemon/file_places.c src/daemon/file_places.h src/daemon/file_watch.c src/daemon/file_watch.h \
	src/daemon/held.c src/daemon/held.h src/daemon/init.c src/daemon/init.h src/daemon/notify.c src/daemon/notify.h src/daemon/offline.c src/daemon/offline.h src/daemon/reference.c src/daemon/reference.h \
	src/daemon/opener.c src/daemon/opener.h src/daemon/plan.c src/daemon/plan.h src/daemon/reload.c src/daemon/reload.h src/daemon/rights.c src/daemon/rights.h \
	src/daemon/supervised.c src/daemon/supervised.h src/daemon/supervisor.c src/daemon/supervisor.h src/daemon/warm.c src/daemon/warm.h \
	src/daemon/trim.c src/daemon/trim.h
src_daemon_libdaemon_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)

sbin_PROGRAMS += weir
weir_SOURCES = src/daemon/main.c
weir_LDFLAGS = $(WEIR_LDFLAGS)
weir_LDADD = $(LIBS_7)
