weirmodule_LTLIBRARIES += modules/canary/canary.la
canary_sources = modules/canary/canary.c modules/canary/canary.h modules/canary/canary_conf.c modules/canary/canary_admin.c \
	modules/canary/split.c modules/canary/split.h modules/canary/cookie.c modules/canary/cookie.h
modules_canary_canary_la_SOURCES = $(canary_sources)
modules_canary_canary_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(OPENSSL_CFLAGS)
modules_canary_canary_la_LDFLAGS = $(MODULE_LDFLAGS)
modules_canary_canary_la_LIBADD = $(JANSSON_LIBS) $(OPENSSL_LIBS) -lm
