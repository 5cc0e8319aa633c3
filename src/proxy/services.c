#include "services.h"

#include "../policy/str.h"
#include "exchange.h"

static bool
upstream_healthy(struct weir_exchange *px, struct slice upstream)
{
    struct exchange *x = (struct exchange *)px;
    struct target *t = generation_target(x->gen, upstream);
    return t && cluster_healthy(t->cluster);
}

static struct weir_call *
eval(struct weir_exchange *px, struct weir_str name, const char *script, struct weir_str key,
     const struct weir_str *args, unsigned n, weir_store_done done, void *arg)
{
    struct exchange *x = (struct exchange *)px;
    struct store *s = generation_store(x->gen, slice_of_str(name));
    struct slice slices[8];
    if (!s || n > 8)
        return NULL;
    for (unsigned i = 0; i < n; i++)
        slices[i] = slice_of_str(args[i]);
    return (struct weir_call *)store_eval(s, script, slice_of_str(key), slices, n, done, arg);
}

static void
cancel(struct weir_call *c)
{
    store_cancel((struct store_call *)c);
}

const struct exchange_services proxy_services = {
    .upstream_healthy = upstream_healthy,
    .store_eval = eval,
    .store_cancel = cancel,
    .resumed = exchange_resumed,
};
