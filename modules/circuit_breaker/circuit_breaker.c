#include "circuit_breaker.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

const struct weir_host *cb_host;

void
cb_publish(struct breaker *b)
{
    struct cb_state *s = (struct cb_state *)((char *)b - offsetof(struct cb_state, breaker));
    enum breaker_name current = breaker_state(b);
    for (int i = 0; i < BREAKER_NAMES && s->gauges[i]; i++)
        cb_host->metric_set(s->gauges[i], i == (int)current);
}

bool
cb_is_failure(const struct cb_failures *f, enum weir_result result, int status)
{
    /* Never the client's doing: 4xx, or its leaving. */
    if (result == WEIR_RESULT_CANCELLED)
        return false;
    if (result == WEIR_RESULT_OK || result == WEIR_RESULT_ERROR_STATUS)
        return status >= 500 && status < 600 && (f->statuses[(status - 500) / 64] >> ((status - 500) % 64) & 1);
    return f->results >> result & 1;
}

static void
log_change(const struct cb_config *c)
{
    struct breaker_view v = breaker_read(&c->state->breaker, &c->rules, cb_host->now());
    cb_host->log(v.name == BREAKER_CLOSED ? 2 : 1, "circuit_breaker",
                 "[upstream %.*s] %s: %.0f%% failed, %.0f%% slow of %u calls", (int)c->upstream.n, c->upstream.p,
                 breaker_state_name(v.name), v.failure_rate, v.slow_rate, v.total.calls);
}

static int
cb_load(const struct weir_host *host, const char **error)
{
    if (host->size < sizeof(struct weir_host)) {
        *error = "this weir is older than the module";
        return -1;
    }
    cb_host = host;
    return 0;
}

static enum weir_verdict
cb_refuse(struct weir_exchange *x, const struct cb_config *c, const struct breaker_verdict *v)
{
    if (v->name == BREAKER_FORCED_OPEN)
        return cb_host->refuse(x, "breaker_open", "forced open");

    long long seconds = (long long)((v->retry_after_ns + 999999999) / 1000000000);
    enum weir_verdict said;
    if (v->name == BREAKER_HALF_OPEN)
        said = cb_host->refuse(x, "breaker_open", "half-open, all %u probes under way", (unsigned)c->rules.probes);
    else
        said = cb_host->refuse(x, "breaker_open", "open for another %lld s", seconds);
    char text[24];
    int n = snprintf(text, sizeof(text), "%lld", seconds);
    if (said == WEIR_REFUSED)
        cb_host->response_header_set(x, "Retry-After", (struct weir_str){ text, (size_t)n });
    return said;
}

static enum weir_verdict
cb_attempt(struct weir_exchange *x, void *config)
{
    const struct cb_config *c = config;
    void **slot = cb_host->exchange_slot(x);
    *slot = NULL;
    if (cb_host->explaining(x)) {
        cb_host->note(x, NULL, "%s", breaker_state_name(breaker_state(&c->state->breaker)));
        return WEIR_CONTINUE;
    }
    struct breaker_verdict v = breaker_admit(&c->state->breaker, &c->rules, cb_host->now());
    *slot = (void *)(uintptr_t)v.ticket;
    if (v.changed)
        log_change(c);
    return v.admitted ? WEIR_CONTINUE : cb_refuse(x, c, &v);
}

static void
cb_outcome(struct weir_exchange *x, void *config, const struct weir_outcome *o)
{
    const struct cb_config *c = config;
    void **slot = cb_host->exchange_slot(x);
    uint64_t ticket = (uintptr_t)*slot;
    *slot = NULL;
    enum breaker_result result = BREAKER_OK;
    if (o->result == WEIR_RESULT_CANCELLED)
        result = o->delivered ? BREAKER_ABANDONED : BREAKER_UNSENT;
    else if (cb_is_failure(&c->failures, o->result, o->status))
        result = BREAKER_FAILED;
    if (breaker_record(&c->state->breaker, &c->rules, cb_host->now(), ticket, result, o->duration_ns))
        log_change(c);
}

static int
text_sink(const char *p, size_t n, void *arg)
{
    struct weir_text *json = arg;
    json->add(json, p, n);
    return 0;
}

static void
cb_view(void *config, struct weir_text *json)
{
    const struct cb_config *c = config;
    struct breaker_view v = breaker_read(&c->state->breaker, &c->rules, cb_host->now());
    json_t *o = json_pack("{s:s, s:f, s:f, s:I, s:I}", "state", breaker_state_name(v.name), "failure_rate",
                          v.failure_rate, "slow_rate", v.slow_rate, "calls", (json_int_t)v.total.calls,
                          "retry_after_ms", (json_int_t)((v.retry_after_ns + 999999) / 1000000));
    json_dump_callback(o, text_sink, json, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(o);
}

static int
cb_control(void *config, struct weir_str body, const char **error)
{
    static const struct {
        const char *word;
        enum breaker_order order;
    } orders[] = { { "auto", BREAKER_AUTO }, { "open", BREAKER_FORCE_OPEN }, { "closed", BREAKER_FORCE_CLOSED } };
    const struct cb_config *c = config;
    int rc = 400;
    *error = "expected {\"state\":\"auto\"}, \"open\" or \"closed\"";
    json_t *o = json_loadb(body.p ? body.p : "", body.n, JSON_REJECT_DUPLICATES, NULL);
    const char *word = json_string_value(json_object_get(o, "state"));
    for (size_t i = 0; word && json_object_size(o) == 1 && i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (strcmp(word, orders[i].word) != 0)
            continue;
        breaker_force(&c->state->breaker, orders[i].order);
        cb_host->log(1, "circuit_breaker", "[upstream %.*s] ordered to %s", (int)c->upstream.n, c->upstream.p, word);
        rc = 0;
    }
    json_decref(o);
    return rc;
}

static const struct weir_reason cb_reasons[] = {
    { "breaker_open", 503, "The service is failing and is given time to recover", "destination_unavailable" },
    { 0 },
};

WEIR_MODULE = {
    WEIR_MODULE_ABI,
    .name = "circuit_breaker",
    .version = "1.0",
    .summary = "stops sending to an upstream that fails, and probes it until it is well",
    .directives = cb_rows,
    .reasons = cb_reasons,
    .load = cb_load,
    .configure = cb_configure,
    .release = cb_release,
    .attempt = cb_attempt,
    .outcome = cb_outcome,
    .view_name = "breaker",
    .view = cb_view,
    .control = cb_control,
};
