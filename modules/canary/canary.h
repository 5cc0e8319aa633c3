/*
 * canary: a share of requests goes to each variant of a service. What this module's files share: the compiled block,
 * and the weights an operator may have put in the place of the file's.
 */
#ifndef CANARY_H
#define CANARY_H

#include "cookie.h"
#include "split.h"

#include <stdatomic.h>
#include <weir/module.h>

struct canary_variant {
    const char *name;  /* the upstream's */
    struct weir_str upstream;
    double weight;     /* percent, of the file */
    uint64_t seed;     /* stable hash of the name, for split_keyed */
    bool drain;        /* at weight 0 even a cookie does not keep a client here */
};

struct canary_force {
    enum { FORCE_HEADER, FORCE_COOKIE, FORCE_QUERY } kind;
    const char *name;  /* for a query argument, the variable's name: "request.arg.NAME" */
    struct weir_str value;
    struct weir_str upstream;
    struct canary_force *next;
};

/* Weights ordered by the admin. They hold while the file says what it said when they were ordered: `file` is its
 * fingerprint, 0: no order. Only the service loop writes. A worker that reads in the middle of an order splits one
 * request by a mixture, which hurts nobody. */
struct canary_state {
    _Atomic uint64_t file;
    _Atomic double weights[SPLIT_MAX];
};

enum canary_sticky { STICKY_NOT, STICKY_COOKIE, STICKY_KEY };

struct canary_config {
    struct canary_variant variants[SPLIT_MAX];
    unsigned n;
    uint64_t file;      /* fingerprint of names and weights; never 0 */
    enum canary_sticky sticky;
    const struct weir_template *key;
    const char *cookie;
    int64_t ttl_s;      /* 0: with the browser's session */
    struct cookie_signer *signer;
    struct canary_force *forces;
    struct weir_state *hold, *secret_hold; /* put in release */
    struct canary_state *state;
    struct weir_str scope;
};

extern const struct weir_host *canary_host;
extern const struct weir_directive canary_rows[];

int canary_configure(struct weir_policy *p, const struct weir_conf *block, void **config);
void canary_release(void *config);

/* The weights that hold now. True: they are an operator's. */
bool canary_weights(const struct canary_config *c, double out[SPLIT_MAX]);

void canary_start(void *config);
void canary_view(void *config, struct weir_text *json);
int canary_control(void *config, struct weir_str body, const char **error);

#endif
