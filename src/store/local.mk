noinst_LIBRARIES += src/store/libstore.a
src_store_libstore_a_SOURCES = \
	src/store/breaker.c src/store/breaker.h \
	src/store/finder.c src/store/finder.h \
	src/store/lane.c src/store/lane.h \
	src/store/map.c src/store/map.h \
	src/store/node.c src/store/node.h \
	src/store/question.c src/store/question.h \
	src/store/reply.c src/store/reply.h \
	src/store/script.c src/store/script.h \
	src/store/state.c src/store/state.h \
	src/store/store.c src/store/store.h \
	src/store/url.c src/store/url.h
src_store_libstore_a_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS) $(OPENSSL_CFLAGS)
