#include "client_count.h"

#include "../base/hash.h"
#include "../base/xalloc.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 64

struct client_count {
    struct client_count *next; /* in its bucket */
    struct client_counts *table;
    unsigned char key[8]; /* IPv4 with zeros behind it, or the first half of an IPv6 address */
    unsigned open;
    bool v6;
};

struct client_counts {
    pthread_mutex_t lock;
    struct client_count **buckets;
    size_t n, n_buckets;
};

struct client_counts *
client_counts_new(void)
{
    struct client_counts *t = xcalloc(1, sizeof(*t));

    pthread_mutex_init(&t->lock, NULL);
    t->n_buckets = BUCKETS_FIRST;
    t->buckets = xcalloc(t->n_buckets, sizeof(struct client_count *));
    return t;
}

void
client_counts_free(struct client_counts *t)
{
    assert(t->n == 0);
    pthread_mutex_destroy(&t->lock);
    free(t->buckets);
    free(t);
}

static bool
read_key(const struct addr *a, struct client_count *out)
{
    const struct in6_addr *ip = &a->u.in6.sin6_addr;

    *out = (struct client_count){ 0 };
    if (a->len == 0 || addr_is_unix(a))
        return false;
    if (a->u.sa.sa_family == AF_INET) {
        memcpy(out->key, &a->u.in.sin_addr, 4);
    } else if (IN6_IS_ADDR_V4MAPPED(ip)) {
        memcpy(out->key, ip->s6_addr + 12, 4);
    } else {
        memcpy(out->key, ip->s6_addr, 8);
        out->v6 = true;
    }
    return true;
}

static struct client_count **
bucket_of(const struct client_counts *t, const struct client_count *c)
{
    uint64_t h = hash_slice(slice_of((const char *)c->key, sizeof(c->key)));

    return &t->buckets[h & (t->n_buckets - 1)];
}

static struct client_count *
find(const struct client_counts *t, const struct client_count *key)
{
    struct client_count *c = *bucket_of(t, key);

    while (c && (c->v6 != key->v6 || memcmp(c->key, key->key, sizeof(c->key)) != 0))
        c = c->next;
    return c;
}

static void
link_in(struct client_counts *t, struct client_count *c)
{
    struct client_count **at = bucket_of(t, c);

    c->next = *at;
    *at = c;
}

static void
grow(struct client_counts *t)
{
    struct client_count **old = t->buckets;
    size_t n = t->n_buckets;

    t->n_buckets = n * 2;
    t->buckets = xcalloc(t->n_buckets, sizeof(struct client_count *));
    for (size_t i = 0; i < n; i++) {
        for (struct client_count *c = old[i], *next; c; c = next) {
            next = c->next;
            link_in(t, c);
        }
    }
    free(old);
}

static struct client_count *
add(struct client_counts *t, const struct client_count *key)
{
    struct client_count *c = xcalloc(1, sizeof(*c));

    if (t->n == t->n_buckets)
        grow(t);
    *c = *key;
    c->table = t;
    link_in(t, c);
    t->n++;
    return c;
}

bool
client_count_take(struct client_counts *t, const struct addr *a, unsigned max, struct client_count **out)
{
    struct client_count key, *c;
    bool room;

    *out = NULL;
    if (!read_key(a, &key))
        return true;
    pthread_mutex_lock(&t->lock);
    c = find(t, &key);
    room = (c ? c->open : 0) < max;
    if (room) {
        if (!c)
            c = add(t, &key);
        c->open++;
        *out = c;
    }
    pthread_mutex_unlock(&t->lock);
    return room;
}

static void
remove_entry(struct client_counts *t, struct client_count *c)
{
    struct client_count **at = bucket_of(t, c);

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    t->n--;
    free(c);
}

void
client_count_give(struct client_count *c)
{
    struct client_counts *t;

    if (!c)
        return;
    t = c->table;
    pthread_mutex_lock(&t->lock);
    if (--c->open == 0)
        remove_entry(t, c);
    pthread_mutex_unlock(&t->lock);
}

size_t
client_counts_addresses(struct client_counts *t)
{
    size_t n;

    pthread_mutex_lock(&t->lock);
    n = t->n;
    pthread_mutex_unlock(&t->lock);
    return n;
}
