#include "fixture.h"

#include "../../../src/base/log.h"
#include "../../../src/policy/module.h"
#include "../../../src/stats/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct weir_arg names[] = { { "NAME", WEIR_T_STRING, .flags = WEIR_ARG_REPEAT }, { NULL } };
static const struct weir_directive rows[] = {
    { "host", "main", names, .block = "host", .flags = WEIR_D_REPEAT, .help = "test" },
    { "route", "main host", names, .block = "route", .flags = WEIR_D_REPEAT, .help = "test" },
    { "upstream", "main", names, .block = "upstream", .flags = WEIR_D_REPEAT, .help = "test" },
    { "store", "main", names, .block = "store", .flags = WEIR_D_REPEAT, .help = "test" },
    { NULL },
};

static struct loop *loop;

int
fixture_group_setup(void **state)
{
    log_set_level(LOG_LVL_ERROR);
    stats_init(1);
    loop = loop_new("test");
    return loop ? 0 : -1;
}

int
fixture_group_teardown(void **state)
{
    loop_free(loop);
    stats_fini();
    return 0;
}

static bool
fake_healthy(struct weir_exchange *x, struct slice upstream)
{
    return !slice_eq(upstream, SLICE("sick"));
}

static struct fixture *
fixture_of(struct weir_exchange *x)
{
    return (struct fixture *)((char *)x - offsetof(struct fixture, x));
}

static struct weir_call *
fake_eval(struct weir_exchange *x, struct weir_str store, const char *script, struct weir_str key,
          const struct weir_str *args, unsigned n, weir_store_done done, void *arg)
{
    struct fixture *f = fixture_of(x);
    struct fake_call *c = &f->calls[f->n_calls++];

    c->done = done;
    c->arg = arg;
    return (struct weir_call *)c;
}

static void
fake_cancel(struct weir_call *call)
{
    ((struct fake_call *)call)->cancelled = true;
}

static void
fake_resumed(struct weir_exchange *x)
{
    fixture_of(x)->resumed++;
}

static const struct exchange_services services = {
    .upstream_healthy = fake_healthy,
    .store_eval = fake_eval,
    .store_cancel = fake_cancel,
    .resumed = fake_resumed,
};

static void
exchange_init(struct fixture *f)
{
    struct err e;

    arena_init(&f->x_arena);
    f->x = (struct weir_exchange){
        .arena = &f->x_arena, .loop = loop, .services = &services, .id = SLICE("0123456789abcdef")
    };
    decision_init(&f->x.log, &f->x_arena);
    f->req = (struct http_request){ .method = METHOD_GET,
                                    .method_text = SLICE("GET"),
                                    .version = HTTP_1_1,
                                    .host = SLICE("api.example.com"),
                                    .authority = SLICE("api.example.com:8080"),
                                    .path = SLICE("/r/7"),
                                    .query = SLICE("a=1&b=x%20y"),
                                    .has_query = true };
    fields_init(&f->req.fields, &f->x_arena);
    f->x.req = &f->req;
    addr_parse(SLICE("192.0.2.7:5311"), &f->client, &e);
    f->x.client = &f->client;
    f->x.route_name = SLICE("/r");
}

int
fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    arena_init(&f->arena);
    exchange_init(f);
    f->hold = host_table()->state_get("probe", sizeof(struct probe_log), NULL, NULL);
    f->log = host_table()->state_data(f->hold);
    memset(f->log, 0, sizeof(*f->log));
    *state = f;
    return 0;
}

int
fixture_teardown(void **state)
{
    struct fixture *f = *state;

    chain_finish(&f->x);
    policy_scope_release(&f->scope);
    arena_fini(&f->x_arena);
    arena_fini(&f->arena);
    if (f->conf)
        conf_free(f->conf);
    host_table()->state_put(f->hold);
    free(f);
    return 0;
}

bool
fixture_parse(struct fixture *f, const char *text)
{
    char all[8192];

    snprintf(all, sizeof(all), "modules %s; use probe;\n%s", TEST_MODULES, text);
    return fixture_parse_only(f, all);
}

bool
fixture_parse_only(struct fixture *f, const char *text)
{
    f->conf = conf_new();
    conf_add_rows(f->conf, rows, "test", NULL);
    conf_add_rows(f->conf, policy_rows, "policy", NULL);
    f->scope = (struct policy_scope){ .arena = &f->arena };
    if (conf_parse_text(f->conf, "test.conf", slice_str(text)) != 0)
        return false;
    return modules_use(f->conf) == 0 && conf_check(f->conf) == 0;
}

const char *
fixture_errors(struct fixture *f)
{
    static char text[8192];
    struct strbuf b;

    strbuf_init(&b, sizeof(text) - 1);
    conf_diagnostics(f->conf, &b);
    snprintf(text, sizeof(text), "%.*s", SLICE_FMT(strbuf_slice(&b)));
    strbuf_fini(&b);
    return text;
}

void
fixture_load(struct fixture *f, const char *text)
{
    if (!fixture_parse(f, text))
        fail_msg("%s", fixture_errors(f));
}

const struct weir_conf *
fixture_block(struct fixture *f, const char *directive, const char *arg)
{
    const struct weir_conf *b, *h;

    for (b = conf_find(conf_root(f->conf), directive); b; b = conf_next(b))
        if (slice_eq(conf_arg(b, 0), slice_str(arg)))
            return b;
    for (h = conf_find(conf_root(f->conf), "host"); h; h = conf_next(h))
        for (b = conf_find(h, directive); b; b = conf_next(b))
            if (slice_eq(conf_arg(b, 0), slice_str(arg)))
                return b;
    fail_msg("no %s %s", directive, arg);
    return NULL;
}

struct chain *
fixture_chain(struct fixture *f, const char *directive, const char *arg)
{
    struct chain *c = chain_build(&f->scope, fixture_block(f, directive, arg), slice_str(arg));

    if (!c)
        fail_msg("%s", fixture_errors(f));
    return c;
}

void
fixture_route(struct fixture *f, const char *text)
{
    char all[4096];

    snprintf(all, sizeof(all), "upstream orders { } route /r { %s }", text);
    fixture_load(f, all);
    chain_begin(&f->x, fixture_chain(f, "route", "/r"));
}

void
fixture_respond(struct fixture *f, int status)
{
    f->res = (struct http_response){ .status = status };
    fields_init(&f->res.fields, &f->x_arena);
    f->x.res = &f->res;
}

const char *
fixture_row(struct fixture *f, unsigned i)
{
    static char text[256];
    const struct decision *d;

    if (i >= f->x.log.n)
        return "none";
    d = &f->x.log.rows[i];
    snprintf(text, sizeof(text), "%s %.*s %s %s %s", d->step, SLICE_FMT(d->subject), verdict_name(d->verdict),
             d->reason ? d->reason : "-", d->mode ? d->mode : "-");
    return text;
}

uint64_t
fixture_counter(const char *route, const char *policy, const char *verdict, const char *mode)
{
    static const char *const labels[] = { "route", "policy", "verdict", "mode" };
    struct slice values[] = { slice_str(route), slice_str(policy), slice_str(verdict), slice_str(mode) };

    return stats_counter_value(stats_series(
        stats_family("weir_policy_verdicts_total", STATS_COUNTER, "Verdicts of policies.", labels, 4, NULL, 0),
        values));
}

static void
stop(struct timer *t)
{
    loop_stop(t->loop);
}

void
fixture_turn(struct fixture *f)
{
    struct timer t;

    timer_init(&t, loop, stop);
    timer_after(&t, 0);
    loop_run(loop);
    timer_fini(&t);
}

void
assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in: %s", part, text);
}
