noinst_LIBRARIES += src/event/libevent.a
src_event_libevent_a_SOURCES =
src_event_libevent_a_CFLAGS = $(AM_CFLAGS)
