noinst_LIBRARIES += src/session/libsession.a
src_session_libsession_a_SOURCES = \
	src/session/patience.h src/session/stream.h \
	src/session/h1_reader.c src/session/h1_reader.h \
	src/session/h1_writer.c src/session/h1_writer.h \
	src/session/down.c src/session/down.h src/session/down_impl.h \
	src/session/down_h2.c src/session/down_h2.h src/session/down_h2_impl.h \
	src/session/down_h2_read.c src/session/down_h2_stream.c src/session/down_h2_write.c \
	src/session/glitch.c src/session/glitch.h src/session/h2_fields.c src/session/h2_fields.h \
	src/session/down_h1.c src/session/down_h1.h src/session/down_h1_impl.h \
	src/session/down_h1_read.c src/session/down_h1_write.c \
	src/session/up.c src/session/up.h src/session/up_impl.h \
	src/session/h2_frames.c src/session/h2_frames.h src/session/h2_options.c src/session/h2_options.h \
	src/session/h2_watch.c src/session/h2_watch.h src/session/h2_body.c src/session/h2_body.h \
	src/session/websocket.c src/session/websocket.h \
	src/session/up_h2.c src/session/up_h2.h src/session/up_h2_impl.h \
	src/session/up_h2_frames.c src/session/up_h2_stream.c \
	src/session/up_h1.c src/session/up_h1.h src/session/fetch.c src/session/fetch.h
src_session_libsession_a_CFLAGS = $(AM_CFLAGS) $(NGHTTP2_CFLAGS)
EXTRA_DIST += src/session/README.md
