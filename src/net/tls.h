/* tls: contexts for both sides on OpenSSL 3. OpenSSL's types stay in tls*.c. Contexts are reference-counted: a
 * connection holds one. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "../base/err.h"
#include "../base/slice.h"

#include <stdbool.h>

struct tls_server;
struct tls_client;

int tls_init(void);

/* TLS 1.2 and 1.3, Mozilla's intermediate set. Files are PEM: chain, and key. NULL with *e: says which file and what is
 * wrong. */
struct tls_server *tls_server_new(const char *certificate, const char *key, struct err *e);
/* A further certificate chosen by SNI from its subjectAltNames. */
int tls_server_add(struct tls_server *t, const char *certificate, const char *key, struct err *e);
void tls_server_hold(struct tls_server *t);
void tls_server_put(struct tls_server *t);

/* Verification on: ca NULL is the system's store. verify false only where the operator said so. */
struct tls_client *tls_client_new(const char *ca, bool verify, struct err *e);
void tls_client_hold(const struct tls_client *t);
void tls_client_put(const struct tls_client *shared);

#endif
