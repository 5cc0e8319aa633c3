/* claims: what a policy wants of a token's payload, and claims as text. */
#ifndef CLAIMS_H
#define CLAIMS_H

#include "token.h"

#include <stdbool.h>

struct claims_require {
    const char *name;
    bool any;                  /* one of the values is enough; else all must be there */
    struct weir_str *values;
    unsigned n;
    struct claims_require *next;
};

struct claims_rules {
    struct weir_str *issuers, *audiences; /* n == 0: any */
    unsigned n_issuers, n_audiences;
    int64_t leeway_s;
    bool require_exp;
    struct claims_require *requires;
};

struct claims_refusal {
    const char *reason;        /* NULL: none */
    const char *detail;        /* static, or a claim's name of the rules */
};

/* The rules on a payload whose types are good, at `now` (seconds since the epoch). assumed: it stands for a valid
 * token, so that issuer, audience and expiry are held against it only where they are given. */
struct claims_refusal claims_check(const struct claims_rules *r, const json_t *payload, int64_t now, bool assumed);

/* A claim by name; where there is none of that name, dots lead into objects ("realm_access.roles"). NULL: absent. */
const json_t *claim_find(const json_t *payload, const char *name);
/* Its text: strings, numbers, booleans; members of an array with spaces between. Writes at most `room` bytes and
 * returns how many it takes; -1: it has no text (an object, null). */
long claim_text(const json_t *claim, char *out, size_t room);

#endif
