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

check_PROGRAMS += tests/unit/net/test_listener
tests_unit_net_test_listener_SOURCES = tests/unit/net/test_listener.c
tests_unit_net_test_listener_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_net_test_listener_LDADD = $(LIBS_2) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/net/test_tls
tests_unit_net_test_tls_SOURCES = tests/unit/net/test_tls.c tests/unit/net/tls_lab.h
tests_unit_net_test_tls_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(OPENSSL_CFLAGS)
tests_unit_net_test_tls_LDADD = $(LIBS_2) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/net/test_tls_conn
tests_unit_net_test_tls_conn_SOURCES = tests/unit/net/test_tls_conn.c tests/unit/net/tls_lab.h
tests_unit_net_test_tls_conn_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(OPENSSL_CFLAGS)
tests_unit_net_test_tls_conn_LDADD = $(LIBS_2) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/net/test_proxy_protocol
tests_unit_net_test_proxy_protocol_SOURCES = tests/unit/net/test_proxy_protocol.c
tests_unit_net_test_proxy_protocol_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_net_test_proxy_protocol_LDADD = $(LIBS_2) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/net/test_handover
tests_unit_net_test_handover_SOURCES = tests/unit/net/test_handover.c
tests_unit_net_test_handover_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_net_test_handover_LDADD = $(LIBS_2) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/net/test_client_count
tests_unit_net_test_client_count_SOURCES = tests/unit/net/test_client_count.c
tests_unit_net_test_client_count_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_net_test_client_count_LDADD = $(LIBS_2) $(CMOCKA_LIBS)
