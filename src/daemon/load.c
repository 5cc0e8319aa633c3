#include "config.h"

#include "load.h"

#include "../admin/admin.h"
#include "../policy/module.h"
#include "../proxy/explain.h"
#include "daemon_conf.h"

/* Every table of the core. Modules add theirs when `use` names them. */
static const struct {
    const struct weir_directive *rows;
    const char *owner;
} tables[] = {
    { daemon_rows, "daemon" },   { policy_rows, "policy" },         { proxy_rows, "proxy" },
    { listener_rows, "listener" }, { upstream_rows, "upstream" },   { store_rows, "store" },
    { admin_rows, "admin" },     { access_log_rows, "access_log" }, { test_rows, "test" },
};

struct conf *
load_tables(void)
{
    struct conf *c = conf_new();
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        conf_add_rows(c, tables[i].rows, tables[i].owner, NULL);
#ifndef HAVE_SYSTEMD
    conf_add_hint(c, "notify", "this weir was built without systemd support (--with-systemd)");
#endif
    return c;
}

struct conf *
load_conf(const char *path)
{
    struct conf *c = load_tables();
    if (conf_parse_file(c, path) != 0)
        return c;
    /* Unknown directives of a module that could not be loaded would only bury the real error. */
    if (modules_use(c) == 0)
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
    conf_diagnostics(conf, out);
    if (conf_errors(conf) == 0)
        return g;
    if (g)
        generation_free(g);
    else
        conf_free(conf);
    return NULL;
}
