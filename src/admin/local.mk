noinst_LIBRARIES += src/admin/libadmin.a
src_admin_libadmin_a_SOURCES = src/admin/admin.c src/admin/admin.h src/admin/operations.c src/admin/rate.c src/admin/rate.h src/admin/request.h src/admin/router.c src/admin/views.c
src_admin_libadmin_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
