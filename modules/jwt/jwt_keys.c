/* jwt_keys: the key sources of a policy taken together, and a token's signature under them. */
#include "policy.h"
#include "verify.h"

uint64_t
jwt_keys_version(const struct jwt_config *c)
{
    uint64_t sum = 0; /* each only grows, so that the sum names one state of all */
    for (unsigned i = 0; i < c->n_sources; i++)
        sum += atomic_load_explicit(&c->sources[i].jwks->version, memory_order_acquire);
    return sum;
}

static enum keys_match
try_set(const struct keyset *s, const struct token *t, unsigned *budget, bool *genuine)
{
    const struct key *keys[JWT_CANDIDATES_MAX];
    unsigned n;
    enum keys_match match = keyset_match(s, t->alg, t->kid, keys, *budget, &n);
    *budget -= n;
    for (unsigned i = 0; i < n && !*genuine; i++)
        *genuine = verify_signature(keys[i], t);
    return match;
}

enum jwt_signature
jwt_check_signature(const struct jwt_config *c, const struct token *t, uint64_t *version, struct jwks **missing,
                    uint64_t *missing_version)
{
    unsigned budget = JWT_CANDIDATES_MAX;
    bool genuine = false, found = false, other = false, none = false;
    *version = jwt_keys_version(c);
    *missing = NULL;
    *missing_version = 0;

    enum keys_match match = try_set(c->keys, t, &budget, &genuine);
    found |= match == KEYS_FOUND;
    other |= match == KEYS_OTHER_ALG;
    for (unsigned i = 0; i < c->n_sources && !genuine; i++) {
        struct jwks *j = c->sources[i].jwks;
        uint64_t seen = atomic_load_explicit(&j->version, memory_order_acquire);
        struct keyset *s = jwks_keys(j);
        match = s ? try_set(s, t, &budget, &genuine) : KEYS_UNKNOWN;
        keyset_put(s);
        found |= match == KEYS_FOUND;
        other |= match == KEYS_OTHER_ALG;
        if (match == KEYS_UNKNOWN && (!*missing || (!s && !none))) {
            *missing = j;
            *missing_version = seen;
        }
        none |= !s;
    }
    if (genuine)
        return JWT_GENUINE;
    if (found)
        return JWT_FORGED;
    if (other)
        return JWT_OTHER_ALG;
    return none ? JWT_NO_KEYS : JWT_UNKNOWN_KEY;
}
