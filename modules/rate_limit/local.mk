weirmodule_LTLIBRARIES += modules/rate_limit/rate_limit.la
rate_limit_sources = modules/rate_limit/rate_limit.c modules/rate_limit/rate_limit.h modules/rate_limit/rate_limit_conf.c \
	modules/rate_limit/gcra.c modules/rate_limit/gcra.h modules/rate_limit/table.c modules/rate_limit/table.h \
	modules/rate_limit/redis_script.h
modules_rate_limit_rate_limit_la_SOURCES = $(rate_limit_sources)
modules_rate_limit_rate_limit_la_CFLAGS = $(AM_CFLAGS)
modules_rate_limit_rate_limit_la_LDFLAGS = $(MODULE_LDFLAGS)
