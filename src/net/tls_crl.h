/* tls_crl: lists of the certificates that their authorities have withdrawn (RFC 5280 5), as loaded from files. */
#ifndef NET_TLS_CRL_H
#define NET_TLS_CRL_H

#include "tls_ctx.h"

/* Adds the lists of a file, PEM or DER. From then on each certificate of a chain has to be missing from a list that its
 * issuer has signed: without such a list, and with one that has run out, the chain is refused. *end: when the first of
 * the lists runs out, seconds since 1970; 0: none says. 0, or -1 with *e. */
int tls_crl_load(X509_STORE *store, const char *path, int64_t *end, struct err *e);
/* The first authority in the store that has no list there: its name into out. False: all have one. */
bool tls_crl_lacks(X509_STORE *store, char *out, size_t n);

#endif
