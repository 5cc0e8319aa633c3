/* admin_client: one request to a running daemon's admin listener, blocking, with a deadline. */
#ifndef DAEMON_ADMIN_CLIENT_H
#define DAEMON_ADMIN_CLIENT_H

#include "../base/err.h"
#include "../base/strbuf.h"

/* Where the shipped configuration puts it; the loopback address is tried when there is no such socket. */
#define ADMIN_DEFAULT "unix:/run/weir/admin.sock"
#define ADMIN_DEFAULT_TCP "127.0.0.1:9901"

/* address NULL: the defaults. Returns the status, the body in *body (initialised by the caller); -1 with *e. */
int admin_ask(const char *address, const char *method, const char *path, struct strbuf *body, struct err *e);

#endif
