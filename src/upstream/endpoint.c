#include "endpoint.h"
#include "../base/name_map.h"
#include "../base/xalloc.h"
#include "../event/worker.h"
#include "slots.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct siblings { /* the endpoints of one upstream; goes with the last */
    LIST_HEAD(, endpoint_state) list;
    char upstream[65];
};

static struct {
    pthread_mutex_t lock;
    struct endpoint_state *all; /* by key; holds no references: an endpoint leaves with its last one */
    struct name_map siblings;   /* by upstream */
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const char *const outcome_names[ENDPOINT_OUTCOMES] = {
    "ok", "error_status", "connect_failed", "connect_timeout", "reset", "timeout", "bad_response", "cancelled"
};

const char *
result_name(enum weir_result result)
{
    return outcome_names[result];
}

static struct stats_family *
requests_family(void)
{
    static const char *const labels[] = { "upstream", "endpoint", "outcome" };

    return stats_family("weir_upstream_requests_total", STATS_COUNTER, "Attempts at endpoints by how they ended.",
                        labels, 3, NULL, 0);
}

/* Series are looked up when first needed: seven of eight outcomes are rare, and the number of series is capped. */
static stats_id
outcome_series(struct endpoint_state *e, enum weir_result result)
{
    struct slice values[] = { slice_str(e->upstream), slice_str(e->address), slice_str(outcome_names[result]) };
    struct stats_family *f = requests_family();
    stats_id id = f ? stats_series(f, values) : 0;

    atomic_store(&e->outcome[result], id);
    return id;
}

static struct endpoint_state *
endpoint_new(const char *upstream, const struct addr *a, const char *address, const char *authority)
{
    struct endpoint_state *e = xcalloc(1, sizeof(*e));
    const char *colon;

    snprintf(e->upstream, sizeof(e->upstream), "%s", upstream);
    snprintf(e->address, sizeof(e->address), "%s", address);
    if (!authority)
        authority = addr_is_unix(a) ? "localhost" : address;
    else if ((colon = strrchr(authority, ':')))
        snprintf(e->host, sizeof(e->host), "%.*s", (int)(colon - authority), authority);
    snprintf(e->authority, sizeof(e->authority), "%s", authority);
    e->addr = *a;
    e->weight = 1;
    e->weight_file = -1;
    e->weight_override = -1;
    e->healthy = true;
    outcome_series(e, WEIR_RESULT_OK);
    return e;
}

/* Both with the lock held. */
static void
enter_registry(struct endpoint_state *e)
{
    struct siblings *s = name_map_get(&registry.siblings, slice_str(e->upstream));

    if (!s) {
        s = xcalloc(1, sizeof(*s));
        LIST_INIT(&s->list);
        memcpy(s->upstream, e->upstream, sizeof(s->upstream));
        name_map_put(&registry.siblings, slice_str(s->upstream), s);
    }
    LIST_INSERT_HEAD(&s->list, e, of_upstream);
    HASH_ADD_KEYPTR(hh, registry.all, e->key, strlen(e->key), e);
}

static void
leave_registry(struct endpoint_state *e)
{
    struct siblings *s = name_map_get(&registry.siblings, slice_str(e->upstream));

    HASH_DEL(registry.all, e);
    LIST_REMOVE(e, of_upstream);
    if (!LIST_EMPTY(&s->list))
        return;
    name_map_del(&registry.siblings, slice_str(s->upstream));
    free(s);
    if (registry.siblings.n == 0)
        name_map_fini(&registry.siblings);
}

struct endpoint_state *
endpoint_get_as(const char *upstream, const struct addr *a, const char *authority)
{
    char address[ADDR_TEXT_MAX], key[65 + ADDR_TEXT_MAX + ENDPOINT_AUTHORITY_MAX + 2];
    struct endpoint_state *e;

    addr_format(a, address);
    snprintf(key, sizeof(key), "%s|%s|%s", upstream, address, authority ? authority : address);
    pthread_mutex_lock(&registry.lock);
    HASH_FIND_STR(registry.all, key, e);
    if (!e) {
        e = endpoint_new(upstream, a, address, authority);
        e->key = xstrdup(key);
        enter_registry(e);
    }
    atomic_fetch_add(&e->refs, 1);
    pthread_mutex_unlock(&registry.lock);
    return e;
}

struct endpoint_state *
endpoint_get(const char *upstream, const struct addr *a)
{
    return endpoint_get_as(upstream, a, NULL);
}

void
endpoint_hold(struct endpoint_state *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
}

/* Only the last reference needs the registry: endpoint_get may be about to take a new one. */
void
endpoint_put(struct endpoint_state *e)
{
    unsigned refs = atomic_load_explicit(&e->refs, memory_order_relaxed);

    while (refs > 1) {
        if (atomic_compare_exchange_weak(&e->refs, &refs, refs - 1))
            return;
    }
    pthread_mutex_lock(&registry.lock);
    if (atomic_fetch_sub(&e->refs, 1) == 1)
        leave_registry(e);
    else
        e = NULL;
    pthread_mutex_unlock(&registry.lock);
    if (e) {
        free(e->key);
        free(e);
    }
}

static _Atomic unsigned changes;

void
endpoint_changed(void)
{
    atomic_fetch_add_explicit(&changes, 1, memory_order_release);
}

unsigned
endpoint_changes(void)
{
    return atomic_load_explicit(&changes, memory_order_acquire);
}

const char *
endpoint_state_name(const struct endpoint_state *e, nsec_t now)
{
    switch (atomic_load(&e->admin)) {
    case ENDPOINT_DOWN:
        return "down";
    case ENDPOINT_DRAIN:
        return "drain";
    default:
        break;
    }
    if (atomic_load(&e->ejected_until) > now)
        return "ejected";
    return atomic_load(&e->healthy) ? "up" : "down";
}

void
endpoint_file_weight(struct endpoint_state *e, unsigned weight)
{
    if (atomic_load(&e->weight_file) == (int)weight)
        return;
    atomic_store(&e->weight_file, (int)weight);
    atomic_store(&e->weight_override, -1);
    atomic_store(&e->weight, weight);
    endpoint_changed();
}

static void
on_close_idle(void *arg)
{
    struct endpoint_state *e = arg;

    pool_on_retired(e);
    endpoint_put(e);
}

/* Every worker closes its idle connections to it. */
static void
close_idle(struct endpoint_state *e)
{
    unsigned id;

    pool_on_retired(e);
    for (id = 1; id <= workers_count(); id++) {
        endpoint_hold(e);
        worker_post(id, on_close_idle, e);
    }
}

int
endpoint_order(struct endpoint_state *e, const char *state, int weight)
{
    static const char *const words[] = { [ENDPOINT_UP] = "up", [ENDPOINT_DOWN] = "down", [ENDPOINT_DRAIN] = "drain" };
    int admin = -1, i;

    for (i = 0; state && i < 3; i++) {
        if (strcmp(state, words[i]) == 0)
            admin = i;
    }
    if ((state && admin < 0) || weight > ENDPOINT_WEIGHT_MAX)
        return -1;
    if (weight >= 0) {
        atomic_store(&e->weight_override, weight);
        atomic_store(&e->weight, (unsigned)weight);
    }
    if (admin >= 0)
        atomic_store(&e->admin, admin);
    if (admin == ENDPOINT_UP) /* the operator knows better than the past */
        atomic_store(&e->ejected_until, 0);
    endpoint_changed();
    if (admin == ENDPOINT_DOWN)
        close_idle(e);
    return 0;
}

void
endpoint_retire(struct endpoint_state *e)
{
    atomic_store(&e->retired, true);
    close_idle(e);
}

void
endpoint_unretire(struct endpoint_state *e)
{
    atomic_store(&e->retired, false);
}

void
endpoint_count(struct endpoint_state *e, enum weir_result result)
{
    stats_id id = atomic_load_explicit(&e->outcome[result], memory_order_relaxed);

    if (!id)
        id = outcome_series(e, result);
    stats_add(id, 1);
    atomic_fetch_add_explicit(&e->requests_total, 1, memory_order_relaxed);
}

void
endpoint_drop_series(const char *upstream)
{
    struct stats_family *f = requests_family();
    struct siblings *s;
    struct endpoint_state *e;
    unsigned i;

    if (f)
        stats_drop(f, slice_str(upstream));
    pthread_mutex_lock(&registry.lock);
    s = name_map_get(&registry.siblings, slice_str(upstream));
    for (e = s ? LIST_FIRST(&s->list) : NULL; e; e = LIST_NEXT(e, of_upstream)) {
        for (i = 0; i < ENDPOINT_OUTCOMES; i++)
            atomic_store(&e->outcome[i], 0);
    }
    pthread_mutex_unlock(&registry.lock);
}
