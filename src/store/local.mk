noinst_LIBRARIES += src/store/libstore.a
src_store_libstore_a_SOURCES = src/store/store.h src/store/absent.c
src_store_libstore_a_CFLAGS = $(AM_CFLAGS)
