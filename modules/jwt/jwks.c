#include "jwks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define TICK_NS (15 * SECOND)      /* how often the age is shown, at least */
#define BACKOFF_MAX_NS (30 * SECOND)

static void on_tick(void *arg);

static void
state_init(void *memory)
{
    struct jwks *j = memory;
    pthread_mutex_init(&j->lock, NULL);
    LIST_INIT(&j->waiters);
    atomic_init(&j->ttl_ns, 600 * SECOND); /* until the first start says otherwise */
    atomic_init(&j->refetch_ns, 10 * SECOND);
    atomic_init(&j->timeout_ns, 5 * SECOND);
}

static void
state_fini(void *memory)
{
    struct jwks *j = memory;
    keyset_put(j->keys);
    jwt_host->metric_put(j->age);
    jwt_host->metric_put(j->good);
    jwt_host->metric_put(j->bad);
    pthread_mutex_destroy(&j->lock);
    free(j->url);
}

struct weir_state *
jwks_get(const char *url, struct jwks **out)
{
    size_t room = strlen(url) + sizeof("jwt:jwks:");
    char *key = malloc(room);
    if (!key)
        return NULL;
    snprintf(key, room, "jwt:jwks:%s", url);
    struct weir_state *s = jwt_host->state_get(key, sizeof(struct jwks), state_init, state_fini);
    struct jwks *j = s ? jwt_host->state_data(s) : NULL;
    free(key);
    if (j && !j->url) { /* new: this generation is the only one that knows it */
        j->self = s;
        j->url = strdup(url);
    }
    *out = j;
    return s;
}

struct keyset *
jwks_keys(struct jwks *j)
{
    pthread_mutex_lock(&j->lock);
    struct keyset *s = keyset_hold(j->keys);
    pthread_mutex_unlock(&j->lock);
    return s;
}

bool
jwks_settled(struct jwks *j)
{
    pthread_mutex_lock(&j->lock);
    bool settled = j->keys || j->failures > 0;
    pthread_mutex_unlock(&j->lock);
    return settled;
}

/* --- waiting requests --- */

static void
on_patience(void *arg)
{
    struct jwks_waiter *w = arg;
    w->timer = NULL;
    jwks_leave(w);
    jwt_host->resume(w->x);
}

void
jwks_leave(struct jwks_waiter *w)
{
    if (w->jwks) {
        pthread_mutex_lock(&w->jwks->lock);
        LIST_REMOVE(w, link);
        pthread_mutex_unlock(&w->jwks->lock);
        w->jwks = NULL;
    }
    if (w->timer)
        jwt_host->timer_cancel(w->timer);
    w->timer = NULL;
}

/* On a worker: its waiting requests go on. Holds a reference of the state. */
static void
on_wake(void *arg)
{
    struct jwks *j = arg;
    struct jwks_waiters mine = LIST_HEAD_INITIALIZER(mine);
    struct jwks_waiter *w, *next;
    unsigned worker = jwt_host->worker();
    pthread_mutex_lock(&j->lock);
    for (w = LIST_FIRST(&j->waiters); w; w = next) {
        next = LIST_NEXT(w, link);
        if (w->worker != worker)
            continue;
        LIST_REMOVE(w, link);
        LIST_INSERT_HEAD(&mine, w, link);
        w->jwks = NULL;
    }
    pthread_mutex_unlock(&j->lock);
    for (w = LIST_FIRST(&mine); w; w = next) {
        next = LIST_NEXT(w, link);
        jwks_leave(w);
        jwt_host->resume(w->x);
    }
    jwt_host->state_put(j->self);
}

/* One message to each worker that has waiting requests. (Beyond worker 255 their patience ends instead.) */
static void
wake_all(struct jwks *j)
{
    uint64_t waiting[4] = { 0 };
    const struct jwks_waiter *w;
    pthread_mutex_lock(&j->lock);
    LIST_FOREACH (w, &j->waiters, link) {
        if (w->worker < 256)
            waiting[w->worker / 64] |= UINT64_C(1) << (w->worker % 64);
    }
    pthread_mutex_unlock(&j->lock);
    for (unsigned i = 0; i < 256; i++) {
        if (!(waiting[i / 64] >> (i % 64) & 1))
            continue;
        jwt_host->state_hold(j->self);
        jwt_host->post(i, on_wake, j);
    }
}

/* --- fetching, on the service loop --- */

static int64_t
with_jitter(int64_t ns)
{
    return ns - (int64_t)(jwt_host->random() % (uint64_t)(ns / 8 + 1)); /* replicas do not ask in step */
}

/* Under the lock. */
static void
plan_after_failure(struct jwks *j, const char *why)
{
    unsigned doublings = j->failures < 5 ? j->failures : 5;
    int64_t wait = SECOND << doublings < BACKOFF_MAX_NS ? SECOND << doublings : BACKOFF_MAX_NS;
    j->failures++;
    j->next_try = jwt_host->now() + with_jitter(wait);
    snprintf(j->error, sizeof(j->error), "%s", why);
}

static void
fetch_failed(struct jwks *j, const char *why)
{
    pthread_mutex_lock(&j->lock);
    plan_after_failure(j, why);
    unsigned failures = j->failures;
    bool none = !j->keys;
    j->fetching = false;
    pthread_mutex_unlock(&j->lock);
    if (j->bad)
        jwt_host->metric_add(j->bad, 1);
    if (failures == 1 || failures % 16 == 0)
        jwt_host->log(none ? 0 : 1, "jwt", "[%s] no keys fetched: %s%s", j->url, why,
                      none ? "" : ": the old ones serve on");
}

static void
fetch_good(struct jwks *j, struct keyset *fresh, uint64_t hash)
{
    struct keyset *old = fresh;
    unsigned n = fresh->n, skipped = fresh->skipped;
    pthread_mutex_lock(&j->lock);
    bool changed = !j->keys || hash != j->text_hash;
    if (changed) {
        old = j->keys;
        j->keys = fresh;
        j->text_hash = hash;
        atomic_fetch_add(&j->version, 1);
    }
    j->fetched_at = jwt_host->now();
    j->next_try = j->fetched_at + with_jitter(atomic_load(&j->ttl_ns) / 5 * 4);
    j->failures = 0;
    j->error[0] = '\0';
    j->fetching = false;
    pthread_mutex_unlock(&j->lock);
    keyset_put(old);
    if (j->good)
        jwt_host->metric_add(j->good, 1);
    if (changed)
        jwt_host->log(2, "jwt", "[%s] %u keys (%u skipped)", j->url, n, skipped);
}

static void
arm(struct jwks *j)
{
    if (j->timer)
        jwt_host->timer_cancel(j->timer);
    j->timer = NULL;
    if (atomic_load(&j->users) == 0)
        return;
    pthread_mutex_lock(&j->lock);
    int64_t wait = j->fetching ? TICK_NS : j->next_try - jwt_host->now();
    pthread_mutex_unlock(&j->lock);
    wait = wait < SECOND / 100 ? SECOND / 100 : wait > TICK_NS ? TICK_NS : wait;
    j->timer = jwt_host->timer_after(wait, on_tick, j);
}

static void
show_age(struct jwks *j)
{
    struct jwks_status s;
    jwks_read(j, &s);
    if (j->age)
        jwt_host->metric_set(j->age, s.age_ns < 0 ? 0 : (double)s.age_ns / (double)SECOND);
}

static void
on_fetched(const struct weir_fetch_response *res, void *arg)
{
    struct jwks *j = arg;
    const char *error = res->error ? res->error : "no answer";
    char status[40];
    struct keyset *fresh = NULL;
    j->call = NULL;
    if (res->status == 200) {
        fresh = keyset_parse(res->body.p ? res->body.p : "", res->body.n, false, &error);
    } else if (res->status != 0) {
        snprintf(status, sizeof(status), "status %d", res->status);
        error = status;
    }
    if (fresh)
        fetch_good(j, fresh, jwt_host->hash(res->body));
    else
        fetch_failed(j, error);
    wake_all(j);
    show_age(j);
    arm(j);
    jwt_host->state_put(j->self);
}

/* `fetching` is set already: whoever sets it starts this. */
static void
fetch_now(struct jwks *j)
{
    pthread_mutex_lock(&j->lock);
    j->tried_at = jwt_host->now();
    pthread_mutex_unlock(&j->lock);
    struct weir_fetch_request req = {
        .size = sizeof(req), .url = j->url, .timeout_ns = atomic_load(&j->timeout_ns), .max_body = KEYS_TEXT_MAX
    };
    jwt_host->state_hold(j->self);
    j->call = jwt_host->fetch(&req, on_fetched, j);
    if (j->call)
        return;
    fetch_failed(j, "the fetch could not be started");
    wake_all(j);
    arm(j);
    jwt_host->state_put(j->self);
}

static void
on_asked(void *arg)
{
    struct jwks *j = arg;
    fetch_now(j);
    jwt_host->state_put(j->self);
}

/* Claims the right to fetch when it is time. */
static bool
claim_fetch(struct jwks *j)
{
    pthread_mutex_lock(&j->lock);
    bool mine = !j->fetching && jwt_host->now() >= j->next_try;
    if (mine)
        j->fetching = true;
    pthread_mutex_unlock(&j->lock);
    return mine;
}

/* Keys that have not been confirmed for a day are not trusted any more. */
static void
drop_stale(struct jwks *j)
{
    struct keyset *old = NULL;
    pthread_mutex_lock(&j->lock);
    if (j->keys && jwt_host->now() - j->fetched_at > atomic_load(&j->ttl_ns) + JWKS_STALE_NS) {
        old = j->keys;
        j->keys = NULL;
        atomic_fetch_add(&j->version, 1);
    }
    pthread_mutex_unlock(&j->lock);
    if (old)
        jwt_host->log(0, "jwt", "[%s] the keys are too old: dropped", j->url);
    keyset_put(old);
}

static void
on_tick(void *arg)
{
    struct jwks *j = arg;
    j->timer = NULL;
    drop_stale(j);
    show_age(j);
    if (claim_fetch(j))
        fetch_now(j);
    if (!j->timer)
        arm(j);
}

static void
make_metrics(struct jwks *j)
{
    struct weir_str url = { j->url, strlen(j->url) };
    static const char *const labels[] = { "url", "result" };
    struct weir_str good[] = { url, { "ok", 2 } }, bad[] = { url, { "error", 5 } };
    static const char help[] = "Fetches of a key set.";
    j->age = jwt_host->metric('g', "weir_jwks_age_seconds", "Time since a key set was last fetched.", labels, &url, 1);
    j->good = jwt_host->metric('c', "weir_jwks_fetches_total", help, labels, good, 2);
    j->bad = jwt_host->metric('c', "weir_jwks_fetches_total", help, labels, bad, 2);
}

void
jwks_start(struct jwks *j, const struct jwks_settings *s)
{
    atomic_store(&j->ttl_ns, s->ttl_ns);
    atomic_store(&j->refetch_ns, s->refetch_ns);
    atomic_store(&j->timeout_ns, s->timeout_ns);
    if (!j->age)
        make_metrics(j);
    if (atomic_fetch_add(&j->users, 1) == 0)
        jwt_host->state_hold(j->self); /* the timer's */
    pthread_mutex_lock(&j->lock);
    int64_t due = j->fetched_at + s->ttl_ns / 5 * 4;
    if (j->keys && j->failures == 0 && due < j->next_try)
        j->next_try = due; /* a reload made the TTL shorter */
    pthread_mutex_unlock(&j->lock);
    if (claim_fetch(j))
        fetch_now(j);
    if (!j->timer)
        arm(j);
}

static void
on_unused(void *arg)
{
    struct jwks *j = arg;
    arm(j); /* stays quiet while there are no users */
    jwt_host->state_put(j->self);
}

void
jwks_stop(struct jwks *j)
{
    /* The reference of the timer goes with the message. */
    if (atomic_fetch_sub(&j->users, 1) == 1)
        jwt_host->post(0, on_unused, j);
}

/* --- for requests --- */

enum jwks_wanted
jwks_want(struct jwks *j, uint64_t version, struct jwks_waiter *w, struct weir_exchange *x)
{
    enum jwks_wanted wanted = JWKS_NOT;
    bool ask = false;
    int64_t now = jwt_host->now();
    pthread_mutex_lock(&j->lock);
    /* Without keys the plan of retries says when; with keys, a token may ask for others only so often. */
    bool due = j->keys ? j->tried_at == 0 || now - j->tried_at >= atomic_load(&j->refetch_ns) : now >= j->next_try;
    if (atomic_load(&j->version) != version) {
        wanted = JWKS_FRESH;
    } else if (j->fetching || due) {
        ask = !j->fetching;
        j->fetching = true;
        wanted = JWKS_WAITING;
    }
    /* A provider that has just failed is not waited for: those who come while it is down would all hang. */
    if (wanted == JWKS_WAITING && !j->keys && j->failures > 0)
        wanted = JWKS_NOT;
    if (wanted == JWKS_WAITING) {
        w->jwks = j;
        w->x = x;
        w->worker = jwt_host->worker();
        LIST_INSERT_HEAD(&j->waiters, w, link);
    }
    pthread_mutex_unlock(&j->lock);
    if (wanted == JWKS_WAITING)
        w->timer = jwt_host->timer_after(JWKS_PARK_NS, on_patience, w);
    if (ask) {
        jwt_host->state_hold(j->self);
        jwt_host->post(0, on_asked, j);
    }
    return wanted;
}

int64_t
jwks_retry_after(struct jwks *j)
{
    pthread_mutex_lock(&j->lock);
    int64_t wait = j->fetching ? 0 : j->next_try - jwt_host->now();
    pthread_mutex_unlock(&j->lock);
    return wait > SECOND ? (wait + SECOND - 1) / SECOND : 1;
}

void
jwks_read(struct jwks *j, struct jwks_status *out)
{
    pthread_mutex_lock(&j->lock);
    out->keys = j->keys ? j->keys->n : 0;
    out->failures = j->failures;
    out->age_ns = j->fetched_at ? jwt_host->now() - j->fetched_at : -1;
    memcpy(out->error, j->error, sizeof(out->error));
    pthread_mutex_unlock(&j->lock);
}
