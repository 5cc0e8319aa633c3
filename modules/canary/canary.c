#include "canary.h"

#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000000)

const struct weir_host *canary_host;

static int
canary_load(const struct weir_host *host, const char **error)
{
    if (host->size < sizeof(struct weir_host)) {
        *error = "this weir is older than the module";
        return -1;
    }
    canary_host = host;
    return 0;
}

static bool
same_text(struct weir_str a, struct weir_str b)
{
    return a.p && a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static struct weir_str
force_subject(struct weir_exchange *x, const struct canary_force *f)
{
    switch (f->kind) {
    case FORCE_HEADER:
        return canary_host->request_header(x, f->name, 0);
    case FORCE_COOKIE:
        return canary_host->cookie(x, f->name);
    default:
        return canary_host->variable(x, f->name);
    }
}

static const struct canary_force *
forced(struct weir_exchange *x, const struct canary_config *c)
{
    for (const struct canary_force *f = c->forces; f; f = f->next) {
        if (same_text(force_subject(x, f), f->value))
            return f;
    }
    return NULL;
}

/* Weights of this moment: the file's or an operator's, and nothing for a variant without a healthy endpoint, so that
 * its share goes to the others. False: none is healthy, and all keep theirs. */
static bool
live_weights(struct weir_exchange *x, const struct canary_config *c, double all[SPLIT_MAX], double live[SPLIT_MAX])
{
    bool any = false;
    canary_weights(c, all);
    for (unsigned i = 0; i < c->n; i++) {
        live[i] = all[i] > 0 && canary_host->upstream_healthy(x, c->variants[i].upstream) ? all[i] : 0;
        any |= live[i] > 0;
    }
    if (!any)
        memcpy(live, all, c->n * sizeof(*live));
    return any;
}

static enum weir_verdict
go(struct weir_exchange *x, const struct canary_config *c, int i, const char *why)
{
    if (i < 0)
        return WEIR_FAILED; /* weights always hold one above 0 */
    if (why)
        canary_host->note(x, why, "%s", c->variants[i].name);
    canary_host->set_target(x, c->variants[i].upstream);
    return WEIR_CONTINUE;
}

/* An explanation shows the shares, and goes the way most would. */
static int
explain_split(struct weir_exchange *x, const struct canary_config *c, const double *live)
{
    double sum = 0;
    int best = 0;
    for (unsigned i = 0; i < c->n; i++) {
        sum += live[i];
        if (live[i] > live[best])
            best = (int)i;
    }
    for (unsigned i = 0; i < c->n && sum > 0; i++)
        canary_host->explain_variant(x, c->variants[i].upstream, 100 * live[i] / sum);
    return best;
}

static int
draw(struct weir_exchange *x, const struct canary_config *c, const double *live)
{
    if (canary_host->explaining(x))
        return explain_split(x, c, live);
    return split_random(live, c->n, canary_host->random());
}

static int
draw_by_key(const struct canary_config *c, const double *live, struct weir_str key)
{
    uint64_t seeds[SPLIT_MAX];
    for (unsigned i = 0; i < c->n; i++)
        seeds[i] = c->variants[i].seed;
    return split_keyed(live, seeds, c->n, canary_host->hash(key));
}

static void
give_cookie(struct weir_exchange *x, const struct canary_config *c, int i)
{
    char value[COOKIE_VALUE], line[COOKIE_VALUE + 512], age[40] = "";
    int64_t expires = c->ttl_s ? canary_host->wall() / SECOND + c->ttl_s : 0;
    size_t n = cookie_make(c->signer, c->variants[i].upstream, expires, (uint32_t)canary_host->random(), value);
    if (n == 0)
        return;
    if (c->ttl_s)
        snprintf(age, sizeof(age), "; Max-Age=%lld", (long long)c->ttl_s);
    int len = snprintf(line, sizeof(line), "%s=%.*s; Path=/%s; HttpOnly; SameSite=Lax%s", c->cookie, (int)n, value, age,
                       canary_host->client_is_tls(x) ? "; Secure" : "");
    if (len > 0 && (size_t)len < sizeof(line))
        canary_host->response_header_add(x, "Set-Cookie", (struct weir_str){ line, (size_t)len });
}

/* The variant that the client's cookie ties it to; -1: none, or none that it may stay with. */
static int
tied_variant(struct weir_exchange *x, const struct canary_config *c, const double *all, struct weir_str *cookie)
{
    *cookie = canary_host->cookie(x, c->cookie);
    struct weir_str name = cookie_read(c->signer, *cookie, canary_host->wall() / SECOND);
    for (unsigned i = 0; name.p && i < c->n; i++) {
        const struct canary_variant *v = &c->variants[i];
        if (same_text(name, v->upstream))
            return v->drain && all[i] <= 0 ? -1 : (int)i;
    }
    return -1;
}

static enum weir_verdict
target_by_cookie(struct weir_exchange *x, const struct canary_config *c, const double *all, const double *live,
                 bool any)
{
    struct weir_str cookie;
    int tied = tied_variant(x, c, all, &cookie);
    if (tied >= 0 && (!any || canary_host->upstream_healthy(x, c->variants[tied].upstream)))
        return go(x, c, tied, "sticky");
    if (tied >= 0) {
        /* Away until it is well, and always to the same other one; the cookie stays, so that the client returns. */
        return go(x, c, draw_by_key(c, live, cookie), "variant_unhealthy");
    }
    int i = draw(x, c, live);
    if (i >= 0 && !canary_host->explaining(x))
        give_cookie(x, c, i);
    return go(x, c, i, NULL);
}

static enum weir_verdict
canary_target(struct weir_exchange *x, void *config)
{
    const struct canary_config *c = config;
    const struct canary_force *f = forced(x, c);
    if (f) {
        canary_host->note(x, "forced", "%.*s", (int)f->upstream.n, f->upstream.p);
        canary_host->set_target(x, f->upstream);
        return WEIR_CONTINUE;
    }
    double all[SPLIT_MAX], live[SPLIT_MAX];
    bool any = live_weights(x, c, all, live);
    if (c->sticky == STICKY_COOKIE)
        return target_by_cookie(x, c, all, live, any);
    if (c->sticky == STICKY_KEY) {
        struct weir_str key = canary_host->template_text(x, c->key);
        if (key.n > 0)
            return go(x, c, draw_by_key(c, live, key), NULL);
    }
    return go(x, c, draw(x, c, live),
              NULL); /* also where there is no key: many clients without one are not one client */
}

WEIR_MODULE = {
    WEIR_MODULE_ABI,
    .name = "canary",
    .version = "1.0",
    .summary = "sends a share of the requests to each variant of a service",
    .directives = canary_rows,
    .load = canary_load,
    .configure = canary_configure,
    .start = canary_start,
    .release = canary_release,
    .target = canary_target,
    .view_name = "canary",
    .view = canary_view,
    .control = canary_control,
};
