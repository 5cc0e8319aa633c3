/*
 * rate_limit: token buckets per key, in Redis or in the memory of this process. What this module's files share: the
 * compiled block, and what all generations and workers share.
 */
#ifndef RATE_LIMIT_H
#define RATE_LIMIT_H

#include "gcra.h"
#include "table.h"

#include <stdatomic.h>
#include <weir/module.h>

enum limit_on_error { ON_ERROR_LOCAL, ON_ERROR_ALLOW, ON_ERROR_DENY };

/* Keyed by the limit's name: buckets outlive every reload that keeps the name. */
struct limit_state {
    struct table *table;      /* made once, while the first generation is built */
    atomic_bool degraded;     /* the store does not answer */
    _Atomic int64_t missed_at; /* when it was last missed; monotonic ns */
    struct weir_metric *degraded_gauge;
    struct weir_metric *_Atomic evictions; /* from the first one on: of ten thousand limits few have any */
};

struct limit_config {
    struct gcra rate;         /* as written */
    struct gcra share;        /* this process's part of it, where the store is away */
    struct weir_str scope; /* the limit's name */
    struct weir_str name;  /* as it stands in headers */
    struct weir_str policy_header; /* "NAME";q=COUNT;w=SECONDS */
    struct weir_str header_start;  /* "NAME";r= */

    const struct weir_template *key;
    bool key_is_address;      /* ${client.ip}: IPv6 by /64 */

    struct weir_str store;    /* n == 0: none */
    enum limit_on_error on_error;
    struct weir_str redis_prefix;      /* weir:{NAME: */
    struct weir_str redis_args[2];     /* emission and capacity in microseconds */

    struct weir_state *hold;  /* put in release */
    struct limit_state *state;
};

extern const struct weir_host *limit_host;
extern const struct weir_directive limit_rows[];

int limit_configure(struct weir_policy *p, const struct weir_conf *block, void **config);
void limit_release(void *config);

/* What a client address counts as: an IPv4 address (also one mapped into IPv6) itself, an IPv6 address as its first 64
 * bits. The text is made in `out`, or is the address as given. */
struct weir_str limit_address_key(struct weir_str address, char out[64]);

#endif
