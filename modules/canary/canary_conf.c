#include "canary.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000000)

static const struct weir_arg variant_args[] = { { "UPSTREAM", WEIR_T_NAME },
                                                { "PERCENT", WEIR_T_PERCENT },
                                                { "drain", WEIR_T_WORD, 0, 0, "drain", WEIR_ARG_OPTIONAL },
                                                { 0 } };
static const struct weir_arg sticky_args[] = { { "HOW", WEIR_T_WORD, 0, 0, "cookie|by" },
                                               { "WHAT", WEIR_T_TEMPLATE },
                                               { 0 } };
static const struct weir_opt sticky_opts[] = { { "ttl", WEIR_T_DURATION, SECOND, 400 * 86400 * SECOND }, { 0 } };
static const struct weir_arg force_args[] = { { "WHERE", WEIR_T_WORD, 0, 0, "header|cookie|query" },
                                              { "NAME", WEIR_T_STRING },
                                              { "=", WEIR_T_WORD, 0, 0, "=" },
                                              { "VALUE", WEIR_T_STRING },
                                              { "to", WEIR_T_WORD, 0, 0, "to" },
                                              { "UPSTREAM", WEIR_T_NAME },
                                              { 0 } };
static const struct weir_arg secret_args[] = { { "TEXT", WEIR_T_STRING }, { 0 } };

const struct weir_directive canary_rows[] = {
    { "canary", "main host route policy", .block = "canary", .flags = WEIR_D_POLICY,
      .help = "sends a share of the requests to each variant of a service" },
    { "variant", "canary", variant_args, .flags = WEIR_D_REPEAT | WEIR_D_UNIQUE_NAME | WEIR_D_REQUIRED,
      .help =
          "an upstream and its share; all shares add up to 100%; drain: at 0% not even a cookie keeps clients here" },
    { "sticky", "canary", sticky_args, sticky_opts,
      .help =
          "keeps a client with its variant: cookie NAME, or by TEMPLATE; without it each request is split at random" },
    { "force", "canary", force_args, .flags = WEIR_D_REPEAT,
      .help = "header NAME = VALUE to UPSTREAM: a request with this header (cookie, query argument) goes there" },
    { "secret", "canary", secret_args, .flags = WEIR_D_SECRET,
      .help = "signs sticky cookies; replicas need the same one; without it a random one is made at start" },
    { 0 },
};

static struct weir_str
copy_text(struct weir_policy *p, struct weir_str s)
{
    char *text = canary_host->alloc(p, s.n + 1);
    memcpy(text, s.p, s.n);
    return (struct weir_str){ text, s.n };
}

static int
upstream_arg(struct weir_policy *p, const struct weir_conf *line, unsigned i, struct weir_str *out)
{
    *out = copy_text(p, canary_host->conf_arg(line, i));
    if (canary_host->upstream_exists(p, *out))
        return 0;
    canary_host->conf_error(line, (int)i, "there is no upstream \"%s\"", out->p);
    return -1;
}

/* The file's own weights as one number, to notice when they change. */
static uint64_t
fingerprint(const struct canary_config *c)
{
    char text[SPLIT_MAX * 100];
    int n = 0;
    for (unsigned i = 0; i < c->n; i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%s=%.9g;", c->variants[i].name, c->variants[i].weight);
    uint64_t h = canary_host->hash((struct weir_str){ text, (size_t)n });
    return h ? h : 1;
}

static int
configure_variants(struct canary_config *c, struct weir_policy *p, const struct weir_conf *block)
{
    const struct weir_host *h = canary_host;
    double sum = 0;
    const struct weir_conf *line = h->conf_find(block, "variant"), *last = NULL;
    for (; line; last = line, line = h->conf_next(line)) {
        if (c->n == SPLIT_MAX) {
            h->conf_error(line, -1, "at most %d variants", SPLIT_MAX);
            return -1;
        }
        struct canary_variant *v = &c->variants[c->n++];
        if (upstream_arg(p, line, 0, &v->upstream) != 0)
            return -1;
        v->name = v->upstream.p;
        v->weight = h->conf_percent(line, 1);
        v->drain = h->conf_args(line) > 2;
        v->seed = h->hash(v->upstream);
        sum += v->weight;
    }
    if (!last)
        return -1; /* the row says that it is required: reported */
    if (fabs(sum - 100) > 1e-6) {
        h->conf_error(last, 1, "the variants' weights add up to %g%%, not 100%%", sum);
        return -1;
    }
    c->file = fingerprint(c);
    return 0;
}

static bool
is_token(const char *s)
{
    return *s && s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~")] == '\0';
}

static void
secret_init(void *key)
{
    canary_host->random_bytes(key, COOKIE_KEY);
}

/* The key of `secret`, or one drawn at random and kept while any canary lives. */
static int
configure_signer(struct canary_config *c, const struct weir_conf *block)
{
    const struct weir_host *h = canary_host;
    const struct weir_conf *line = h->conf_find(block, "secret");
    if (line) {
        struct weir_str secret = h->conf_arg(line, 0);
        if (secret.n < 16) {
            h->conf_error(line, 0, "a secret needs at least 16 characters");
            return -1;
        }
        c->signer = cookie_signer_new(secret.p, secret.n, c->cookie);
    } else {
        c->secret_hold = h->state_get("canary:secret", COOKIE_KEY, secret_init, NULL);
        c->signer = cookie_signer_new(h->state_data(c->secret_hold), COOKIE_KEY, c->cookie);
    }
    if (c->signer)
        return 0;
    h->conf_error(block, -1, "cannot sign cookies: the crypto library refuses HMAC-SHA-256");
    return -1;
}

static int
configure_sticky(struct canary_config *c, struct weir_policy *p, const struct weir_conf *block)
{
    const struct weir_host *h = canary_host;
    const struct weir_conf *line = h->conf_find(block, "sticky");
    if (!line)
        return 0;
    struct weir_str how = h->conf_arg(line, 0), ttl = h->conf_opt(line, "ttl");
    if (how.n == 2) {
        c->sticky = STICKY_KEY;
        if (ttl.p) {
            h->conf_error(line, -1, "ttl= belongs to a cookie: a keyed split has no memory");
            return -1;
        }
        c->key = h->conf_template(p, line, 1);
        return c->key ? 0 : -1;
    }
    c->sticky = STICKY_COOKIE;
    c->cookie = copy_text(p, h->conf_arg(line, 1)).p;
    c->ttl_s = h->conf_opt_int(line, "ttl", 0) / SECOND;
    if (is_token(c->cookie))
        return configure_signer(c, block);
    h->conf_error(line, 1, "\"%s\" is not a cookie name", c->cookie);
    return -1;
}

static int
configure_forces(struct canary_config *c, struct weir_policy *p, const struct weir_conf *block)
{
    const struct weir_host *h = canary_host;
    struct canary_force **end = &c->forces;
    int rc = 0;
    for (const struct weir_conf *line = h->conf_find(block, "force"); line; line = h->conf_next(line)) {
        struct canary_force *f = h->alloc(p, sizeof(*f));
        char where = h->conf_arg(line, 0).p[0];
        struct weir_str name = h->conf_arg(line, 1);
        f->kind = where == 'h' ? FORCE_HEADER : where == 'c' ? FORCE_COOKIE : FORCE_QUERY;
        char *text = h->alloc(p, name.n + sizeof("request.arg."));
        snprintf(text, name.n + sizeof("request.arg."), "%s%.*s", where == 'q' ? "request.arg." : "", (int)name.n,
                 name.p);
        f->name = text;
        f->value = copy_text(p, h->conf_arg(line, 3));
        if (where != 'q' && !is_token(f->name)) {
            h->conf_error(line, 1, "\"%s\" is not a name", f->name);
            rc = -1;
        }
        if (upstream_arg(p, line, 5, &f->upstream) != 0)
            rc = -1;
        *end = f;
        end = &f->next;
    }
    return rc;
}

/* Where the policy does not decide, the greatest share does; the first of equals. */
static void
name_default(const struct canary_config *c, struct weir_policy *p)
{
    unsigned best = 0;
    for (unsigned i = 1; i < c->n; i++) {
        if (c->variants[i].weight > c->variants[best].weight)
            best = i;
    }
    canary_host->policy_default_target(p, c->variants[best].upstream);
}

static void
state_init(void *memory)
{
    struct canary_state *s = memory;
    atomic_init(&s->file, 0);
    for (unsigned i = 0; i < SPLIT_MAX; i++)
        atomic_init(&s->weights[i], 0);
}

int
canary_configure(struct weir_policy *p, const struct weir_conf *block, void **config)
{
    struct canary_config *c = canary_host->alloc(p, sizeof(*c));
    c->scope = canary_host->policy_scope(p);
    int rc = configure_variants(c, p, block) | configure_sticky(c, p, block) | configure_forces(c, p, block);
    if (rc != 0) {
        canary_release(c);
        return -1;
    }
    char key[320];
    snprintf(key, sizeof(key), "canary:%016llx:%.*s",
             (unsigned long long)canary_host->hash(c->scope), (int)(c->scope.n < 256 ? c->scope.n : 256), c->scope.p);
    c->hold = canary_host->state_get(key, sizeof(struct canary_state), state_init, NULL);
    c->state = canary_host->state_data(c->hold);
    name_default(c, p);
    *config = c;
    return 0;
}

void
canary_release(void *config)
{
    struct canary_config *c = config;
    cookie_signer_free(c->signer);
    if (c->secret_hold)
        canary_host->state_put(c->secret_hold);
    if (c->hold)
        canary_host->state_put(c->hold);
}
