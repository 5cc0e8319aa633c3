/*
 * example: a whole policy in one file. It refuses requests that lack a header, or have it with another value:
 *
 *     require_header X-Api-Version { value 2; }
 *
 * README.md walks through it.
 */
#include <string.h>
#include <weir/module.h>

static const struct weir_host *host; /* the gateway, as a table of functions */

/* 1. What may be written in gateway.conf: one row per directive. Types are checked before configure sees them. */
static const struct weir_arg header_args[] = { { "HEADER", WEIR_T_STRING }, { 0 } };
static const struct weir_arg value_args[] = { { "TEXT", WEIR_T_TEMPLATE }, { 0 } };
static const struct weir_directive rows[] = {
    { "require_header", "main host route policy", header_args, .block = "require_header",
      .flags = WEIR_D_POLICY | WEIR_D_BLOCK_OPTIONAL, .help = "refuses requests without this header" },
    { "value", "require_header", value_args, .help = "the value it must have; without it any will do" },
    { 0 },
};

/* 2. Why it may refuse. Status, problem document and metrics follow from the row. */
static const struct weir_reason reasons[] = {
    { "header_required", 400, "A required header is missing or wrong", NULL },
    { 0 },
};

/* 3. One block of the file, compiled. In the policy's memory, which goes with its generation. */
struct config {
    char *header;
    const struct weir_template *value; /* NULL: any */
};

/* Once per process, before anything is configured. */
static int
load(const struct weir_host *table, const char **error)
{
    host = table;
    return 0;
}

static int
configure(struct weir_policy *p, const struct weir_conf *block, void **config)
{
    struct config *c = host->alloc(p, sizeof(*c));
    struct weir_str name = host->conf_arg(block, 0);
    if (name.n == 0) {
        host->conf_error(block, 0, "a header needs a name");
        return -1;
    }
    c->header = host->alloc(p, name.n + 1);
    memcpy(c->header, name.p, name.n);

    const struct weir_conf *line = host->conf_find(block, "value");
    if (line && !(c->value = host->conf_template(p, line, 0)))
        return -1; /* an unknown variable: already reported */
    *config = c;
    return 0;
}

/* 4. The decision, on a worker thread: never blocks, never fails half-way. */
static enum weir_verdict
request(struct weir_exchange *x, void *config)
{
    const struct config *c = config;
    struct weir_str got = host->request_header(x, c->header, 0);
    if (!got.p)
        return host->refuse(x, "header_required", "%s is missing", c->header);
    if (!c->value)
        return WEIR_CONTINUE;

    struct weir_str want = host->template_text(x, c->value);
    if (got.n == want.n && memcmp(got.p, want.p, got.n) == 0)
        return WEIR_CONTINUE;
    return host->refuse(x, "header_required", "%s has another value", c->header);
}

/* 5. What the loader finds. */
WEIR_MODULE = {
    WEIR_MODULE_ABI,
    .name = "example",
    .version = "1.0",
    .summary = "refuses requests without a header",
    .directives = rows,
    .reasons = reasons,
    .load = load,
    .configure = configure,
    .request = request,
};
