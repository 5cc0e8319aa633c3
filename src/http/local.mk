noinst_LIBRARIES += src/http/libhttp.a
src_http_libhttp_a_SOURCES = \
	src/http/chars.c src/http/chars.h \
	src/http/chunked.c \
	src/http/cookie.c \
	src/http/date.c src/http/date.h \
	src/http/field.c src/http/field.h \
	src/http/grpc.c src/http/grpc.h \
	src/http/h1.h src/http/h1_parse.h \
	src/http/h1_fields.c \
	src/http/h1_framing.c \
	src/http/h1_request.c \
	src/http/h1_response.c \
	src/http/h1_scan.c \
	src/http/h1_write.c \
	src/http/h2.h src/http/h2_parse.h src/http/h2_field.c src/http/h2_request.c src/http/h2_response.c \
	src/http/limit.c src/http/limit.h \
	src/http/message.c src/http/message.h \
	src/http/reason.c src/http/reason.h \
	src/http/token.c \
	src/http/uri.c src/http/uri.h \
	src/http/uri_path.c \
	src/http/url.c \
	src/http/ws_frames.c src/http/ws_frames.h
src_http_libhttp_a_CFLAGS = $(AM_CFLAGS)
