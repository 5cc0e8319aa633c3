noinst_LIBRARIES += src/proxy/libproxy.a
src_proxy_libproxy_a_SOURCES = \
	src/proxy/answer.c src/proxy/attempt.c src/proxy/choice.c src/proxy/choice.h src/proxy/exchange.c src/proxy/exchange.h src/proxy/explain.c src/proxy/explain.h src/proxy/filtered.c src/proxy/forward.c src/proxy/forward.h \
	src/proxy/generation.c src/proxy/generation.h src/proxy/grpc.c src/proxy/grpc.h src/proxy/lasting.c src/proxy/lasting.h src/proxy/listener_build.c src/proxy/listener_build.h \
	src/proxy/matcher.c src/proxy/matcher.h src/proxy/metrics.c src/proxy/metrics.h src/proxy/proxy_conf.c src/proxy/pump.c src/proxy/pump.h \
	src/proxy/regex.c src/proxy/regex.h src/proxy/regex_filter.c src/proxy/regex_filter.h \
	src/proxy/regex_literal.c src/proxy/regex_literal.h src/proxy/reply.c src/proxy/reply.h src/proxy/response.c src/proxy/retry.c src/proxy/retry.h src/proxy/route.h \
	src/proxy/route_build.c src/proxy/route_build.h src/proxy/route_index.c src/proxy/services.c src/proxy/services.h src/proxy/test_block.c src/proxy/tls_build.c src/proxy/tls_build.h \
	src/proxy/websocket.c src/proxy/websocket.h src/proxy/worker.c src/proxy/worker.h
src_proxy_libproxy_a_CFLAGS = $(AM_CFLAGS) $(PCRE2_CFLAGS)
