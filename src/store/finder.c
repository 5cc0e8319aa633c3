#include "finder.h"
#include "../base/log.h"
#include "../base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>

struct finder {
    struct store_state *state;      /* outlives it */
    struct resolver_watch *watch;   /* of a single server's name */
};

static void
on_name(const struct addr *addrs, unsigned n, const char *error, void *arg)
{
    struct finder *f = arg;
    char why[320];

    if (n) {
        state_publish(f->state, map_new_single(addrs, n));
        return;
    }
    snprintf(why, sizeof(why), "its host cannot be resolved: %s", error);
    state_trouble(f->state, why);
}

struct finder *
finder_new(struct store_state *st, struct resolver *r)
{
    struct finder *f = xcalloc(1, sizeof(*f));
    const struct store_host *h = &st->url.hosts[0];

    f->state = st;
    f->watch = resolver_watch_new(r, h->name, h->port, on_name, f);
    return f;
}

void
finder_free(struct finder *f)
{
    if (f->watch)
        resolver_watch_free(f->watch);
    free(f);
}

void
finder_refresh(struct finder *f)
{
}
