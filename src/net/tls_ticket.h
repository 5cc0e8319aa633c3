/*
 * tls_ticket: the keys under which sessions are given to clients to keep. With a file, whoever has the same file takes
 * up the sessions of all who have it; without one the process draws keys by itself, new ones every six hours, and
 * takes what it gave out for twelve.
 *
 * A session ends so long after its whole handshake, and no later than what its client was verified by: with TLS 1.3
 * each connection that takes one up gets a new ticket, which says when the first one began, so that no chain of them
 * outlives that.
 */
#ifndef NET_TLS_TICKET_H
#define NET_TLS_TICKET_H

#include "tls_ctx.h"

#define TLS_TICKET_LIFETIME (12 * 3600) /* seconds; at most that */
#define TLS_TICKET_KEYS_MAX 16          /* of a file */

struct tls_tickets;

/* A reference. file: one key a line, 160 hexadecimal digits (as `openssl rand -hex 80` makes them); the first one
 * seals, all open. NULL: the process's own keys. NULL with *e: what is wrong with the file, without its content. */
struct tls_tickets *tls_tickets_get(const char *file, struct err *e);
void tls_tickets_put(struct tls_tickets *t);
void tls_tickets_use(struct tls_server *t, SSL_CTX *ctx, int64_t lifetime); /* t lives as long as ctx */

#endif
