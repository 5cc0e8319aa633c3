noinst_LIBRARIES += src/store/libstore.a
src_store_libstore_a_SOURCES =
src_store_libstore_a_CFLAGS = $(AM_CFLAGS)
