/*
 * tls_session: what servers have given this thread for taking up a session again: the newest of each server, name and
 * identity of the client. A session is resumed without another look at the server's certificate, so it is never used
 * under another name or another trust, and for an hour at most.
 */
#ifndef NET_TLS_SESSION_H
#define NET_TLS_SESSION_H

#include "addr.h"
#include "tls_ctx.h"

#define TLS_SESSIONS_MAX 256 /* of a thread; the one used longest ago goes */

SSL_SESSION *tls_session_find(const struct addr *to, const char *name, uint64_t identity); /* a reference; NULL: none */
/* Takes s over. renewed: its connection was itself resumed, and the hour is not prolonged. */
void tls_session_keep(const struct addr *to, const char *name, uint64_t identity, SSL_SESSION *s, bool renewed);
void tls_sessions_forget(void); /* all of this thread */
void tls_session_drop(const struct addr *to, const char *name, uint64_t identity);

#endif
