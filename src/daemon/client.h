/* client: one HTTP request of a command (status, reload, demo): blocking, with a deadline, over TCP or unix socket. */
#ifndef DAEMON_CLIENT_H
#define DAEMON_CLIENT_H

#include "../base/err.h"
#include "../base/strbuf.h"
#include "../http/message.h"

struct client_response {
    struct http_response head; /* in arena */
    struct slice body;
    struct arena arena;
};

/* address: "127.0.0.1:9901" or "unix:/path". fields: further header lines, each with CRLF; NULL: none. The status, or
 * -1 with *e. client_fini in both cases. */
int client_ask(struct client_response *r, const char *address, const char *method, const char *path,
               const char *fields, struct err *e);
void client_fini(struct client_response *r);

#endif
