#include "tls_build.h"

#include "../base/log.h"
#include "../net/tls_conf.h"

#define DAY 86400
#define WARN_DAYS 14

/* ---- reading ---- */

static void
note_certs(struct generation *g, struct listener *l, const struct weir_conf *tls, unsigned n)
{
    int64_t now = clock_wall() / NSEC_PER_SEC;

    l->certs = arena_zalloc(&g->arena, n * sizeof *l->certs);
    l->n_certs = n;
    for (unsigned i = 0; i < n; i++) {
        const struct weir_conf *line = tls_conf_nth(tls, "certificate", i);
        l->certs[i] = (struct listener_cert){ conf_arg_shown(line, 0).p, tls_server_expiry(l->tls, i),
                                              tls_server_staple_end(l->tls, i) };
        if (l->certs[i].expiry < now)
            conf_warning(line, 0, "this certificate has expired");
        if (!tls_server_uses(l->tls, i))
            conf_warning(line, 0, "this certificate is never used: those before it have all of its names");
    }
}

static void
read_clients(const struct weir_conf *tls, struct tls_server_conf *conf)
{
    const struct weir_conf *ca = conf_find(tls, "client_ca"), *verify = conf_find(tls, "client_verify");

    if (verify && !ca)
        conf_error(verify, -1, "whose certificates? name those who sign them with `client_ca FILE;` beside it");
    if (!ca)
        return;
    conf->client_ca = conf_input(ca, conf_arg(ca, 0)).p;
    conf->client_verify = conf_get_int(tls, "client_verify") == 0 ? TLS_CLIENT_REQUIRED : TLS_CLIENT_OPTIONAL;
}

static void
read_tickets(const struct weir_conf *tls, struct tls_server_conf *conf)
{
    const struct weir_conf *keys = conf_find(tls, "ticket_keys");

    conf->no_tickets = conf_get_int(tls, "session_tickets") == 0;
    if (keys && conf->no_tickets)
        conf_error(keys, -1, "there are no tickets to seal: `session_tickets` is off");
    if (keys)
        conf->ticket_keys = conf_input(keys, conf_arg(keys, 0)).p;
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

    if (!tls || tls_conf_pairs(tls, &g->arena, &pairs, &conf.n_pairs) < 0 || !conf.n_pairs)
        return;
    conf.pairs = pairs;
    read_clients(tls, &conf);
    read_tickets(tls, &conf);
    tls_conf_terms(tls, &g->arena, &conf.terms);
    l->tls = tls_server_new(&conf, &e, &part, &pair);
    if (l->tls)
        note_certs(g, l, tls, conf.n_pairs);
    else
        tls_conf_report(tls, part, pair, &e);
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
            if (l->certs[k].staple_end && l->certs[k].staple_end < now)
                log_warning(NULL, "listener %s: the OCSP response for %s has run out and is not stapled", l->name,
                            l->certs[k].file);
        }
    }
}
