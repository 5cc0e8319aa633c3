/* tls_conf: what `tls` blocks of listeners and upstreams have in common, from the tree: certificates, terms, and at
 * which line something is wrong. */
#ifndef NET_TLS_CONF_H
#define NET_TLS_CONF_H

#include "../conf/conf.h"
#include "tls.h"

/* Defaults of `protocols` and `curves`. */
#define TLS_PROTOCOLS "TLSv1.2 TLSv1.3"
#define TLS_CURVES "X25519 P-256 P-384"

/* Certificates and keys belong together by their position; passphrases are options of `key`. *n is 0 where there is
 * none. -1: something is missing, and was reported. Texts are the tree's. */
int tls_conf_pairs(const struct weir_conf *tls, struct arena *arena, struct tls_pair **pairs, unsigned *n);
void tls_conf_terms(const struct weir_conf *tls, struct arena *arena, struct tls_terms *terms);
/* An error of tls_server_new or tls_client_new at the line that it is about. */
void tls_conf_report(const struct weir_conf *tls, enum tls_part part, unsigned pair, const struct err *e);
const struct weir_conf *tls_conf_nth(const struct weir_conf *block, const char *name, unsigned i); /* NULL: too few */
void tls_conf_check_key(const struct weir_conf *line, void *diag); /* of rows of `key` */

#endif
