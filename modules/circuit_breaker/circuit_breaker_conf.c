#include "circuit_breaker.h"

#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define DAY (86400 * SECOND)

static const struct weir_arg window_args[] = { { "TIME", WEIR_T_DURATION, SECOND / 100, DAY }, { 0 } };
static const struct weir_arg count_args[] = { { "N", WEIR_T_INT, 1, 1000000 }, { 0 } };
static const struct weir_arg rate_args[] = { { "PERCENT", WEIR_T_PERCENT }, { 0 } };
static const struct weir_arg slow_args[] = { { "TIME", WEIR_T_DURATION, SECOND / 1000, DAY },
                                             { "PERCENT", WEIR_T_PERCENT },
                                             { 0 } };
static const struct weir_arg open_args[] = { { "TIME", WEIR_T_DURATION, SECOND / 100, DAY }, { 0 } };
static const struct weir_opt open_opts[] = { { "max", WEIR_T_DURATION, SECOND / 100, DAY }, { 0 } };
static const struct weir_arg failure_args[] = { { "WHAT", WEIR_T_STRING, .flags = WEIR_ARG_REPEAT }, { 0 } };

const struct weir_directive cb_rows[] = {
    { "circuit_breaker", "upstream", .block = "circuit_breaker", .flags = WEIR_D_POLICY | WEIR_D_BLOCK_OPTIONAL,
      .help = "stops sending to an upstream that fails or is slow, and probes it until it is well" },
    { "window", "circuit_breaker", window_args, .def = "10s", .help = "how far back calls count" },
    { "min_requests", "circuit_breaker", count_args, .def = "20", .help = "calls in the window before it may open" },
    { "failure_rate", "circuit_breaker", rate_args, .def = "50%", .help = "share of failed calls at which it opens" },
    { "slow", "circuit_breaker", slow_args, .help = "opens also when this share of calls took at least this long" },
    { "open", "circuit_breaker", open_args, open_opts, .def = "5s",
      .help = "how long it stays open; doubled at each reopening up to max (60s)" },
    { "probes", "circuit_breaker", count_args, .def = "5",
      .help = "calls let through to find out whether it may close" },
    { "failure_on", "circuit_breaker", failure_args,
      .def = "connect_failed connect_timeout reset timeout bad_response 5xx",
      .help = "what counts as a failure: results of an attempt, 5xx, or single statuses from 500 to 599" },
    { 0 },
};

static const struct {
    const char *word;
    enum weir_result result;
} results[] = {
    { "connect_failed", WEIR_RESULT_CONNECT_FAILED },
    { "connect_timeout", WEIR_RESULT_CONNECT_TIMEOUT },
    { "reset", WEIR_RESULT_RESET },
    { "timeout", WEIR_RESULT_TIMEOUT },
    { "bad_response", WEIR_RESULT_BAD_RESPONSE },
};

static bool
is_word(struct weir_str s, const char *word)
{
    return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

static void
add_status(struct cb_failures *f, unsigned status)
{
    f->statuses[(status - 500) / 64] |= UINT64_C(1) << ((status - 500) % 64);
}

static bool
add_failure(struct cb_failures *f, struct weir_str word)
{
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        if (is_word(word, results[i].word)) {
            f->results |= 1u << results[i].result;
            return true;
        }
    }
    if (is_word(word, "5xx")) {
        for (unsigned s = 500; s < 600; s++)
            add_status(f, s);
        return true;
    }
    if (word.n == 3 && word.p[0] == '5' && word.p[1] >= '0' && word.p[1] <= '9' && word.p[2] >= '0' &&
        word.p[2] <= '9') {
        add_status(f, 500 + (unsigned)(word.p[1] - '0') * 10 + (unsigned)(word.p[2] - '0'));
        return true;
    }
    return false;
}

static int
configure_failures(struct cb_config *c, const struct weir_conf *block)
{
    const struct weir_conf *line = cb_host->conf_find(block, "failure_on");
    if (!line) {
        for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
            c->failures.results |= 1u << results[i].result;
        return add_failure(&c->failures, (struct weir_str){ "5xx", 3 }) ? 0 : -1;
    }
    int rc = 0;
    for (unsigned i = 0; i < cb_host->conf_args(line); i++) {
        struct weir_str word = cb_host->conf_arg(line, i);
        if (add_failure(&c->failures, word))
            continue;
        cb_host->conf_error(
            line, (int)i,
            "\"%.*s\" is not a failure: use connect_failed, connect_timeout, reset, timeout, bad_response, 5xx or a "
            "status from 500 to 599",
            (int)word.n, word.p);
        rc = -1;
    }
    return rc;
}

static int
configure_rules(struct breaker_rules *r, const struct weir_conf *block)
{
    const struct weir_host *h = cb_host;
    const struct weir_conf *line;
    r->window_ns = h->conf_get_int(block, "window");
    r->min_requests = (uint32_t)h->conf_get_int(block, "min_requests");
    r->probes = (uint32_t)h->conf_get_int(block, "probes");
    line = h->conf_find(block, "failure_rate");
    r->failure_rate = line ? h->conf_percent(line, 0) : 50;
    if (line && r->failure_rate <= 0) {
        h->conf_error(line, 0, "a failure rate of 0%% would open at once; use at least 1%%");
        return -1;
    }
    if ((line = h->conf_find(block, "slow"))) {
        r->slow_ns = h->conf_int(line, 0);
        r->slow_rate = h->conf_percent(line, 1);
        if (r->slow_rate <= 0) {
            h->conf_error(line, 1, "a share of 0%% slow calls would open at once; use at least 1%%");
            return -1;
        }
    }
    line = h->conf_find(block, "open");
    r->open_ns = h->conf_get_int(block, "open");
    r->open_max_ns = r->open_ns > 60 * SECOND ? r->open_ns : 60 * SECOND;
    if (line)
        r->open_max_ns = h->conf_opt_int(line, "max", r->open_max_ns);
    if (r->open_max_ns >= r->open_ns)
        return 0;
    h->conf_error(line, 0, "max is shorter than the open time itself");
    return -1;
}

static void
state_init(void *memory)
{
    struct cb_state *s = memory;
    breaker_init(&s->breaker);
    s->breaker.changed = cb_publish;
}

static void
state_fini(void *memory)
{
    struct cb_state *s = memory;
    for (int i = 0; i < BREAKER_NAMES && s->gauges[i]; i++)
        cb_host->metric_put(s->gauges[i]);
}

/* All generations and workers share one breaker for an upstream of this name. */
static int
configure_state(struct cb_config *c)
{
    char key[128];
    snprintf(key, sizeof(key), "circuit_breaker:%.*s", (int)c->upstream.n, c->upstream.p);
    c->hold = cb_host->state_get(key, sizeof(struct cb_state), state_init, state_fini);
    if (!c->hold)
        return -1;
    c->state = cb_host->state_data(c->hold);
    if (c->state->gauges[0])
        return 0;
    static const char *const labels[] = { "upstream", "state" };
    for (int i = 0; i < BREAKER_NAMES; i++) {
        const char *name = breaker_state_name((enum breaker_name)i);
        struct weir_str values[] = { c->upstream, { name, strlen(name) } };
        c->state->gauges[i] = cb_host->metric('g', "weir_breaker_state",
                                              "1 for the state the circuit breaker is in, else 0.", labels, values, 2);
    }
    cb_publish(&c->state->breaker);
    return 0;
}

int
cb_configure(struct weir_policy *p, const struct weir_conf *block, void **config)
{
    struct cb_config *c = cb_host->alloc(p, sizeof(*c));
    int rc = configure_rules(&c->rules, block) | configure_failures(c, block);
    c->upstream = cb_host->policy_scope(p);
    if (rc != 0 || configure_state(c) != 0)
        return -1;
    *config = c;
    return 0;
}

void
cb_release(void *config)
{
    struct cb_config *c = config;
    cb_host->state_put(c->hold);
}
