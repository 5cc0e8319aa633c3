/* tls_peer: a client_cert from what OpenSSL has verified. */
#ifndef NET_TLS_PEER_H
#define NET_TLS_PEER_H

#include "client_cert.h"
#include "tls_ctx.h"

/* chain: what came with it, without itself; NULL: not known. One reference. */
struct client_cert *client_cert_new(const X509 *x, const STACK_OF(X509) *chain);

#endif
