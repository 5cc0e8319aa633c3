/* build: a generation from text, without threads and sockets: for tests of what is decided at load and about heads. */
#ifndef TESTS_PROXY_BUILD_H
#define TESTS_PROXY_BUILD_H

#include "rig.h"

#include "../../../src/base/log.h"
#include "../../../src/event/worker.h"
#include "../../../src/proxy/explain.h"
#include "../../../src/proxy/metrics.h"
#include "../../../src/stats/stats.h"

#include <stdlib.h>
#include <string.h>

static struct generation *built;
static struct strbuf said; /* diagnostics of the last build */

static inline int
build_setup(void **state)
{
    (void)state;
    log_set_level(LOG_LVL_ERROR);
    strbuf_init(&said, 1 << 20);
    if (workers_init(1) != 0 || stats_init(1) != 0)
        return -1;
    metrics_init();
    return 0;
}

static inline void
build_drop(void)
{
    if (built)
        generation_free(built);
    built = NULL;
}

static inline int
build_teardown(void **state)
{
    (void)state;
    build_drop();
    strbuf_fini(&said);
    workers_fini();
    stats_fini();
    return 0;
}

/* How many errors; `said` has them and the warnings. */
static inline unsigned
build(const char *text)
{
    struct rig r = { .port = 1, .origin_port = 9 };
    unsigned tests;
    build_drop();
    built = generation_build(rig_conf(&r, text), 1);
    if (conf_errors(built->conf) == 0)
        test_blocks_run(built, &tests);
    strbuf_clear(&said);
    conf_diagnostics(built->conf, &said);
    return conf_errors(built->conf);
}

static inline void
build_good(const char *text)
{
    if (build(text))
        fail_msg("%s", said.p);
}

static inline void
build_bad(const char *text, const char *message)
{
    assert_true(build(text) > 0);
    has(said.p, message);
}

/* What would happen to a request; fields: "Name: value\n"... explanation_fini is the caller's. */
static inline struct explanation *
asked(const char *method, const char *url, const char *fields, const char *client)
{
    static struct explanation x;
    static struct addr from;
    struct explain_request in = { .method = slice_str(method), .url = slice_str(url) };
    struct arena arena;
    struct err e;

    arena_init(&arena);
    fields_init(&in.fields, &arena);
    for (const char *end; fields && (end = strchr(fields, '\n')); fields = end + 1) {
        const char *colon = strchr(fields, ':');
        fields_add(&in.fields, slice_of(fields, (size_t)(colon - fields)),
                   slice_trim(slice_of(colon + 1, (size_t)(end - colon - 1))));
    }
    if (client) {
        assert_int_equal(addr_parse_ip(slice_str(client), &from), 0);
        in.client = &from;
    }
    if (explain(built, &in, &x, &e) != 0)
        fail_msg("%s", e.text);
    arena_fini(&arena);
    return &x;
}

/* The value of a field of the head that would leave; "": none. Until the next call. */
static inline const char *
sent(const struct explanation *x, const char *name)
{
    static char text[1024];
    const struct fields *f = x->outcome == EXPLAIN_PROXY ? &x->req.fields : &x->res.fields;
    const struct field *found = fields_find_name(f, slice_str(name));
    snprintf(text, sizeof text, "%.*s", found ? (int)found->value.n : 0, found ? found->value.p : "");
    return text;
}

#endif
