weirmodule_LTLIBRARIES += modules/grpc_web/grpc_web.la
noinst_LTLIBRARIES += modules/grpc_web/libpolicy_grpc_web.la
modules_grpc_web_libpolicy_grpc_web_la_SOURCES = modules/grpc_web/grpc_web.c modules/grpc_web/base64.c modules/grpc_web/base64.h \
	modules/grpc_web/frames.c modules/grpc_web/frames.h
modules_grpc_web_libpolicy_grpc_web_la_CFLAGS = $(MODULE_CFLAGS)
modules_grpc_web_grpc_web_la_SOURCES =
modules_grpc_web_grpc_web_la_LDFLAGS = $(MODULE_LDFLAGS)
modules_grpc_web_grpc_web_la_LIBADD = modules/grpc_web/libpolicy_grpc_web.la
EXTRA_DIST += modules/grpc_web/README.md

if HAVE_CMOCKA
check_PROGRAMS += modules/grpc_web/test_base64
modules_grpc_web_test_base64_SOURCES = modules/grpc_web/test_base64.c
modules_grpc_web_test_base64_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_grpc_web_test_base64_LDADD = modules/grpc_web/libpolicy_grpc_web.la $(MODULE_TEST_LIBS)
check_PROGRAMS += modules/grpc_web/test_frames
modules_grpc_web_test_frames_SOURCES = modules/grpc_web/test_frames.c
modules_grpc_web_test_frames_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_grpc_web_test_frames_LDADD = modules/grpc_web/libpolicy_grpc_web.la $(MODULE_TEST_LIBS)
check_PROGRAMS += modules/grpc_web/test_grpc_web
modules_grpc_web_test_grpc_web_SOURCES = modules/grpc_web/test_grpc_web.c
modules_grpc_web_test_grpc_web_CFLAGS = $(MODULE_TEST_CFLAGS)
modules_grpc_web_test_grpc_web_LDADD = modules/grpc_web/libpolicy_grpc_web.la $(MODULE_TEST_LIBS)
endif
