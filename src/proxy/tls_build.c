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
note_crl(struct listener *l, const struct weir_conf *tls)
{
    const struct weir_conf *line = conf_find(tls, "client_crl");

    if (!line)
        return;
    l->crl_file = conf_arg_shown(line, 0).p;
    l->crl_end = tls_server_crl_end(l->tls);
    if (tls_server_crl_lacks(l->tls)[0])
        conf_warning(line, 0, "there is no list of revoked certificates of %s here: its clients are refused",
                     tls_server_crl_lacks(l->tls));
    if (l->crl_end && l->crl_end < clock_wall() / NSEC_PER_SEC)
        conf_warning(line, 0, "a list of revoked certificates here has run out: clients of its authority are refused");
}

static void
read_clients(const struct weir_conf *tls, struct tls_server_conf *conf)
{
    const struct weir_conf *ca = conf_find(tls, "client_ca"), *verify = conf_find(tls, "client_verify"),
                           *crl = conf_find(tls, "client_crl");

    if (crl && !ca)
        conf_error(crl, -1, "whose certificates? name those who sign them with `client_ca FILE;` beside it");
    if (verify && !ca)
        conf_error(verify, -1, "whose certificates? name those who sign them with `client_ca FILE;` beside it");
    if (!ca)
        return;
    conf->client_ca = conf_input(ca, conf_arg(ca, 0)).p;
    conf->client_crl = crl ? conf_input(crl, conf_arg(crl, 0)).p : NULL;
    conf->client_verify = conf_get_int(tls, "client_verify") == 0 ? TLS_CLIENT_REQUIRED : TLS_CLIENT_OPTIONAL;
}

static void
read_tickets(const struct weir_conf *tls, struct tls_server_conf *conf)
{
    const struct weir_conf *keys = conf_find(tls, "ticket_keys"), *tickets = conf_get(tls, "session_tickets");

    conf->no_tickets = conf_int(tickets, 0) == 0;
    conf->ticket_lifetime = conf_opt_int(tickets, "lifetime", 0) / NSEC_PER_SEC;
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
    if (!l->tls) {
        tls_conf_report(tls, part, pair, &e);
        return;
    }
    note_certs(g, l, tls, conf.n_pairs);
    note_crl(l, tls);
}

/* ---- telling ---- */

static void
expose_certs(const struct generation *g, struct strbuf *out)
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

static void
expose_crls(const struct generation *g, struct strbuf *out)
{
    static const char *const labels[] = { "listener", "crl" };
    static const char name[] = "weir_crl_expiry_timestamp_seconds";

    stats_expose_head(out, name, "gauge",
                      "When the first of the lists in a listener's client_crl runs out, in seconds since the epoch.");
    for (unsigned i = 0; i < g->n_listeners; i++) {
        const struct listener *l = &g->listeners[i];
        struct slice values[] = { slice_str(l->name), slice_str(l->crl_file) };
        if (l->crl_end)
            stats_expose_value(out, name, labels, values, 2, (double)l->crl_end);
    }
}

void
tls_expose(const struct generation *g, struct strbuf *out)
{
    expose_certs(g, out);
    expose_crls(g, out);
}

static void
warn_cert(const struct listener *l, const struct listener_cert *c, int64_t now)
{
    int64_t left = c->expiry - now;

    if (left < 0)
        log_warning(NULL, "listener %s: the certificate %s has expired", l->name, c->file);
    else if (left < (int64_t)WARN_DAYS * DAY)
        log_warning(NULL, "listener %s: the certificate %s expires in %lld days", l->name, c->file,
                    (long long)(left / DAY));
    if (c->staple_end && c->staple_end < now)
        log_warning(NULL, "listener %s: the OCSP response for %s has run out and is not stapled", l->name, c->file);
}

void
tls_warn(const struct generation *g)
{
    int64_t now = clock_wall() / NSEC_PER_SEC;

    for (unsigned i = 0; i < g->n_listeners; i++) {
        const struct listener *l = &g->listeners[i];
        for (unsigned k = 0; k < l->n_certs; k++)
            warn_cert(l, &l->certs[k], now);
        if (l->crl_end && l->crl_end < now)
            log_warning(NULL,
                        "listener %s: a list of revoked certificates in %s has run out: clients of its authority "
                        "are refused",
                        l->name, l->crl_file);
    }
}
