/* fakehost_world: clock, random numbers, log, metrics; threads, timers, fetches and store calls. */
#include "fakehost_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct weir_timer {
    int64_t at;
    void (*fn)(void *);
    void *arg;
    unsigned worker;
    struct weir_timer *next;
};

struct weir_metric {
    char name[256];
    double value;
};

struct weir_call {
    unsigned index;
};

struct post {
    unsigned worker;
    void (*fn)(void *);
    void *arg;
};

static struct weir_timer *timers;
static struct weir_metric metrics[FAKE_MAX];
static unsigned n_metrics;
static struct post posts[FAKE_MAX];
static unsigned n_posts;
static struct weir_call calls[FAKE_MAX];

/* --- clock, random, hash, log, metrics --- */

static int64_t
h_now(void)
{
    return fake.now;
}

static int64_t
h_wall(void)
{
    return fake.wall;
}

static uint64_t
h_random(void)
{
    if (fake.random_fixed)
        return fake.random;
    /* xorshift64* */
    fake.random = fake.random ? fake.random : 88172645463325252u;
    fake.random ^= fake.random >> 12;
    fake.random ^= fake.random << 25;
    fake.random ^= fake.random >> 27;
    return fake.random * UINT64_C(2685821657736338717);
}

static void
h_random_bytes(void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)p)[i] = (unsigned char)(h_random() >> 32);
}

static uint64_t
h_hash(struct weir_str s)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a, and a finisher */
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

static void
h_log(int level, const char *subject, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fake_append(fake.log, sizeof(fake.log), fmt, ap);
    va_end(ap);
}

static struct weir_metric *
h_metric(char kind, const char *name, const char *help, const char *const *labels, const struct weir_str *values,
         unsigned n)
{
    char full[256];
    int at = snprintf(full, sizeof(full), "%s{", name);
    for (unsigned i = 0; i < n; i++)
        at += snprintf(full + at, sizeof(full) - (size_t)at, "%s%.*s", i ? "," : "", (int)values[i].n, values[i].p);
    snprintf(full + at, sizeof(full) - (size_t)at, "}");
    for (unsigned i = 0; i < n_metrics; i++) {
        if (strcmp(metrics[i].name, full) == 0)
            return &metrics[i];
    }
    if (n_metrics == FAKE_MAX)
        abort();
    snprintf(metrics[n_metrics].name, sizeof(metrics[0].name), "%s", full);
    return &metrics[n_metrics++];
}

static void
h_metric_add(struct weir_metric *m, int64_t n)
{
    m->value += (double)n;
}

static void
h_metric_set(struct weir_metric *m, double v)
{
    m->value = v;
}

static void
h_metric_put(struct weir_metric *m)
{
}

double
fake_metric(const char *name)
{
    for (unsigned i = 0; i < n_metrics; i++) {
        if (strcmp(metrics[i].name, name) == 0)
            return metrics[i].value;
    }
    return -1;
}

/* --- threads and the world --- */

static unsigned
h_worker(void)
{
    return fake.worker;
}

static void
h_post(unsigned worker, void (*fn)(void *), void *arg)
{
    if (n_posts == FAKE_MAX)
        abort();
    posts[n_posts++] = (struct post){ worker, fn, arg };
}

void
fake_run_posts(void)
{
    unsigned self = fake.worker;
    while (n_posts) {
        struct post p = posts[0];
        memmove(posts, posts + 1, --n_posts * sizeof(posts[0]));
        fake.worker = p.worker;
        p.fn(p.arg);
    }
    fake.worker = self;
}

static struct weir_timer *
h_timer_after(int64_t ns, void (*fn)(void *), void *arg)
{
    struct weir_timer *t = calloc(1, sizeof(*t)), **place = &timers;
    *t = (struct weir_timer){ fake.now + ns, fn, arg, fake.worker, NULL };
    while (*place && (*place)->at <= t->at)
        place = &(*place)->next;
    t->next = *place;
    *place = t;
    return t;
}

static void
h_timer_cancel(struct weir_timer *t)
{
    struct weir_timer **place = &timers;
    while (*place && *place != t)
        place = &(*place)->next;
    if (!*place || t->worker != fake.worker) {
        fprintf(stderr, "fakehost: a timer is cancelled %s\n", *place ? "by another worker" : "that is not running");
        abort();
    }
    *place = t->next;
    free(t);
}

void
fake_advance(int64_t ns)
{
    int64_t until = fake.now + ns;
    unsigned self = fake.worker;
    while (timers && timers->at <= until) {
        struct weir_timer *t = timers;
        timers = t->next;
        if (t->at > fake.now) {
            fake.wall += t->at - fake.now;
            fake.now = t->at;
        }
        fake.worker = t->worker;
        t->fn(t->arg);
        free(t);
        fake_run_posts();
    }
    fake.worker = self;
    fake.wall += until - fake.now;
    fake.now = until;
}

static struct weir_call *
h_fetch(const struct weir_fetch_request *req, weir_fetch_done done, void *arg)
{
    if (fake.refuse_calls || fake.n_fetches == FAKE_MAX)
        return NULL;
    struct fake_fetch *f = &fake.fetches[fake.n_fetches];
    snprintf(f->url, sizeof(f->url), "%s", req->url);
    f->done = done;
    f->arg = arg;
    f->open = true;
    calls[fake.n_fetches].index = fake.n_fetches;
    return &calls[fake.n_fetches++];
}

static void
h_fetch_cancel(struct weir_call *c)
{
    fake.fetches[c->index].open = false;
}

void
fake_fetch_answer(unsigned i, int status, const char *body)
{
    struct fake_fetch *f = &fake.fetches[i];
    struct weir_fetch_response res = { .status = status, .error = status ? NULL : body, .max_age_s = -1 };
    if (i >= fake.n_fetches || !f->open)
        abort();
    if (status)
        res.body = fake_str(body);
    f->open = false;
    f->done(&res, f->arg);
    fake_run_posts();
}

static struct weir_call *
h_store_eval(struct weir_exchange *x, struct weir_str store, const char *script, struct weir_str key,
             const struct weir_str *args, unsigned n, weir_store_done done, void *arg)
{
    if (fake.refuse_calls || fake.n_calls == FAKE_MAX)
        return NULL;
    struct fake_call *c = &fake.calls[fake.n_calls];
    fake_set_text(c->store, sizeof(c->store), store);
    fake_set_text(c->key, sizeof(c->key), key);
    for (unsigned i = 0; i < n && i < 2; i++)
        fake_set_text(c->args[i], sizeof(c->args[i]), args[i]);
    c->script = script;
    c->done = done;
    c->arg = arg;
    return &calls[fake.n_calls++];
}

void
fake_fill_world(struct weir_host *h)
{
    h->now = h_now;
    h->wall = h_wall;
    h->random = h_random;
    h->random_bytes = h_random_bytes;
    h->hash = h_hash;
    h->log = h_log;
    h->metric = h_metric;
    h->metric_add = h_metric_add;
    h->metric_set = h_metric_set;
    h->metric_put = h_metric_put;
    h->worker = h_worker;
    h->post = h_post;
    h->timer_after = h_timer_after;
    h->timer_cancel = h_timer_cancel;
    h->fetch = h_fetch;
    h->fetch_cancel = h_fetch_cancel;
    h->store_eval = h_store_eval;
}

void
fake_world_reset(void)
{
    memset(metrics, 0, sizeof(metrics));
    n_metrics = 0;
}

void
fake_world_end(void)
{
    if (timers) {
        fprintf(stderr, "fakehost: a timer is left running\n");
        abort();
    }
}
