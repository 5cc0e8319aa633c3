noinst_LIBRARIES += src/upstream/libupstream.a
src_upstream_libupstream_a_SOURCES = \
	src/upstream/balance.c src/upstream/balance.h \
	src/upstream/cluster.c src/upstream/cluster.h src/upstream/cluster_private.h \
	src/upstream/cluster_state.c src/upstream/cluster_state.h \
	src/upstream/endpoint.c src/upstream/endpoint.h \
	src/upstream/endpoint_set.c src/upstream/endpoint_set.h \
	src/upstream/grpc_health.c src/upstream/grpc_health.h src/upstream/health.c src/upstream/health.h \
	src/upstream/lease.c \
	src/upstream/names.c src/upstream/names.h \
	src/upstream/outlier.c src/upstream/outlier.h \
	src/upstream/pick.c \
	src/upstream/pool.c src/upstream/pool.h src/upstream/pool_private.h \
	src/upstream/retry_budget.c \
	src/upstream/roster.c src/upstream/roster.h \
	src/upstream/slots.c src/upstream/slots.h \
	src/upstream/upstream_conf.c src/upstream/upstream_conf.h
src_upstream_libupstream_a_CFLAGS = $(AM_CFLAGS)
