/* A module as a compiler made it from the headers of ABI 1.0: its descriptor says so, and the sizes of that version are
 * written down here, so that a change of what it relies on does not compile. */
#include "old.h"

#include <stddef.h>
#include <weir/module.h>

/* LP64. */
#define OLD_HOST_SIZE offsetof(struct weir_host, metric_put)
#define OLD_OUTCOME_SIZE 56
#define OLD_MODULE_SIZE 176

_Static_assert(OLD_HOST_SIZE == offsetof(struct weir_host, store_eval) + sizeof(void *), "1.0 ended with store_eval");
_Static_assert(offsetof(struct weir_outcome, delivered) == OLD_OUTCOME_SIZE, "1.1 begins behind it");
_Static_assert(offsetof(struct weir_module, control) + sizeof(void *) == OLD_MODULE_SIZE, "1.0 ended with control");
/* What has come since stands where it came. */
_Static_assert(offsetof(struct weir_host, body_use) == OLD_HOST_SIZE + sizeof(void *), "1.1 ended with metric_put");
_Static_assert(offsetof(struct weir_module, request_body) == OLD_MODULE_SIZE + sizeof(void *), "1.2 ended with warm");

static const struct weir_host *host;

static int
load(const struct weir_host *table, const char **error)
{
    if (table->abi_major == 1 && table->size >= OLD_HOST_SIZE) {
        host = table;
        return 0;
    }
    *error = "the host has less than 1.0";
    return -1;
}

static int
configure(struct weir_policy *p, const struct weir_conf *block, void **config)
{
    *config = host->alloc(p, sizeof(struct old_seen));
    return 0;
}

static enum weir_verdict
request(struct weir_exchange *x, void *config)
{
    struct old_seen *seen = config;

    seen->requests++;
    host->note(x, "seen", NULL);
    return WEIR_CONTINUE;
}

static enum weir_verdict
attempt(struct weir_exchange *x, void *config)
{
    return WEIR_CONTINUE;
}

static void
outcome(struct weir_exchange *x, void *config, const struct weir_outcome *o)
{
    struct old_seen *seen = config;

    if (o->size < OLD_OUTCOME_SIZE)
        return;
    seen->outcomes++;
    seen->status = o->status;
    seen->duration_ns = o->duration_ns;
}

static const struct weir_directive rows[] = {
    { "old", "main host route policy upstream", .block = "old", .flags = WEIR_D_POLICY | WEIR_D_BLOCK_OPTIONAL,
      .help = "test" },
    { NULL },
};

WEIR_MODULE = {
    .abi_major = 1,
    .abi_minor = 0,
    .size = OLD_MODULE_SIZE,
    .name = "old",
    .version = "1.0",
    .summary = "test",
    .directives = rows,
    .load = load,
    .configure = configure,
    .request = request,
    .attempt = attempt,
    .outcome = outcome,
};
