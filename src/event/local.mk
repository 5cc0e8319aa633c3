noinst_LIBRARIES += src/event/libevent.a
src_event_libevent_a_SOURCES = \
	src/event/loop.c src/event/loop.h src/event/loop_impl.h \
	src/event/mailbox.c src/event/mailbox.h \
	src/event/offload.c src/event/offload.h \
	src/event/signal.c \
	src/event/timer.c \
	src/event/watch.c \
	src/event/watchdog.c src/event/watchdog.h \
	src/event/worker.c src/event/worker.h
src_event_libevent_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
