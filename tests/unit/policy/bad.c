/* Modules that must be refused, one per BAD_ macro. */
#include <weir/module.h>

static const struct weir_directive rows[] = {
#ifdef BAD_DIRECTIVE
    { "probe_a", "route", .flags = WEIR_D_POLICY, .help = "clashes with the probe module" },
#endif
    { NULL },
};

#ifdef BAD_REASON
static const struct weir_reason reasons[] = { { "no_route", 418, "Another meaning", NULL }, { NULL } };
#endif

#ifdef BAD_VARIABLE
static struct weir_str
get(struct weir_exchange *x, void *shared, struct weir_str rest)
{
    return rest;
}

static const struct weir_variable variables[] = { { "request.header.special", "clashes", get }, { NULL } };
#endif

static int
configure(struct weir_policy *p, const struct weir_conf *block, void **config)
{
    return 0;
}

#ifdef BAD_LOAD
static int
load(const struct weir_host *host, const char **error)
{
    *error = "it is Sunday";
    return -1;
}
#endif

#ifndef BAD_SYMBOL
WEIR_MODULE = {
#ifdef BAD_MAJOR
    .abi_major = WEIR_ABI_MAJOR + 1,
    .abi_minor = 0,
    .size = sizeof(struct weir_module),
#elif defined BAD_MINOR
    .abi_major = WEIR_ABI_MAJOR,
    .abi_minor = WEIR_ABI_MINOR + 1,
    .size = sizeof(struct weir_module),
#elif defined BAD_SIZE
    .abi_major = WEIR_ABI_MAJOR,
    .abi_minor = WEIR_ABI_MINOR,
    .size = 16,
#else
    WEIR_MODULE_ABI,
#endif
    .name = MODULE_NAME,
    .version = "1.0",
    .summary = "test",
    .directives = rows,
#ifdef BAD_REASON
    .reasons = reasons,
#endif
#ifdef BAD_VARIABLE
    .variables = variables,
#endif
#ifdef BAD_LOAD
    .load = load,
#endif
    .configure = configure,
};
#else
int configure_is_used(void);
int
configure_is_used(void)
{
    return configure(NULL, NULL, NULL) + (rows[0].name != NULL);
}
#endif
