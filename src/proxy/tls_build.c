#include "tls_build.h"

#include "../base/log.h"

#define DAY 86400
#define WARN_DAYS 14

/* ---- reading ---- */

void
tls_check_key(const struct weir_conf *line, void *diag)
{
    (void)diag;
    if (conf_opt_given(line, "password") && !conf_opt_secret(line, "password"))
        conf_opt_error(line, "password", "a passphrase does not stand in the open: password=${file:FILE}");
}

static unsigned
count(const struct weir_conf *block, const char *name)
{
    unsigned n = 0;
    for (const struct weir_conf *l = conf_find(block, name); l; l = conf_next(l))
        n++;
    return n;
}

/* Certificates and keys belong together by their position. 0: something is missing, and was reported. */
static unsigned
read_pairs(struct arena *arena, const struct weir_conf *tls, struct tls_pair **pairs)
{
    const struct weir_conf *cert = conf_find(tls, "certificate"), *key = conf_find(tls, "key");
    unsigned n = 0;

    *pairs = arena_zalloc(arena, (count(tls, "certificate") + 1) * sizeof **pairs);
    for (; cert && key; cert = conf_next(cert), key = conf_next(key), n++)
        (*pairs)[n] = (struct tls_pair){ .certificate = conf_path(cert, conf_arg(cert, 0)).p,
                                         .key = conf_path(key, conf_arg(key, 0)).p,
                                         .password = conf_opt(key, "password") };
    if (cert)
        conf_error(cert, -1, "this certificate has no `key` line of its own");
    else if (key)
        conf_error(key, -1, "this key has no `certificate` line of its own");
    return cert || key ? 0 : n;
}

static void
read_terms(struct arena *arena, const struct weir_conf *tls, struct tls_terms *terms)
{
    const struct weir_conf *protocols = conf_get(tls, "protocols"), *ciphers = conf_find(tls, "ciphers"),
                           *curves = conf_find(tls, "curves");
    const char **names = arena_alloc(arena, (conf_args(ciphers) + 1) * sizeof *names);
    struct slice list = SLICE_NONE;

    *terms = (struct tls_terms){ .ciphers = names, .n_ciphers = conf_args(ciphers) };
    for (unsigned i = 0; i < conf_args(protocols); i++)
        terms->protocols |= conf_int(protocols, i) == 0 ? TLS_1_2 : TLS_1_3;
    for (unsigned i = 0; i < conf_args(ciphers); i++)
        names[i] = conf_arg(ciphers, i).p;
    for (unsigned i = 0; i < conf_args(curves); i++)
        list = arena_printf(arena, "%.*s%s%s", SLICE_FMT(list), i ? ":" : "", conf_arg(curves, i).p);
    terms->curves = list.p;
}

static const struct weir_conf *
nth(const struct weir_conf *block, const char *name, unsigned i)
{
    const struct weir_conf *l = conf_find(block, name);
    while (i-- && l)
        l = conf_next(l);
    return l;
}

static void
report(const struct weir_conf *tls, enum tls_part part, unsigned pair, const struct err *e)
{
    const struct weir_conf *line = part == TLS_PART_CERTIFICATE ? nth(tls, "certificate", pair)
                                   : part == TLS_PART_CIPHERS   ? conf_find(tls, "ciphers")
                                   : part == TLS_PART_CURVES    ? conf_find(tls, "curves")
                                                                : NULL;
    conf_error(line ? line : tls, line ? 0 : -1, "%s", e->text);
}

static void
note_certs(struct generation *g, struct listener *l, const struct weir_conf *tls, unsigned n)
{
    int64_t now = clock_wall() / NSEC_PER_SEC;

    l->certs = arena_zalloc(&g->arena, n * sizeof *l->certs);
    l->n_certs = n;
    for (unsigned i = 0; i < n; i++) {
        const struct weir_conf *line = nth(tls, "certificate", i);
        l->certs[i] = (struct listener_cert){ conf_arg_shown(line, 0).p, tls_server_expiry(l->tls, i) };
        if (l->certs[i].expiry < now)
            conf_warning(line, 0, "this certificate has expired");
        if (!tls_server_uses(l->tls, i))
            conf_warning(line, 0, "this certificate is never used: those before it have all of its names");
    }
}

void
tls_build(struct generation *g, struct listener *l, const struct weir_conf *block)
{
    const struct weir_conf *tls = conf_find(block, "tls");
    struct tls_server_conf conf = { .scope = conf_arg(block, 0) };
    enum tls_part part;
    struct tls_pair *pairs;
    unsigned pair = 0;
    struct err e = { 0 };

    if (!tls || !(conf.n_pairs = read_pairs(&g->arena, tls, &pairs)))
        return;
    conf.pairs = pairs;
    read_terms(&g->arena, tls, &conf.terms);
    l->tls = tls_server_new(&conf, &e, &part, &pair);
    if (l->tls)
        note_certs(g, l, tls, conf.n_pairs);
    else
        report(tls, part, pair, &e);
}

/* ---- telling ---- */

void
tls_expose(const struct generation *g, struct strbuf *out)
{
    static const char *const labels[] = { "listener", "certificate" };
    static const char name[] = "weir_certificate_expiry_timestamp_seconds";

    stats_expose_head(out, name, "gauge", "When the certificates of listeners run out, in seconds since the epoch.");
    for (unsigned i = 0; i < g->n_listeners; i++) {
        const struct listener *l = &g->listeners[i];
        for (unsigned k = 0; k < l->n_certs; k++) {
            struct slice values[] = { slice_str(l->name), slice_str(l->certs[k].file) };
            stats_expose_value(out, name, labels, values, 2, (double)l->certs[k].expiry);
        }
    }
}

void
tls_warn(const struct generation *g)
{
    int64_t now = clock_wall() / NSEC_PER_SEC;

    for (unsigned i = 0; i < g->n_listeners; i++) {
        const struct listener *l = &g->listeners[i];
        for (unsigned k = 0; k < l->n_certs; k++) {
            int64_t left = l->certs[k].expiry - now;
            if (left < 0)
                log_warning(NULL, "listener %s: the certificate %s has expired", l->name, l->certs[k].file);
            else if (left < (int64_t)WARN_DAYS * DAY)
                log_warning(NULL, "listener %s: the certificate %s expires in %lld days", l->name, l->certs[k].file,
                            (long long)(left / DAY));
        }
    }
}
