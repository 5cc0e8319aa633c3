noinst_LIBRARIES += src/session/libsession.a
src_session_libsession_a_SOURCES =
src_session_libsession_a_CFLAGS = $(AM_CFLAGS)
