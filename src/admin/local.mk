noinst_LIBRARIES += src/admin/libadmin.a
src_admin_libadmin_a_SOURCES =
src_admin_libadmin_a_CFLAGS = $(AM_CFLAGS)
