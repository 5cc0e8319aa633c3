/*
 * The way of a gateway.conf to a generation, as `weir check` goes it: with the rows of the shipped modules, their
 * policies configured, routes, upstreams and templates built and its `test` blocks run. An error is told for what is
 * refused; what is accepted is refused never when it is loaded again. Input: the file, without `use`.
 */
#include "fuzz.h"

#include "../../src/base/log.h"
#include "../../src/daemon/load.h"
#include "../../src/policy/module.h"
#include "../../src/proxy/metrics.h"
#include "../../src/stats/stats.h"

#include <stdlib.h>

#define MODULE(name) FUZZ_MODULES "/" name "/.libs "

static const char prelude[] = "modules " MODULE("jwt") MODULE("rate_limit") MODULE("circuit_breaker")
    MODULE("canary") "; use jwt rate_limit circuit_breaker canary;";

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    clearenv();
    setenv("NAME", "value", 1);
    log_set_level(LOG_LVL_ERROR);
    FUZZ_REQUIRE(workers_init(1) == 0 && stats_init(1) == 0);
    metrics_init();
    return 0;
}

/* What would open files: none of them belongs to a target. */
static bool
opens_files(struct slice text)
{
    static const char *const words[] = { "include", "access_log", "file:", "/dev", "/proc", "/sys", "modules", "use" };

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (memmem(text.p, text.n, words[i], strlen(words[i])))
            return true;
    return false;
}

static bool
load(struct slice text)
{
    struct conf *c = load_tables();
    struct generation *g;
    struct strbuf out;
    bool good;

    strbuf_init(&out, 64u << 20);
    conf_parse_text(c, "/nonexistent/gateway.conf", text);
    modules_use(c);
    conf_check(c);
    good = conf_errors(c) == 0;
    g = load_generation(c, 1, &out);
    FUZZ_REQUIRE(g ? good && !(out.n && strstr(out.p, ": error: ")) : out.n && strstr(out.p, ": error: "));
    strbuf_fini(&out);
    good = g != NULL;
    if (g)
        generation_free(g);
    return good;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of((const char *)data, size);
    struct strbuf text;

    if (size == 0 || opens_files(input))
        return 0;
    strbuf_init(&text, 1u << 20);
    strbuf_adds(&text, prelude);
    strbuf_addslice(&text, input);
    if (load(strbuf_slice(&text)))
        FUZZ_REQUIRE(load(strbuf_slice(&text)));
    strbuf_fini(&text);
    return 0;
}
