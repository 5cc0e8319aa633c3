/* A module whose policies give a variable a value: one in the request phase, or with GIVER_TARGET in the target phase.
 */
#include <weir/module.h>

#ifndef GIVER_NAME /* the build makes several of it, each with a name of its own */
#define GIVER_NAME "giver"
#endif

static int
configure(struct weir_policy *p, const struct weir_conf *block, void **config)
{
    return 0;
}

static enum weir_verdict
phase(struct weir_exchange *x, void *config)
{
    return WEIR_CONTINUE;
}

static struct weir_str
get(struct weir_exchange *x, void *shared, struct weir_str rest)
{
    return rest;
}

static const struct weir_directive rows[] = {
    { GIVER_NAME, "main host route policy upstream", .block = GIVER_NAME,
      .flags = WEIR_D_POLICY | WEIR_D_BLOCK_OPTIONAL, .help = "test" },
    { NULL },
};
static const struct weir_variable variables[] = { { GIVER_NAME ".", "test", get }, { NULL } };

WEIR_MODULE = {
    WEIR_MODULE_ABI,    .name = GIVER_NAME,     .version = "1.0",       .summary = "test",
    .directives = rows, .variables = variables, .configure = configure,
#ifdef GIVER_TARGET
    .target = phase,
#else
    .request = phase,
#endif
};
