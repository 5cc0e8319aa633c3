#include "policy.h"
#include "verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECOND INT64_C(1000000000)

const struct weir_host *jwt_host;

static int
jwt_load(const struct weir_host *host, const char **error)
{
    if (host->size < sizeof(struct weir_host)) {
        *error = "this weir is older than the module";
        return -1;
    }
    if (verify_load() != 0) {
        *error = "the crypto library lacks SHA-2";
        return -1;
    }
    jwt_host = host;
    return 0;
}

/* --- refusals --- */

/* The challenge goes with the refusal (RFC 6750 3); not where it is not applied. */
static enum weir_verdict
challenge(struct weir_exchange *x, enum weir_verdict said, const char *text)
{
    if (said == WEIR_REFUSED)
        jwt_host->response_header_set(x, "WWW-Authenticate", (struct weir_str){ text, strlen(text) });
    return said;
}

static enum weir_verdict
refuse_token(struct weir_exchange *x, const char *reason, const char *detail)
{
    return challenge(x, jwt_host->refuse(x, reason, "%s", detail), "Bearer error=\"invalid_token\"");
}

static enum weir_verdict
refuse_claims(struct weir_exchange *x, const struct claims_refusal *why)
{
    if (strcmp(why->reason, "jwt_claim_refused") != 0)
        return refuse_token(x, why->reason, why->detail);
    return challenge(x, jwt_host->refuse(x, why->reason, "claim %s", why->detail),
                     "Bearer error=\"insufficient_scope\"");
}

static enum weir_verdict
refuse_for_keys(struct weir_exchange *x, struct jwks *missing)
{
    enum weir_verdict said = jwt_host->refuse(x, "jwt_keys_unavailable", "no keys from %s", missing->url);
    if (said != WEIR_REFUSED)
        return said;
    char text[24];
    int n = snprintf(text, sizeof(text), "%lld", (long long)jwks_retry_after(missing));
    jwt_host->response_header_set(x, "Retry-After", (struct weir_str){ text, (size_t)n });
    return said;
}

/* --- the token of a request --- */

enum bearer { BEARER_TOKEN, BEARER_MISSING, BEARER_REPEATED };

/* RFC 6750 2.1: Authorization: Bearer TOKEN. An empty token is a token, and a malformed one. */
static enum bearer
find_bearer(struct weir_exchange *x, struct weir_str *token)
{
    struct weir_str value = jwt_host->request_header(x, "Authorization", 0);
    if (!value.p)
        return BEARER_MISSING;
    if (jwt_host->request_header(x, "Authorization", 1).p)
        return BEARER_REPEATED;
    if (value.n < 6 || strncasecmp(value.p, "Bearer", 6) != 0 || (value.n > 6 && value.p[6] != ' '))
        return BEARER_MISSING;
    const char *p = value.p + 6, *end = value.p + value.n;
    while (p < end && *p == ' ')
        p++;
    while (end > p && end[-1] == ' ')
        end--;
    *token = (struct weir_str){ p, (size_t)(end - p) };
    return BEARER_TOKEN;
}

/* --- after the decision --- */

static void
set_forwards(struct weir_exchange *x, const struct jwt_config *c, const struct verified *v)
{
    unsigned i = 0;
    for (const struct jwt_forward *f = c->forwards; f; f = f->next, i++) {
        jwt_host->request_header_remove(x, f->header);
        if (v && v->forwards[i].p)
            jwt_host->request_header_set(x, f->header, v->forwards[i]);
    }
}

static enum weir_verdict
accept_token(struct weir_exchange *x, const struct jwt_config *c, struct jwt_slot *slot, struct verified *v)
{
    slot->verified = v;
    *jwt_host->exchange_shared(x) = v;
    if (c->forwards)
        set_forwards(x, c, v);
    return WEIR_CONTINUE;
}

/* The text of a claim in memory of its own; p NULL: absent. */
static struct weir_str
forward_text(const json_t *claims, const char *name)
{
    const json_t *claim = claim_find(claims, name);
    long n = claim_text(claim, NULL, 0);
    char *text = n >= 0 ? malloc((size_t)n + 1) : NULL;
    if (!text)
        return (struct weir_str){ NULL, 0 };
    claim_text(claim, text, (size_t)n);
    return (struct weir_str){ text, (size_t)n };
}

/* Takes claims over. NULL: out of memory. */
static struct verified *
make_verified(const struct jwt_config *c, struct weir_str token, json_t *claims, uint64_t version)
{
    struct verified *v = verified_new(token, claims, c->n_forwards);
    if (!v)
        return NULL;
    unsigned i = 0;
    for (const struct jwt_forward *f = c->forwards; f; f = f->next, i++)
        v->forwards[i] = forward_text(claims, f->claim);
    v->version = version;
    v->hash = token.n ? jwt_host->hash(cache_tail(token)) : 0;
    v->from = token_time(claims, "nbf", INT64_MIN / 2) - c->rules.leeway_s;
    v->until = token_time(claims, "exp", INT64_MAX / 2) + c->rules.leeway_s;
    return v;
}

/* --- the decision --- */

/* Waits for keys if that can help; WEIR_CONTINUE: it cannot. */
static enum weir_verdict
wait_for_keys(struct weir_exchange *x, struct jwt_slot *slot, struct jwks *missing, uint64_t version, bool *again)
{
    *again = false;
    if (slot->waited || !missing || jwt_host->explaining(x))
        return WEIR_CONTINUE;
    slot->waited = true;
    switch (jwks_want(missing, version, &slot->waiter, x)) {
    case JWKS_WAITING:
        return WEIR_SUSPENDED;
    case JWKS_FRESH:
        *again = true;
        return WEIR_CONTINUE;
    default:
        return WEIR_CONTINUE;
    }
}

/* WEIR_CONTINUE: genuine. */
static enum weir_verdict
decide_signature(struct weir_exchange *x, const struct jwt_config *c, struct jwt_slot *slot, const struct token *t,
                 uint64_t *version)
{
    struct jwks *missing;
    uint64_t missing_version;
    enum jwt_signature got = jwt_check_signature(c, t, version, &missing, &missing_version);
    bool again;
    if (got == JWT_UNKNOWN_KEY || got == JWT_NO_KEYS) {
        if (wait_for_keys(x, slot, missing, missing_version, &again) == WEIR_SUSPENDED)
            return WEIR_SUSPENDED;
        if (again)
            got = jwt_check_signature(c, t, version, &missing, &missing_version);
    }
    switch (got) {
    case JWT_GENUINE:
        return WEIR_CONTINUE;
    case JWT_FORGED:
        return refuse_token(x, "jwt_bad_signature", "no key of its kind made this signature");
    case JWT_OTHER_ALG:
        return refuse_token(x, "jwt_alg_refused", "its key is not for its algorithm");
    case JWT_NO_KEYS:
        if (!jwt_host->explaining(x))
            return refuse_for_keys(x, missing);
        jwt_host->note(x, NULL, "signature not checked: the keys of %s are not fetched", missing->url);
        return WEIR_CONTINUE;
    default:
        return refuse_token(x, "jwt_unknown_key", "no key has its kid");
    }
}

static enum weir_verdict
decide_new(struct weir_exchange *x, const struct jwt_config *c, struct jwt_slot *slot, struct weir_str text)
{
    struct token t;
    const char *why;
    uint64_t version = 0;
    enum weir_verdict said;
    if (token_decode(&t, text, &why) != 0) {
        said = refuse_token(x, "jwt_malformed", why);
        goto out;
    }
    if (t.alg < 0 || !(c->algorithms & ALG_BIT(t.alg))) {
        said = refuse_token(x, "jwt_alg_refused", "its algorithm is not accepted");
        goto out;
    }
    said = decide_signature(x, c, slot, &t, &version);
    if (said != WEIR_CONTINUE)
        goto out;
    struct claims_refusal refusal = claims_check(&c->rules, t.payload, jwt_host->wall() / SECOND, false);
    if (refusal.reason) {
        said = refuse_claims(x, &refusal);
        goto out;
    }
    struct verified *v = make_verified(c, text, json_incref(t.payload), version);
    if (!v) {
        said = WEIR_FAILED;
        goto out;
    }
    if (c->cache && !jwt_host->explaining(x))
        cache_add(c->cache, v);
    said = accept_token(x, c, slot, v);
out:
    token_fini(&t);
    return said;
}

/* Claims of a test block stand for a valid token. */
static enum weir_verdict
decide_assumed(struct weir_exchange *x, const struct jwt_config *c, struct jwt_slot *slot, struct weir_str text)
{
    json_t *claims = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    const char *wrong = json_is_object(claims) ? token_check_claims(claims) : "the claims are not a JSON object";
    struct claims_refusal refusal = { 0 };
    enum weir_verdict said = WEIR_CONTINUE;
    if (wrong)
        said = refuse_token(x, "jwt_malformed", wrong);
    else if ((refusal = claims_check(&c->rules, claims, jwt_host->wall() / SECOND, true)).reason)
        said = refuse_claims(x, &refusal);
    if (wrong || refusal.reason) {
        json_decref(claims);
        return said;
    }
    struct verified *v = make_verified(c, (struct weir_str){ NULL, 0 }, claims, 0);
    return v ? accept_token(x, c, slot, v) : WEIR_FAILED;
}

static enum weir_verdict
jwt_request(struct weir_exchange *x, void *config)
{
    const struct jwt_config *c = config;
    struct jwt_slot *slot = *jwt_host->exchange_slot(x);
    if (!slot)
        slot = *jwt_host->exchange_slot(x) = jwt_host->exchange_alloc(x, sizeof(*slot));
    jwks_leave(&slot->waiter);
    if (c->forwards)
        set_forwards(x, c, NULL); /* whatever comes of it, the client does not speak in a claim's name */

    struct weir_str assumed = jwt_host->explain_claims(x);
    if (assumed.p)
        return decide_assumed(x, c, slot, assumed);

    struct weir_str token;
    switch (find_bearer(x, &token)) {
    case BEARER_MISSING:
        return challenge(x, jwt_host->refuse(x, "jwt_missing", "there is no bearer token"), "Bearer");
    case BEARER_REPEATED:
        return challenge(x, jwt_host->refuse(x, "bad_request", "Authorization is repeated"),
                         "Bearer error=\"invalid_request\"");
    default:
        break;
    }
    if (c->cache && token.n > 0) {
        struct verified *v = cache_get(c->cache, jwt_host->hash(cache_tail(token)), token, jwt_keys_version(c),
                                       jwt_host->wall() / SECOND);
        jwt_host->metric_add(v ? c->hits : c->misses, 1);
        if (v)
            return accept_token(x, c, slot, v);
    }
    return decide_new(x, c, slot, token);
}

static void
jwt_cancel(struct weir_exchange *x, void *config)
{
    struct jwt_slot *slot = *jwt_host->exchange_slot(x);
    if (slot)
        jwks_leave(&slot->waiter);
}

static void
jwt_finish(struct weir_exchange *x, void *config)
{
    void **place = jwt_host->exchange_slot(x);
    struct jwt_slot *slot = *place;
    if (!slot)
        return;
    void **shared = jwt_host->exchange_shared(x);
    if (*shared == slot->verified)
        *shared = NULL;
    verified_put(slot->verified);
    slot->verified = NULL;
    *place = NULL;
}

/* ${jwt.CLAIM}. The text is copied: it must live as long as the exchange, the token may be forgotten before. */
static struct weir_str
jwt_variable(struct weir_exchange *x, void *shared, struct weir_str rest)
{
    const struct weir_str none = { NULL, 0 };
    const struct verified *v = shared;
    char name[256];
    if (!v || rest.n >= sizeof(name))
        return none;
    memcpy(name, rest.p, rest.n);
    name[rest.n] = '\0';
    const json_t *claim = claim_find(v->claims, name);
    long n = claim_text(claim, NULL, 0);
    if (n < 0)
        return none;
    char *text = jwt_host->exchange_alloc(x, (size_t)n + 1);
    claim_text(claim, text, (size_t)n);
    return (struct weir_str){ text, (size_t)n };
}

static int
text_sink(const char *p, size_t n, void *arg)
{
    struct weir_text *json = arg;
    json->add(json, p, n);
    return 0;
}

void
jwt_view(void *config, struct weir_text *json)
{
    const struct jwt_config *c = config;
    json_t *list = json_array();
    for (unsigned i = 0; i < c->n_sources; i++) {
        struct jwks_status s;
        jwks_read(c->sources[i].jwks, &s);
        json_t *age = s.age_ns < 0 ? json_null() : json_integer(s.age_ns / SECOND);
        json_array_append_new(list, json_pack("{s:s, s:i, s:o, s:i, s:s}", "url", c->sources[i].jwks->url, "keys",
                                              (int)s.keys, "age_seconds", age, "failures", (int)s.failures, "error",
                                              s.error));
    }
    json_dump_callback(list, text_sink, json, JSON_COMPACT);
    json_decref(list);
}

static const struct weir_reason jwt_reasons[] = {
    { "jwt_missing", 401, "A bearer token is required", NULL },
    { "jwt_malformed", 401, "The token is malformed", NULL },
    { "jwt_bad_signature", 401, "The token's signature is wrong", NULL },
    { "jwt_expired", 401, "The token has expired", NULL },
    { "jwt_not_yet_valid", 401, "The token is not valid yet", NULL },
    { "jwt_bad_issuer", 401, "The token is of another issuer", NULL },
    { "jwt_bad_audience", 401, "The token is for another audience", NULL },
    { "jwt_alg_refused", 401, "The token's algorithm is not accepted", NULL },
    { "jwt_unknown_key", 401, "The token's key is not known", NULL },
    { "jwt_claim_refused", 403, "The token does not grant this", NULL },
    { "jwt_keys_unavailable", 503, "The keys to verify tokens are not available", "http_request_error" },
    { 0 },
};

static const struct weir_variable jwt_variables[] = {
    { "jwt.", "a claim of the verified token; dots lead into objects, arrays are joined by spaces", jwt_variable },
    { 0 },
};

WEIR_MODULE = {
    WEIR_MODULE_ABI,
    .name = "jwt",
    .version = "1.0",
    .summary = "admits requests with a valid bearer token (JWT)",
    .directives = jwt_rows,
    .reasons = jwt_reasons,
    .variables = jwt_variables,
    .load = jwt_load,
    .configure = jwt_configure,
    .start = jwt_start,
    .warm = jwt_warm,
    .release = jwt_release,
    .request = jwt_request,
    .finish = jwt_finish,
    .cancel = jwt_cancel,
    .view_name = "jwks",
    .view = jwt_view,
};
