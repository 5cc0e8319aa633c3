noinst_LIBRARIES += src/net/libnet.a
src_net_libnet_a_SOURCES = \
	src/net/acceptor.c src/net/acceptor.h \
	src/net/addr.c src/net/addr.h \
	src/net/bind.c src/net/bind.h \
	src/net/client_cert.c src/net/client_cert.h src/net/tls_peer.h \
	src/net/client_count.c src/net/client_count.h \
	src/net/conn.c src/net/conn.h \
	src/net/descriptors.c src/net/descriptors.h \
	src/net/handover.c src/net/handover.h \
	src/net/listener.c src/net/listener.h \
	src/net/proxy_intro.c src/net/proxy_intro.h \
	src/net/proxy_protocol.c src/net/proxy_protocol.h \
	src/net/resolver.c src/net/resolver.h \
	src/net/tcp.c src/net/tcp.h \
	src/net/tls.c src/net/tls.h src/net/tls_ctx.h \
	src/net/tls_cert.c src/net/tls_cert.h src/net/tls_client.c src/net/tls_conf.c src/net/tls_conf.h src/net/tls_crl.c src/net/tls_crl.h \
	src/net/tls_conn.c src/net/tls_conn.h src/net/tls_pace.c src/net/tls_pace.h src/net/tls_server.c \
	src/net/tls_session.c src/net/tls_session.h src/net/tls_ticket.c src/net/tls_ticket.h
src_net_libnet_a_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS) $(CARES_CFLAGS)
EXTRA_DIST += src/net/README.md
