include $(top_srcdir)/modules/jwt/local.mk
include $(top_srcdir)/modules/rate_limit/local.mk
include $(top_srcdir)/modules/circuit_breaker/local.mk
include $(top_srcdir)/modules/canary/local.mk
include $(top_srcdir)/modules/example/local.mk
