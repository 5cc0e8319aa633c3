#include "names.h"
#include "../base/xalloc.h"
#include "cluster_private.h"

#include <stdlib.h>

struct name_watch {
    struct cluster_state *st; /* it lives longer: cluster_stop frees this first */
    char *host;
    uint16_t port;
    struct resolver_watch *watch; /* NULL: no resolver was given */
    struct addr *addrs;           /* the last good answer; owned */
    unsigned n;
    bool answered; /* or failed, once */
    bool wanted;   /* by the configuration being started */
    struct name_watch *next;
};

static struct name_watch *
find(struct cluster_state *st, const char *host, uint16_t port)
{
    struct name_watch *w;

    for (w = st->names; w; w = w->next) {
        if (w->port == port && strcasecmp(w->host, host) == 0)
            return w;
    }
    return NULL;
}

static void
on_change(const struct addr *addrs, unsigned n, const char *error, void *arg)
{
    struct name_watch *w = arg;

    if (n == 0) { /* the resolver has told the operator why */
        w->answered = true;
        return; /* the last good answer stays */
    }
    if (n > RESOLVER_ADDRS_MAX)
        n = RESOLVER_ADDRS_MAX;
    pthread_mutex_lock(&w->st->lock);
    free(w->addrs);
    w->addrs = xcalloc(n, sizeof(*w->addrs));
    memcpy(w->addrs, addrs, n * sizeof(*w->addrs));
    w->n = n;
    pthread_mutex_unlock(&w->st->lock);
    w->answered = true;
    if (w->st->owner)
        cluster_refresh(w->st->owner);
}

static struct name_watch *
watch_add(struct cluster_state *st, const struct endpoint_line *line, struct resolver *r)
{
    struct name_watch *w = xcalloc(1, sizeof(*w));

    w->st = st;
    w->host = xstrdup(line->host);
    w->port = line->port;
    w->answered = !r;
    pthread_mutex_lock(&st->lock);
    w->next = st->names;
    st->names = w;
    pthread_mutex_unlock(&st->lock);
    if (r)
        w->watch = resolver_watch_new(r, slice_str(w->host), w->port, on_change, w);
    return w;
}

/* Frees those not wanted. */
static void
sweep(struct cluster_state *st)
{
    struct name_watch **link = &st->names, *w;

    while ((w = *link)) {
        if (w->wanted) {
            link = &w->next;
            continue;
        }
        pthread_mutex_lock(&st->lock);
        *link = w->next;
        pthread_mutex_unlock(&st->lock);
        if (w->watch)
            resolver_watch_free(w->watch);
        free(w->host);
        free(w->addrs);
        free(w);
    }
}

void
names_add(struct cluster_state *st, const struct endpoint_line *lines, unsigned n, struct resolver *r)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        if (!lines[i].literal && !find(st, lines[i].host, lines[i].port))
            watch_add(st, &lines[i], r);
    }
}

bool
names_answered(struct cluster_state *st, const struct endpoint_line *lines, unsigned n)
{
    const struct name_watch *w;
    unsigned i;

    for (i = 0; i < n; i++) {
        w = lines[i].literal ? NULL : find(st, lines[i].host, lines[i].port);
        if (w && !w->answered)
            return false;
    }
    return true;
}

void
names_sync(struct cluster_state *st, const struct endpoint_line *lines, unsigned n, struct resolver *r)
{
    struct name_watch *w;
    unsigned i;

    for (w = st->names; w; w = w->next)
        w->wanted = false;
    for (i = 0; i < n; i++) {
        if (lines[i].literal)
            continue;
        w = find(st, lines[i].host, lines[i].port);
        if (!w)
            w = watch_add(st, &lines[i], r);
        w->wanted = true;
    }
    sweep(st);
}

void
names_stop(struct cluster_state *st)
{
    names_sync(st, NULL, 0, NULL);
}

bool
names_round_done(const struct cluster_state *st)
{
    const struct name_watch *w;

    for (w = st->names; w; w = w->next) {
        if (!w->answered)
            return false;
    }
    return true;
}

unsigned
names_known(struct cluster_state *st, const char *host, uint16_t port, struct addr out[RESOLVER_ADDRS_MAX])
{
    const struct name_watch *w;
    unsigned n = 0;

    pthread_mutex_lock(&st->lock);
    w = find(st, host, port);
    if (w && w->n) {
        n = w->n;
        memcpy(out, w->addrs, n * sizeof(*out));
    }
    pthread_mutex_unlock(&st->lock);
    return n;
}
