/*
 * policy: admits requests with a valid bearer token. What this module's files share: the compiled block, and what is
 * known in an exchange.
 */
#ifndef POLICY_H
#define POLICY_H

#include "cache.h"
#include "claims.h"
#include "jwks.h"
#include "keys.h"

#include <weir/module.h>

#define JWT_SOURCES_MAX 8   /* jwks URLs of one policy */
#define JWT_CANDIDATES_MAX 8 /* keys tried for one token: bounds what a token without kid can cost */

struct jwt_source {
    struct jwks *jwks;
    struct weir_state *hold;          /* put in release */
    struct jwks_settings settings;
};

struct jwt_forward {
    const char *claim, *header;
    struct jwt_forward *next;
};

struct jwt_config {
    struct keyset *keys;              /* of files and secrets */
    struct jwt_source sources[JWT_SOURCES_MAX];
    unsigned n_sources;
    uint32_t algorithms;
    struct claims_rules rules;
    struct jwt_forward *forwards;
    unsigned n_forwards;
    struct cache *cache;              /* NULL: off */
    struct weir_metric *hits, *misses; /* of the cache */
    bool started;
};

/* This policy's slot in an exchange. */
struct jwt_slot {
    struct verified *verified;        /* put in finish */
    struct jwks_waiter waiter;
    bool waited;
};

extern const struct weir_directive jwt_rows[];

int jwt_configure(struct weir_policy *p, const struct weir_conf *block, void **config);
void jwt_start(void *config);
bool jwt_warm(void *config);
void jwt_release(void *config);
void jwt_view(void *config, struct weir_text *json);

/* The token's signature under the keys of now. */
enum jwt_signature {
    JWT_GENUINE,
    JWT_FORGED,
    JWT_UNKNOWN_KEY,      /* no key with its kid; *missing is a source that may get it */
    JWT_OTHER_ALG,        /* the key with its kid is not for its algorithm */
    JWT_NO_KEYS           /* *missing has none at all */
};
/* *version: of the keys looked at, taken before (see cache.h). */
enum jwt_signature jwt_check_signature(const struct jwt_config *c, const struct token *t, uint64_t *version,
                                       struct jwks **missing, uint64_t *missing_version);
uint64_t jwt_keys_version(const struct jwt_config *c);

#endif
