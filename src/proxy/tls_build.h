/* tls_build: `tls` of a listener: certificates and terms from the tree, and who is told when one runs out. */
#ifndef PROXY_TLS_BUILD_H
#define PROXY_TLS_BUILD_H

#include "generation.h"

/* Sets l->tls and l->certs where the block has a `tls`; errors go to its lines. Any thread. */
void tls_build(struct generation *g, struct listener *l, const struct weir_conf *block);

/* weir_certificate_expiry_timestamp_seconds and weir_crl_expiry_timestamp_seconds of all listeners. */
void tls_expose(const struct generation *g, struct strbuf *out);
/* A line for each certificate that has run out, or will within two weeks, and for each such list of revoked ones. */
void tls_warn(const struct generation *g);

#endif
