#include "health.h"
#include "../base/log.h"
#include "../base/random.h"
#include "../base/xalloc.h"
#include "../event/worker.h"
#include "../net/proxy_protocol.h"
#include "../session/fetch.h"
#include "cluster_state.h"
#include "endpoint_set.h"
#include "grpc_health.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define BODY_MAX (1u << 20) /* of an answer to a probe; only its status is looked at */

struct probe {
    struct endpoint_state *e; /* a reference */
    struct health_conf *conf; /* a reference */
    struct fetch *fetch;      /* under way; NULL */
    struct timer timer;       /* the next one */
    struct health_count count;
    struct probe *next;
};

struct health_conf *
health_conf_new(void)
{
    struct health_conf *h = xcalloc(1, sizeof(*h));

    h->refs = 1;
    return h;
}

void
health_conf_put(struct health_conf *h)
{
    if (!h || atomic_fetch_sub(&h->refs, 1) != 1)
        return;
    if (h->tls)
        tls_client_put(h->tls);
    free(h->path);
    free(h->host);
    free(h->host_header);
    free(h->grpc_service);
    free(h);
}

bool
health_expects(const struct health_conf *h, int status)
{
    unsigned i;

    for (i = 0; i < h->n_expect; i++) {
        if (status >= h->expect[i].low && status <= h->expect[i].high)
            return true;
    }
    return false;
}

bool
health_feed(struct health_count *n, const struct health_conf *h, bool pass, bool *healthy)
{
    bool was = *healthy;

    n->passes = pass ? n->passes + 1 : 0;
    n->failures = pass ? 0 : n->failures + 1;
    if (!n->decided) {
        n->decided = true;
        *healthy = pass;
    } else if (pass && n->passes >= h->healthy) {
        *healthy = true;
    } else if (!pass && n->failures >= h->unhealthy) {
        *healthy = false;
    }
    return *healthy != was;
}

/* A tenth more or less, so that the probes of many gateways do not march in step. */
static nsec_t
jittered(nsec_t interval)
{
    return interval - interval / 10 + (nsec_t)random_below((uint64_t)(interval / 5) + 1);
}

static void
take_result(struct probe *p, bool pass, int status, const char *error)
{
    bool healthy = atomic_load(&p->e->healthy);
    char subject[256];

    if (health_feed(&p->count, p->conf, pass, &healthy)) {
        atomic_store(&p->e->healthy, healthy);
        endpoint_changed();
        snprintf(subject, sizeof(subject), "upstream %s %s", p->e->upstream, p->e->address);
        if (healthy)
            log_notice(subject, "healthy");
        else if (status)
            log_warning(subject, "unhealthy: answered %d to %s", status, p->conf->path);
        else
            log_warning(subject, "unhealthy: %s", error ? error : "no answer");
    }
    timer_after(&p->timer, jittered(p->conf->interval));
}

/* What a server says of itself by gRPC. */
static void
take_serving(struct probe *p, const struct fetch_result *r)
{
    const struct field *code = r->status ? fields_find_name(r->trailers, SLICE("grpc-status")) : NULL;
    int serving = r->status == 200 ? grpc_health_response(r->body) : -1;
    char error[128];

    if (r->status && !code) /* an answer of trailers only has it in its head */
        code = fields_find_name(r->fields, SLICE("grpc-status"));
    if (!r->status)
        snprintf(error, sizeof(error), "%s", r->error);
    else if (r->status != 200 || !code)
        snprintf(error, sizeof(error), "answered %d without grpc-status to " GRPC_HEALTH_PATH, r->status);
    else if (!slice_eq(code->value, SLICE("0")))
        snprintf(error, sizeof(error), "grpc-status %.*s", (int)(code->value.n < 16 ? code->value.n : 16),
                 code->value.p);
    else
        snprintf(error, sizeof(error), "says %s", grpc_serving_name(serving));
    take_result(p, code && slice_eq(code->value, SLICE("0")) && serving == GRPC_SERVING, 0, error);
}

static void
on_fetched(const struct fetch_result *r, void *arg)
{
    struct probe *p = arg;

    p->fetch = NULL;
    if (r->lack)
        timer_after(&p->timer, jittered(p->conf->interval)); /* no check was made */
    else if (p->conf->grpc_service)
        take_serving(p, r);
    else
        take_result(p, r->status && health_expects(p->conf, r->status), r->status, r->error);
}

static void
probe_run(struct probe *p)
{
    const struct health_conf *h = p->conf;
    struct fetch_request req;
    const char *path = h->grpc_service ? GRPC_HEALTH_PATH : h->path;
    char url[2048], header[PROXY_WRITTEN_MAX], message[GRPC_HEALTH_REQUEST_MAX];
    int n;

    if (h->host[0] && addr_is_unix(&p->e->addr))
        n = snprintf(url, sizeof(url), "http%s://%s%s", h->tls ? "s" : "", h->host, path);
    else if (h->host[0])
        n = snprintf(url, sizeof(url), "http%s://%s:%d%s", h->tls ? "s" : "", h->host, addr_port(&p->e->addr), path);
    else
        n = snprintf(url, sizeof(url), "http%s://%s%s", h->tls ? "s" : "", p->e->authority, path);
    memset(&req, 0, sizeof(req));
    req.to = p->e->addr;
    req.url = slice_of(url, (size_t)n < sizeof(url) ? (size_t)n : sizeof(url) - 1);
    req.host = slice_str(h->host_header);
    req.tls = h->tls;
    req.http2 = h->http2;
    if (h->grpc_service) {
        req.grpc = true;
        req.body = slice_of(message, grpc_health_request(message, slice_str(h->grpc_service)));
    }
    if (h->proxy_protocol)
        req.announce = slice_of(header, proxy_protocol_write(header, h->proxy_protocol, NULL, NULL));
    req.timeout = h->timeout;
    req.max_body = BODY_MAX;
    p->fetch = fetch_start(worker_get(WORKER_SERVICE)->loop, &req, on_fetched, p);
    if (!p->fetch)
        take_result(p, false, 0, "its address and path make no URL");
}

static void
on_time(struct timer *t)
{
    probe_run((struct probe *)((char *)t - offsetof(struct probe, timer)));
}

static void
probe_begin(struct probe *p, struct health_conf *h)
{
    if (p->fetch)
        fetch_cancel(p->fetch);
    p->fetch = NULL;
    timer_clear(&p->timer);
    atomic_fetch_add(&h->refs, 1);
    health_conf_put(p->conf);
    p->conf = h;
    memset(&p->count, 0, sizeof(p->count));
    probe_run(p);
}

static void
probe_free(struct probe *p)
{
    if (p->fetch)
        fetch_cancel(p->fetch);
    timer_fini(&p->timer);
    health_conf_put(p->conf);
    endpoint_put(p->e);
    free(p);
}

/* The endpoint's probe, taken out of the list; or a new one. */
static struct probe *
probe_take(struct probe **list, struct endpoint_state *e)
{
    struct probe **link, *p;

    for (link = list; (p = *link); link = &p->next) {
        if (p->e == e) {
            *link = p->next;
            return p;
        }
    }
    p = xcalloc(1, sizeof(*p));
    endpoint_hold(e);
    p->e = e;
    timer_init(&p->timer, worker_get(WORKER_SERVICE)->loop, on_time);
    return p;
}

void
health_sync(struct cluster_state *st, const struct endpoint_set *set, struct health_conf *h)
{
    struct probe *old = st->probes, *p, **end = &st->probes; /* in the order of the set, where they are found at once */
    unsigned i;

    st->probes = NULL;
    for (i = 0; i < set->n; i++) {
        struct endpoint_state *e = set->entries[i].e;

        if (!h) {
            if (!atomic_exchange(&e->healthy, true))
                endpoint_changed();
            continue;
        }
        p = probe_take(&old, e);
        p->next = NULL;
        *end = p;
        end = &p->next;
        if (!p->conf || p->conf->identity != h->identity)
            probe_begin(p, h);
    }
    while ((p = old)) {
        old = p->next;
        probe_free(p);
    }
}

void
health_stop(struct cluster_state *st)
{
    struct probe *p;

    while ((p = st->probes)) {
        st->probes = p->next;
        probe_free(p);
    }
}

bool
health_round_done(const struct cluster_state *st)
{
    const struct probe *p;

    for (p = st->probes; p; p = p->next) {
        if (!p->count.decided)
            return false;
    }
    return true;
}
