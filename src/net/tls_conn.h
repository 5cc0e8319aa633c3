/* tls_conn: the TLS transport of a conn. Sets c->ops and c->tls. */
#ifndef NET_TLS_CONN_H
#define NET_TLS_CONN_H

#include "conn.h"

void tls_conn_accept(struct conn *c, struct tls_server *server);
/* 0, or -1 with *e when the name cannot be verified. */
int tls_conn_connect(struct conn *c, const struct tls_client *client, struct slice server_name, struct err *e);
const struct client_cert *tls_conn_client_cert(const struct conn *c);
const char *tls_conn_alpn(const struct conn *c);

#endif
