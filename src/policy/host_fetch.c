/*
 * host->fetch: an HTTP(S) request for a module, on the calling worker's loop. Names are the service loop's to resolve:
 * a proxy worker posts the question there and gets the addresses posted back; then they are tried in turn within the
 * one deadline.
 */
#include "host.h"
#include "module.h"
#include "policy.h"
#include "self_loop.h"

#include "../base/log.h"
#include "../base/parse.h"
#include "../base/xalloc.h"
#include "../http/uri.h"
#include "../net/resolver.h"
#include "../net/tls.h"
#include "../session/fetch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ADDRS_MAX 4
#define URL_MAX 8192
#define BODY_MAX (16u << 20)

struct host_fetch {
    struct loop *loop;
    unsigned worker; /* where the module is called */
    weir_fetch_done done;
    void *arg;
    char *url; /* owned; "method" and "body" too */
    char *method, *body;
    size_t body_n, max_body;
    struct url parts; /* into url */
    nsec_t deadline;
    struct fetch *fetch; /* under way */
    bool resolving;      /* the service loop has it */
    bool cancelled;      /* ... and nobody waits for it any more */
    struct addr addrs[ADDRS_MAX];
    unsigned n_addrs, next_addr;
    struct timer failing; /* reports `error`, so that done never comes inside the call */
    char error[128];
};

static _Atomic(struct resolver *) resolver;

void
host_set_resolver(struct resolver *r)
{
    atomic_store(&resolver, r);
}

/* One client context for the process, made at the first https URL and kept. */
static const struct tls_client *
system_tls(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static const struct tls_client *tls;
    enum tls_part part;
    struct err e;

    pthread_mutex_lock(&lock);
    if (!tls) {
        tls = tls_client_new(&(struct tls_client_conf){ .verify = true }, &e, &part);
        if (!tls)
            log_error("fetch", "no TLS towards https URLs: %s", e.text);
    }
    pthread_mutex_unlock(&lock);
    return tls;
}

static void
fetch_free(struct host_fetch *f)
{
    timer_fini(&f->failing);
    free(f->url);
    free(f->method);
    free(f->body);
    loop_defer_free(f->loop, free, f);
}

static void
on_failing(struct timer *t)
{
    struct host_fetch *f = (struct host_fetch *)((char *)t - offsetof(struct host_fetch, failing));
    struct weir_fetch_response res = { .error = f->error, .max_age_s = -1 };

    f->done(&res, f->arg);
    fetch_free(f);
}

static void
fail(struct host_fetch *f, const char *text)
{
    snprintf(f->error, sizeof(f->error), "%s", text);
    timer_after(&f->failing, 0);
}

/* Seconds an answer may be kept (RFC 9111 5.2.2); -1: it does not say. */
static int64_t
max_age(const struct fields *fields)
{
    const struct field *f;
    struct slice rest, member;
    uint64_t v;

    for (f = fields_find_name(fields, SLICE("cache-control")); f; f = fields_next(fields, f)) {
        rest = f->value;
        while (field_list_next(&rest, &member)) {
            if (slice_ieq(member, SLICE("no-store")) || slice_ieq(member, SLICE("no-cache")))
                return 0;
            if (member.n > 8 && strncasecmp(member.p, "max-age=", 8) == 0 &&
                parse_u64(slice_from(member, 8), INT32_MAX, &v) == 0)
                return (int64_t)v;
        }
    }
    return -1;
}

static bool start(struct host_fetch *f);

static void
on_fetched(const struct fetch_result *r, void *arg)
{
    struct host_fetch *f = arg;
    struct weir_fetch_response res = { .status = r->status, .error = r->error, .max_age_s = -1 };
    const struct field *type;

    f->fetch = NULL;
    if (!r->status) {
        snprintf(f->error, sizeof(f->error), "%s", r->error ? r->error : "failed");
        if (f->next_addr < f->n_addrs && clock_now() < f->deadline && start(f))
            return;
        res.error = f->error;
    } else {
        res.body = str_of_slice(r->body);
        type = fields_find(r->fields, FIELD_CONTENT_TYPE);
        if (type)
            res.content_type = str_of_slice(type->value);
        res.max_age_s = max_age(r->fields);
    }
    f->done(&res, f->arg);
    fetch_free(f);
}

/* Tries the next address. */
static bool
start(struct host_fetch *f)
{
    struct fetch_request r = { .to = f->addrs[f->next_addr++],
                               .url = slice_str(f->url),
                               .method = f->method,
                               .body = slice_of(f->body, f->body_n),
                               .timeout = f->deadline - clock_now(),
                               .max_body = f->max_body };

    if (f->parts.tls && !(r.tls = system_tls()))
        return false;
    f->fetch = fetch_start(f->loop, &r, on_fetched, f);
    return f->fetch != NULL;
}

static void
start_first(struct host_fetch *f)
{
    if (clock_now() >= f->deadline)
        fail(f, "timed out while its name was resolved");
    else if (!start(f))
        fail(f, f->parts.tls ? "TLS is not possible" : "cannot be sent");
}

/* On the worker that asked. */
static void
resolved(void *arg)
{
    struct host_fetch *f = arg;

    f->resolving = false;
    if (f->cancelled)
        fetch_free(f);
    else if (!f->n_addrs)
        timer_after(&f->failing, 0);
    else
        start_first(f);
}

static void
answer(struct host_fetch *f)
{
    if (f->worker == WORKER_SERVICE)
        resolved(f);
    else
        worker_post(f->worker, resolved, f);
}

/* On the service loop. */
static void
on_lookup(const struct addr *addrs, unsigned n, const char *error, void *arg)
{
    struct host_fetch *f = arg;

    f->n_addrs = n < ADDRS_MAX ? n : ADDRS_MAX;
    for (unsigned i = 0; i < f->n_addrs; i++)
        f->addrs[i] = addrs[i];
    if (!n)
        snprintf(f->error, sizeof(f->error), "cannot resolve %.*s: %s", SLICE_FMT(f->parts.host),
                 error ? error : "no address");
    answer(f);
}

static void
lookup(void *arg)
{
    struct host_fetch *f = arg;
    struct resolver *r = atomic_load(&resolver);

    if (r)
        resolver_lookup(r, f->parts.host, f->parts.port, f->deadline - clock_now(), on_lookup, f);
    else
        on_lookup(NULL, 0, "no resolver", f);
}

static void
begin(struct host_fetch *f)
{
    if (!url_parse(slice_str(f->url), &f->parts)) {
        fail(f, "not an http:// or https:// URL");
        return;
    }
    if (addr_parse_ip(f->parts.host, &f->addrs[0]) == 0) {
        addr_set_port(&f->addrs[0], f->parts.port);
        f->n_addrs = 1;
        start_first(f);
        return;
    }
    f->resolving = true;
    if (f->worker == WORKER_SERVICE)
        lookup(f);
    else
        worker_post(WORKER_SERVICE, lookup, f);
}

static struct weir_call *
host_fetch(const struct weir_fetch_request *req, weir_fetch_done done, void *arg)
{
    struct host_fetch *f = xcalloc(1, sizeof(*f));

    f->loop = self_loop();
    f->worker = worker_self_id();
    f->done = done;
    f->arg = arg;
    f->url = xstrndup(req->url, strnlen(req->url, URL_MAX));
    f->method = req->method ? xstrdup(req->method) : NULL;
    f->body = req->body.n ? xstrndup(req->body.p, req->body.n) : NULL;
    f->body_n = req->body.n;
    f->max_body = req->max_body && req->max_body < BODY_MAX ? req->max_body : BODY_MAX;
    f->deadline = clock_now() + (req->timeout_ns > 0 ? req->timeout_ns : 10 * NSEC_PER_SEC);
    timer_init(&f->failing, f->loop, on_failing);
    begin(f);
    return (struct weir_call *)f;
}

static void
host_fetch_cancel(struct weir_call *c)
{
    struct host_fetch *f = (struct host_fetch *)c;

    if (!f)
        return;
    if (f->resolving) {
        f->cancelled = true; /* freed when the service loop gives it back */
        return;
    }
    if (f->fetch)
        fetch_cancel(f->fetch);
    f->fetch = NULL;
    fetch_free(f);
}

void
host_fill_fetch(struct weir_host *h)
{
    h->fetch = host_fetch;
    h->fetch_cancel = host_fetch_cancel;
}
