noinst_LIBRARIES += src/policy/libpolicy.a
src_policy_libpolicy_a_SOURCES = \
	src/policy/chain.c src/policy/chain.h \
	src/policy/exchange.h \
	src/policy/filter.c src/policy/filter.h src/policy/filter_call.h \
	src/policy/host.c src/policy/host.h \
	src/policy/host_body.c \
	src/policy/host_conf.c \
	src/policy/host_exchange.c \
	src/policy/host_fetch.c \
	src/policy/host_world.c \
	src/policy/module.c src/policy/module.h \
	src/policy/order.c src/policy/order.h \
	src/policy/policy.c src/policy/policy.h \
	src/policy/run.c src/policy/run.h \
	src/policy/self_loop.h \
	src/policy/state.c \
	src/policy/str.h \
	src/policy/template.c src/policy/template.h \
	src/policy/variable.c src/policy/variable.h
src_policy_libpolicy_a_CFLAGS = $(AM_CFLAGS)
