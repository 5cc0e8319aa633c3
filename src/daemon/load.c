#include "load.h"

#include "../admin/admin.h"
#include "../policy/module.h"
#include "../proxy/explain.h"
#include "../proxy/regex.h"
#include "daemon_conf.h"

/* Every table of the core. Modules add theirs when `use` names them. */
static const struct {
    const struct weir_directive *rows;
    const char *owner;
} tables[] = {
    { daemon_rows, "daemon" },     { policy_rows, "policy" },         { proxy_rows, "proxy" },
    { listener_rows, "listener" }, { upstream_rows, "upstream" },     { store_rows, "store" },
    { admin_rows, "admin" },       { access_log_rows, "access_log" }, { test_rows, "test" },
};

/* Policies that come with weir, for whoever forgot to load them. */
static const char *const shipped[][2] = {
    { "jwt", "comes with a module: add `use jwt;` at the top" },
    { "rate_limit", "comes with a module: add `use rate_limit;` at the top" },
    { "circuit_breaker", "comes with a module: add `use circuit_breaker;` at the top" },
    { "canary", "comes with a module: add `use canary;` at the top" },
    { "grpc_web", "comes with a module: add `use grpc_web;` at the top" },
};

struct conf *
load_tables(void)
{
    struct conf *c = conf_new();
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        conf_add_rows(c, tables[i].rows, tables[i].owner, NULL);
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++)
        conf_add_hint(c, shipped[i][0], shipped[i][1]);
    return c;
}

struct conf *
load_conf(const char *path)
{
    struct conf *c = load_tables();
    /* All go on after errors, so that one run shows every one of the file. */
    conf_parse_file(c, path);
    modules_use(c);
    conf_check(c);
    return c;
}

struct generation *
load_generation(struct conf *conf, uint64_t id, struct strbuf *out)
{
    struct generation *g = NULL;
    unsigned tests;

    if (conf_errors(conf) == 0) {
        g = generation_build(conf, id);
        if (conf_errors(conf) == 0)
            test_blocks_run(g, &tests);
    }
    regex_thread_fini(); /* the tests may have used it; this thread may be a helper's */
    conf_diagnostics(conf, out);
    if (conf_errors(conf) == 0)
        return g;
    if (g)
        generation_free(g);
    else
        conf_free(conf);
    return NULL;
}
