noinst_LIBRARIES += src/base/libbase.a
src_base_libbase_a_SOURCES = \
	src/base/append.c src/base/append.h \
	src/base/arena.c src/base/arena.h \
	src/base/clock.c src/base/clock.h \
	src/base/decision.c src/base/decision.h \
	src/base/err.c src/base/err.h \
	src/base/grant.c src/base/grant.h \
	src/base/hash.c src/base/hash.h \
	src/base/iobuf.c src/base/iobuf.h \
	src/base/log.c src/base/log.h \
	src/base/log_out.c src/base/log_out.h \
	src/base/name_map.c src/base/name_map.h \
	src/base/number.h \
	src/base/parse.c src/base/parse.h \
	src/base/path_walk.c src/base/path_walk.h \
	src/base/privilege.c src/base/privilege.h \
	src/base/random.c src/base/random.h \
	src/base/recycle.h \
	src/base/slice.h \
	src/base/strbuf.c src/base/strbuf.h \
	src/base/thread.c src/base/thread.h \
	src/base/utf8.c src/base/utf8.h \
	src/base/xalloc.c src/base/xalloc.h
src_base_libbase_a_CFLAGS = $(AM_CFLAGS)
