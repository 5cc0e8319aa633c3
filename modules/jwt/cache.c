#include "cache.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 8
#define TAIL 48 /* base64url characters: 288 bits of a signature, all 256 of an HS256 one */

struct cache_set {
    atomic_flag lock;
    uint32_t taken; /* how often a new one has taken the place of another */
    uint64_t hash[WAYS];
    struct verified *way[WAYS]; /* most recently used first; NULL: free */
};

struct cache {
    unsigned n_sets;
    struct cache_set *_Atomic sets; /* made with the first entry: of ten thousand policies few see tokens */
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
    atomic_init(&c->sets, NULL);
    return c;
}

/* false: out of memory. */
static bool
make_sets(struct cache *c)
{
    struct cache_set *none = NULL, *sets;
    if (atomic_load_explicit(&c->sets, memory_order_acquire))
        return true;
    sets = calloc(c->n_sets, sizeof(*sets));
    if (sets && !atomic_compare_exchange_strong(&c->sets, &none, sets))
        free(sets); /* another worker was first */
    return sets != NULL;
}

void
cache_free(struct cache *c)
{
    if (!c)
        return;
    struct cache_set *sets = atomic_load(&c->sets);
    for (unsigned i = 0; sets && i < c->n_sets; i++) {
        for (unsigned k = 0; k < WAYS; k++)
            verified_put(sets[i].way[k]);
    }
    free(sets);
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
    struct cache_set *sets = atomic_load_explicit(&c->sets, memory_order_acquire);
    struct cache_set *s = &sets[(uint64_t)(((unsigned __int128)hash * c->n_sets) >> 64)];
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
    if (!atomic_load_explicit(&c->sets, memory_order_acquire))
        return NULL;
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

/*
 * A new one takes the place of the one that was not used for longest, and that place only: it moves to the front when
 * it is used again. So more tokens in turn than there is room for drive each other out of one place, and most of those
 * that are there stay and are found; all at the front they would drive out each other, and none would be found. One in
 * FRONT_EACH goes to the front, so that those whom nobody uses any more leave.
 */
#define FRONT_EACH 8

void
cache_add(struct cache *c, struct verified *v)
{
    if (!make_sets(c))
        return;
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    struct cache_set *s = set_lock(c, v->hash);
    unsigned k = 0;
    /* In the place of an older entry of the same token, of a free one, or of the last. */
    while (k < WAYS - 1 && s->way[k] &&
           !(s->hash[k] == v->hash && s->way[k]->n == v->n && memcmp(s->way[k]->token, v->token, v->n) == 0))
        k++;
    struct verified *gone = s->way[k];
    if (k == WAYS - 1 && gone && s->taken++ % FRONT_EACH != FRONT_EACH - 1) {
        s->hash[k] = v->hash;
        s->way[k] = v;
    } else {
        to_front(s, k, v);
    }
    set_unlock(s);
    verified_put(gone);
}
