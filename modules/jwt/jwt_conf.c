#include "policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECOND INT64_C(1000000000)
#define DAY (86400 * SECOND)

static const struct weir_arg texts_args[] = { { "TEXT", WEIR_T_STRING, .flags = WEIR_ARG_REPEAT }, { 0 } };
static const struct weir_arg source_args[] = { { "URL|file:PATH", WEIR_T_STRING }, { 0 } };
static const struct weir_opt jwks_opts[] = { { "ttl", WEIR_T_DURATION, SECOND, 30 * DAY, NULL, "10m" },
                                             { "refetch", WEIR_T_DURATION, SECOND / 100, DAY, NULL, "10s" },
                                             { "timeout", WEIR_T_DURATION, SECOND / 1000, 60 * SECOND, NULL, "5s" },
                                             { 0 } };
static const struct weir_arg key_args[] = { { "file:PATH|secret:TEXT", WEIR_T_STRING }, { 0 } };
static const struct weir_opt key_opts[] = { { "alg", WEIR_T_WORD, 0, 0, ALG_CHOICES },
                                            { "kid", WEIR_T_STRING },
                                            { 0 } };
static const struct weir_arg alg_args[] = { { "ALGORITHM", WEIR_T_WORD, 0, 0, ALG_CHOICES, WEIR_ARG_REPEAT }, { 0 } };
static const struct weir_arg leeway_args[] = { { "TIME", WEIR_T_DURATION, 0, DAY }, { 0 } };
static const struct weir_arg require_args[] = { { "[any] CLAIM", WEIR_T_STRING },
                                                { "VALUE", WEIR_T_STRING, .flags = WEIR_ARG_REPEAT },
                                                { 0 } };
static const struct weir_arg forward_args[] = {
    { "CLAIM", WEIR_T_STRING }, { "as", WEIR_T_WORD, 0, 0, "as" }, { "HEADER", WEIR_T_STRING }, { 0 }
};
static const struct weir_arg bool_args[] = { { "on|off", WEIR_T_BOOL }, { 0 } };
static const struct weir_arg cache_args[] = { { "ENTRIES", WEIR_T_INT, 0, 10000000 }, { 0 } };

const struct weir_directive jwt_rows[] = {
    { "jwt", "main host route policy", .block = "jwt", .flags = WEIR_D_POLICY,
      .help = "admits requests with a valid bearer token (JWT)" },
    { "issuer", "jwt", texts_args, .help = "what iss must be (one of); without it any issuer" },
    { "audience", "jwt", texts_args, .flags = WEIR_D_REQUIRED,
      .help = "what aud must be or contain (one of); any: not checked" },
    { "jwks", "jwt", source_args, jwks_opts, .flags = WEIR_D_REPEAT,
      .help = "a JWK set, by URL (refreshed after 80% of ttl, and for an unknown kid when older than refetch) or as "
              "file:PATH" },
    { "key", "jwt", key_args, key_opts, .flags = WEIR_D_REPEAT | WEIR_D_SECRET,
      .help = "one key: a public key or certificate in PEM form as file:PATH, or secret:TEXT; bound to alg" },
    { "algorithms", "jwt", alg_args, .help = "algorithms that are accepted; without it all that the keys are for" },
    { "leeway", "jwt", leeway_args, .def = "60s", .help = "how far clocks may differ, for exp and nbf" },
    { "require", "jwt", require_args, .flags = WEIR_D_REPEAT,
      .help = "a claim that must have all of these values (require any CLAIM ...: one of them)" },
    { "require_exp", "jwt", bool_args, .def = "on", .help = "whether a token without exp is refused" },
    { "forward", "jwt", forward_args, .flags = WEIR_D_REPEAT,
      .help = "CLAIM as HEADER: sends a claim to the origin; a header of that name from the client is always removed" },
    { "insecure", "jwt", bool_args, .def = "off",
      .help = "whether keys may be fetched over plain http:// beyond loopback" },
    { "cache", "jwt", cache_args, .def = "16384",
      .help = "verified tokens remembered, so that the same one costs no signature again; 0: none" },
    { 0 },
};

static struct weir_str
copy_text(struct weir_policy *p, struct weir_str s)
{
    char *text = jwt_host->alloc(p, s.n + 1);
    if (s.n)
        memcpy(text, s.p, s.n);
    return (struct weir_str){ text, s.n };
}

static bool
is_word(struct weir_str s, const char *word)
{
    return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

static bool
cut_prefix(struct weir_str *s, const char *prefix)
{
    size_t n = strlen(prefix);
    if (s->n < n || strncasecmp(s->p, prefix, n) != 0)
        return false;
    s->p += n;
    s->n -= n;
    return true;
}

/* Arguments `from`.. of a line. */
static unsigned
copy_args(struct weir_policy *p, const struct weir_conf *line, unsigned from, struct weir_str **out)
{
    unsigned n = jwt_host->conf_args(line);
    *out = n > from ? jwt_host->alloc(p, (n - from) * sizeof(**out)) : NULL;
    for (unsigned i = from; i < n; i++)
        (*out)[i - from] = copy_text(p, jwt_host->conf_arg(line, i));
    return n > from ? n - from : 0;
}

/* Of the host of an http URL: whether nobody can stand in between. */
static bool
is_loopback(struct weir_str rest)
{
    static const char *const names[] = { "localhost", "[::1]" };
    size_t n = 0;
    while (n < rest.n && !memchr("/?#", rest.p[n], 3))
        n++;
    if (memchr(rest.p, '@', n))
        return false;
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(names[i]);
        if (n >= len && strncasecmp(rest.p, names[i], len) == 0 && (n == len || rest.p[len] == ':'))
            return true;
    }
    unsigned parts = 1, digits = 0;
    if (n < 4 || memcmp(rest.p, "127.", 4) != 0)
        return false;
    for (size_t i = 4; i < n && rest.p[i] != ':'; i++) {
        if (rest.p[i] == '.' && digits > 0) {
            parts++;
            digits = 0;
        } else if (rest.p[i] >= '0' && rest.p[i] <= '9') {
            digits++;
        } else {
            return false; /* 127.example.com */
        }
    }
    return parts == 3 && digits > 0;
}

static int
add_url(struct jwt_config *c, const struct weir_conf *line, const struct weir_conf *block, struct weir_str url)
{
    const struct weir_host *h = jwt_host;
    struct weir_str rest = url;
    if (cut_prefix(&rest, "http://")) {
        if (!is_loopback(rest) && !h->conf_get_int(block, "insecure")) {
            h->conf_error(line, 0,
                          "keys over plain http:// can be replaced on the way: use https://, or say `insecure on;`");
            return -1;
        }
    } else if (!cut_prefix(&rest, "https://") || rest.n == 0) {
        h->conf_error(line, 0, "expected an https:// URL or file:PATH");
        return -1;
    }
    if (c->n_sources == JWT_SOURCES_MAX) {
        h->conf_error(line, -1, "at most %d key URLs", JWT_SOURCES_MAX);
        return -1;
    }
    struct jwt_source *s = &c->sources[c->n_sources];
    s->hold = jwks_get(url.p, &s->jwks);
    if (!s->hold)
        return -1;
    c->n_sources++;
    s->settings.ttl_ns = h->conf_opt_int(line, "ttl", 600 * SECOND);
    s->settings.refetch_ns = h->conf_opt_int(line, "refetch", 10 * SECOND);
    s->settings.timeout_ns = h->conf_opt_int(line, "timeout", 5 * SECOND);
    return 0;
}

static int
add_jwks_file(struct jwt_config *c, struct weir_policy *p, const struct weir_conf *line, struct weir_str path)
{
    const char *error;
    const struct weir_str *text = jwt_host->conf_file(p, line, path);
    if (!text)
        return -1;
    struct keyset *s = keyset_parse(text->p, text->n, true, &error);
    if (!s) {
        jwt_host->conf_error(line, 0, "not a usable JWK set: %s", error);
        return -1;
    }
    if (s->skipped)
        jwt_host->conf_warning(line, 0, "%u keys of this set cannot be used", s->skipped);
    /* The one set of the policy takes the keys over. */
    for (; s->n > 0 && c->keys->n < KEYS_MAX; s->n--)
        c->keys->keys[c->keys->n++] = s->keys[s->n - 1];
    bool full = s->n > 0;
    keyset_put(s);
    if (full)
        jwt_host->conf_error(line, 0, "more than %d keys", KEYS_MAX);
    return full ? -1 : 0;
}

static int
configure_jwks(struct jwt_config *c, struct weir_policy *p, const struct weir_conf *block)
{
    int rc = 0;
    for (const struct weir_conf *line = jwt_host->conf_find(block, "jwks"); line; line = jwt_host->conf_next(line)) {
        struct weir_str source = copy_text(p, jwt_host->conf_arg(line, 0));
        rc |= cut_prefix(&source, "file:") ? add_jwks_file(c, p, line, source) : add_url(c, line, block, source);
    }
    return rc;
}

static int
add_secret(struct jwt_config *c, const struct weir_conf *line, struct weir_str secret, uint32_t mask, const char *kid)
{
    const char *error;
    if (mask == 0) {
        jwt_host->conf_error(line, -1, "a secret needs alg=HS256, HS384 or HS512");
        return -1;
    }
    if (keyset_add_secret(c->keys, secret.p, secret.n, mask, kid, &error) != 0) {
        jwt_host->conf_error(line, -1, "%s", error);
        return -1;
    }
    for (int i = 0; i < ALG_COUNT; i++) {
        if (mask == ALG_BIT(i) && secret.n < algs[i].size)
            jwt_host->conf_warning(line, -1,
                                   "the secret is shorter than the %u bytes that %s needs to be safe (RFC 7518 3.2)",
                                   algs[i].size, algs[i].name);
    }
    return 0;
}

static int
add_file(struct jwt_config *c, struct weir_policy *p, const struct weir_conf *line, uint32_t mask, const char *kid)
{
    const char *error;
    struct weir_str path = jwt_host->conf_arg(line, 0);
    cut_prefix(&path, "file:");
    const struct weir_str *text = jwt_host->conf_file(p, line, path);
    if (!text)
        return -1;
    if (keyset_add_pem(c->keys, text->p, text->n, mask, kid, &error) == 0)
        return 0;
    jwt_host->conf_error(line, 0, "%s", error);
    return -1;
}

static int
configure_keys(struct jwt_config *c, struct weir_policy *p, const struct weir_conf *block)
{
    const struct weir_host *h = jwt_host;
    int rc = 0;
    for (const struct weir_conf *line = h->conf_find(block, "key"); line; line = h->conf_next(line)) {
        struct weir_str source = h->conf_arg(line, 0), alg = h->conf_opt(line, "alg"), kid = h->conf_opt(line, "kid");
        int i = alg.p ? alg_find(alg.p, alg.n) : -1;
        uint32_t mask = i < 0 ? 0 : ALG_BIT(i);
        const char *name = kid.p ? copy_text(p, kid).p : NULL;
        if (cut_prefix(&source, "secret:")) {
            rc |= add_secret(c, line, source, mask, name);
        } else if (cut_prefix(&source, "file:")) {
            rc |= add_file(c, p, line, mask, name);
        } else {
            h->conf_error(line, 0, "expected file:PATH or secret:TEXT");
            rc = -1;
        }
    }
    return rc;
}

static int
configure_names(struct jwt_config *c, struct weir_policy *p, const struct weir_conf *block)
{
    const struct weir_host *h = jwt_host;
    const struct weir_conf *line = h->conf_find(block, "issuer");
    if (line)
        c->rules.n_issuers = copy_args(p, line, 0, &c->rules.issuers);
    if (!(line = h->conf_find(block, "audience")))
        return -1; /* the row says that it is required: reported */
    unsigned n = copy_args(p, line, 0, &c->rules.audiences);
    for (unsigned i = 0; i < n; i++) {
        if (!is_word(c->rules.audiences[i], "any"))
            continue;
        if (n == 1)
            return 0;
        h->conf_error(line, (int)i, "`any` stands alone");
        return -1;
    }
    c->rules.n_audiences = n;
    return 0;
}

static int
configure_requires(struct jwt_config *c, struct weir_policy *p, const struct weir_conf *block)
{
    const struct weir_host *h = jwt_host;
    struct claims_require **end = &c->rules.requires;
    int rc = 0;
    for (const struct weir_conf *line = h->conf_find(block, "require"); line; line = h->conf_next(line)) {
        struct claims_require *r = h->alloc(p, sizeof(*r));
        r->any = is_word(h->conf_arg(line, 0), "any");
        unsigned at = r->any ? 1 : 0;
        r->name = copy_text(p, h->conf_arg(line, at)).p;
        r->n = copy_args(p, line, at + 1, &r->values);
        if (r->n == 0) {
            h->conf_error(line, -1, "expected a claim and at least one value");
            rc = -1;
        }
        *end = r;
        end = &r->next;
    }
    return rc;
}

static bool
is_header_name(const char *s)
{
    return *s && s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~")] == '\0';
}

static int
configure_forwards(struct jwt_config *c, struct weir_policy *p, const struct weir_conf *block)
{
    const struct weir_host *h = jwt_host;
    struct jwt_forward **end = &c->forwards;
    int rc = 0;
    for (const struct weir_conf *line = h->conf_find(block, "forward"); line; line = h->conf_next(line)) {
        struct jwt_forward *f = h->alloc(p, sizeof(*f));
        f->claim = copy_text(p, h->conf_arg(line, 0)).p;
        f->header = copy_text(p, h->conf_arg(line, 2)).p;
        if (!is_header_name(f->header)) {
            h->conf_error(line, 2, "\"%s\" is not a header name", f->header);
            rc = -1;
        }
        c->n_forwards++;
        *end = f;
        end = &f->next;
    }
    return rc;
}

static uint32_t
configure_algorithms(const struct weir_conf *block)
{
    const struct weir_conf *line = jwt_host->conf_find(block, "algorithms");
    uint32_t mask = 0;
    if (!line)
        return ~UINT32_C(0);
    for (unsigned i = 0; i < jwt_host->conf_args(line); i++) {
        struct weir_str name = jwt_host->conf_arg(line, i);
        int alg = alg_find(name.p, name.n);
        if (alg >= 0)
            mask |= ALG_BIT(alg);
    }
    return mask;
}

static void
make_metrics(struct jwt_config *c)
{
    static const char *const labels[] = { "result" };
    static const char help[] = "Tokens looked up among the verified ones.";
    c->hits = jwt_host->metric('c', "weir_jwt_cache_total", help, labels, &(struct weir_str){ "hit", 3 }, 1);
    c->misses = jwt_host->metric('c', "weir_jwt_cache_total", help, labels, &(struct weir_str){ "miss", 4 }, 1);
}

int
jwt_configure(struct weir_policy *p, const struct weir_conf *block, void **config)
{
    const struct weir_host *h = jwt_host;
    struct jwt_config *c = h->alloc(p, sizeof(*c));
    unsigned entries = (unsigned)h->conf_get_int(block, "cache");
    c->keys = keyset_new();
    c->algorithms = configure_algorithms(block);
    c->rules.leeway_s = h->conf_get_int(block, "leeway") / SECOND;
    c->rules.require_exp = h->conf_get_int(block, "require_exp") != 0;
    int rc = c->keys && (entries == 0 || (c->cache = cache_new(entries))) ? 0 : -1;
    if (rc == 0) {
        rc |= configure_jwks(c, p, block) | configure_keys(c, p, block);
        if (rc == 0 && c->keys->n == 0 && c->n_sources == 0) {
            h->conf_error(block, -1, "there is nothing to verify tokens with: give `jwks` or `key`");
            rc = -1;
        }
    }
    rc |= configure_names(c, p, block) | configure_requires(c, p, block) | configure_forwards(c, p, block);
    if (rc != 0) {
        jwt_release(c);
        return -1;
    }
    make_metrics(c);
    *config = c;
    return 0;
}

void
jwt_start(void *config)
{
    struct jwt_config *c = config;
    if (c->started)
        return; /* by jwt_warm */
    c->started = true;
    for (unsigned i = 0; i < c->n_sources; i++)
        jwks_start(c->sources[i].jwks, &c->sources[i].settings);
}

bool
jwt_warm(void *config)
{
    struct jwt_config *c = config;
    bool all = true;
    jwt_start(config);
    for (unsigned i = 0; i < c->n_sources; i++)
        all &= jwks_settled(c->sources[i].jwks);
    return all;
}

void
jwt_release(void *config)
{
    struct jwt_config *c = config;
    for (unsigned i = 0; i < c->n_sources; i++) {
        if (c->started)
            jwks_stop(c->sources[i].jwks);
        jwt_host->state_put(c->sources[i].hold);
    }
    keyset_put(c->keys);
    cache_free(c->cache);
}
