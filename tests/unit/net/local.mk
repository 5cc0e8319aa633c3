# Unit tests of src/net.
EXTRA_DIST += tests/unit/net/netlab.h

check_PROGRAMS += tests/unit/net/test_addr
tests_unit_net_test_addr_SOURCES = tests/unit/net/test_addr.c
tests_unit_net_test_addr_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_net_test_addr_LDADD = $(LIBS_2) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/net/test_conn
tests_unit_net_test_conn_SOURCES = tests/unit/net/test_conn.c
tests_unit_net_test_conn_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_net_test_conn_LDADD = $(LIBS_2) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/net/test_resolver
tests_unit_net_test_resolver_SOURCES = tests/unit/net/test_resolver.c tests/unit/net/fake_dns.h
tests_unit_net_test_resolver_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_net_test_resolver_LDADD = $(LIBS_2) $(CMOCKA_LIBS)
