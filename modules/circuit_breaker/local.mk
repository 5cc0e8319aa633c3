weirmodule_LTLIBRARIES += modules/circuit_breaker/circuit_breaker.la
circuit_breaker_sources = modules/circuit_breaker/circuit_breaker.c modules/circuit_breaker/circuit_breaker.h \
	modules/circuit_breaker/circuit_breaker_conf.c modules/circuit_breaker/breaker.c modules/circuit_breaker/breaker.h
modules_circuit_breaker_circuit_breaker_la_SOURCES = $(circuit_breaker_sources)
modules_circuit_breaker_circuit_breaker_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
modules_circuit_breaker_circuit_breaker_la_LDFLAGS = $(MODULE_LDFLAGS)
modules_circuit_breaker_circuit_breaker_la_LIBADD = $(JANSSON_LIBS)
