#include "cache.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 8
#define TAIL 48 /* base64url characters: 288 bits of a signature, all 256 of an HS256 one */

struct cache_set {
    atomic_flag lock;
    uint64_t hash[WAYS];
    struct verified *way[WAYS]; /* most recently used first; NULL: free */
};

struct cache {
    unsigned n_sets;
    struct cache_set *sets;
};

struct verified *
verified_new(struct weir_str token, json_t *claims, unsigned forwards)
{
    struct verified *v = calloc(1, sizeof(*v) + forwards * sizeof(struct weir_str) + token.n);
    if (!v) {
        json_decref(claims);
        return NULL;
    }
    atomic_init(&v->refs, 1);
    v->claims = claims;
    v->n_forwards = forwards;
    v->forwards = (struct weir_str *)(v + 1);
    v->token = (char *)(v->forwards + forwards);
    v->n = token.n;
    if (token.n)
        memcpy(v->token, token.p, token.n);
    return v;
}

void
verified_put(struct verified *v)
{
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < v->n_forwards; i++)
        free((char *)v->forwards[i].p);
    json_decref(v->claims);
    free(v);
}

struct cache *
cache_new(unsigned entries)
{
    struct cache *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->n_sets = (entries + WAYS - 1) / WAYS;
    c->sets = calloc(c->n_sets, sizeof(*c->sets));
    if (c->sets)
        return c;
    free(c);
    return NULL;
}

void
cache_free(struct cache *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->n_sets; i++) {
        for (unsigned k = 0; k < WAYS; k++)
            verified_put(c->sets[i].way[k]);
    }
    free(c->sets);
    free(c);
}

struct weir_str
cache_tail(struct weir_str token)
{
    size_t n = token.n < TAIL ? token.n : TAIL;
    return (struct weir_str){ token.p + token.n - n, n };
}

static struct cache_set *
set_lock(struct cache *c, uint64_t hash)
{
    struct cache_set *s = &c->sets[(uint64_t)(((unsigned __int128)hash * c->n_sets) >> 64)];
    unsigned spins = 0;
    while (atomic_flag_test_and_set_explicit(&s->lock, memory_order_acquire)) {
        if (++spins % 64 == 0)
            sched_yield();
    }
    return s;
}

static void
set_unlock(struct cache_set *s)
{
    atomic_flag_clear_explicit(&s->lock, memory_order_release);
}

/* Puts v at the front and moves those before place k one back; k's own is overwritten. */
static void
to_front(struct cache_set *s, unsigned k, struct verified *v)
{
    for (; k > 0; k--) {
        s->hash[k] = s->hash[k - 1];
        s->way[k] = s->way[k - 1];
    }
    s->hash[0] = v->hash;
    s->way[0] = v;
}

struct verified *
cache_get(struct cache *c, uint64_t hash, struct weir_str token, uint64_t version, int64_t now)
{
    struct verified *found = NULL, *gone = NULL;
    struct cache_set *s = set_lock(c, hash);
    for (unsigned k = 0; k < WAYS && s->way[k]; k++) {
        struct verified *v = s->way[k];
        if (s->hash[k] != hash || v->n != token.n || memcmp(v->token, token.p, token.n) != 0)
            continue;
        if (v->version == version && now >= v->from && now < v->until) {
            atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
            found = v;
            if (k > 0)
                to_front(s, k, v);
        } else {
            /* The keys have changed or its time is over: it is verified anew, and refused if it must be. */
            gone = v;
            for (; k + 1 < WAYS; k++) {
                s->hash[k] = s->hash[k + 1];
                s->way[k] = s->way[k + 1];
            }
            s->way[k] = NULL;
        }
        break;
    }
    set_unlock(s);
    verified_put(gone);
    return found;
}

void
cache_add(struct cache *c, struct verified *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    struct cache_set *s = set_lock(c, v->hash);
    unsigned k = 0;
    /* In the place of an older entry of the same token, of a free one, or of the last. */
    while (k < WAYS - 1 && s->way[k] &&
           !(s->hash[k] == v->hash && s->way[k]->n == v->n && memcmp(s->way[k]->token, v->token, v->n) == 0))
        k++;
    struct verified *gone = s->way[k];
    to_front(s, k, v);
    set_unlock(s);
    verified_put(gone);
}
