/* url: where a store is, as the operator wrote it. Everything in it is checked and percent-decoded here; no error text
 * repeats any of it. */
#ifndef STORE_URL_H
#define STORE_URL_H

#include "../base/arena.h"
#include "../net/addr.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_HOSTS_MAX 16

enum store_kind { STORE_SINGLE, STORE_SENTINEL, STORE_CLUSTER };

struct store_host {
    struct slice name; /* without brackets; empty for a unix socket */
    uint16_t port;
    bool literal; /* addr holds it, no name to resolve */
    struct addr addr;
};

struct store_url {
    enum store_kind kind;
    bool tls;
    struct slice user;     /* empty: the default user */
    struct slice password; /* empty: no AUTH */
    unsigned db;
    struct slice master; /* of sentinels */
    struct store_host hosts[STORE_HOSTS_MAX];
    unsigned n_hosts; /* 1 for STORE_SINGLE */
};

/*
 *   redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]           rediss:// the same over TLS
 *   unix://[[USER]:PASSWORD@]/PATH[?db=DB]               unix:/PATH too
 *   redis+sentinel://[...@]HOST[:PORT][,HOST...]/MASTER[/DB]
 *   redis+cluster://[...@]HOST[:PORT][,HOST...]          and rediss+sentinel://, rediss+cluster://
 *
 * What it points to lies in the arena. NULL when good, else a static text saying what is wrong.
 */
const char *store_url_parse(struct slice text, struct arena *arena, struct store_url *u);
/* The same text with the password as ***. In the arena, NUL-terminated. */
const char *store_url_mask(struct slice text, struct arena *arena);

#endif
