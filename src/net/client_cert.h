/*
 * client_cert: the certificate with which a client has named itself, verified, in the forms in which others want it.
 * Immutable; counted by the thread of its connection, which is the only one that touches it.
 */
#ifndef NET_CLIENT_CERT_H
#define NET_CLIENT_CERT_H

#include "../base/err.h"
#include "../base/slice.h"

enum client_san_kind { CLIENT_SAN_DNS, CLIENT_SAN_URI, CLIENT_SAN_EMAIL, CLIENT_SAN_IP };

struct client_san { /* of subjectAltName */
    enum client_san_kind kind;
    struct slice value;
};

struct client_cert {
    unsigned refs;
    struct slice subject, issuer;     /* RFC 4514: "CN=alice,O=Acme" */
    struct slice serial, fingerprint; /* hexadecimal, lower-case; the fingerprint is SHA-256 of the certificate */
    struct client_san *sans;
    unsigned n_sans;
    struct slice header, chain; /* values of Client-Cert and Client-Cert-Chain (RFC 9440); a chain is known to the
                                   connection alone that brought it, not to one that resumes its session */
};

/* From a PEM file, a chain behind it. Nobody has verified it: to stand for one that was. One reference; NULL with *e.
 */
struct client_cert *client_cert_load(const char *path, struct err *e);
void client_cert_hold(const struct client_cert *c);
void client_cert_put(const struct client_cert *shared); /* NULL is none */

#endif
