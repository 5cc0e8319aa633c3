/* canary_admin: weights ordered by the operator, kept over reloads until the file's own change. All on the service
 * loop. */
#include "canary.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

bool
canary_weights(const struct canary_config *c, double out[SPLIT_MAX])
{
    bool ordered = atomic_load_explicit(&c->state->file, memory_order_acquire) == c->file;
    for (unsigned i = 0; i < c->n; i++)
        out[i] = ordered ? atomic_load_explicit(&c->state->weights[i], memory_order_relaxed) : c->variants[i].weight;
    return ordered;
}

void
canary_start(void *config)
{
    /* A file that now says something else than when the order was given takes over, for good. */
    struct canary_config *c = config;
    uint64_t file = atomic_load_explicit(&c->state->file, memory_order_relaxed);
    if (file == 0 || file == c->file)
        return;
    atomic_store_explicit(&c->state->file, 0, memory_order_release);
    canary_host->log(2, "canary", "[%.*s] the file's weights have changed: the ordered ones are dropped",
                     (int)c->scope.n, c->scope.p);
}

/* 90 as 90, not 90.0. */
static json_t *
number(double v)
{
    return v == floor(v) ? json_integer((json_int_t)v) : json_real(v);
}

static int
text_sink(const char *p, size_t n, void *arg)
{
    struct weir_text *json = arg;
    json->add(json, p, n);
    return 0;
}

void
canary_view(void *config, struct weir_text *json)
{
    const struct canary_config *c = config;
    double weights[SPLIT_MAX];
    bool ordered = canary_weights(c, weights);
    json_t *o = json_object(), *w = json_object(), *file = json_object();
    for (unsigned i = 0; i < c->n; i++) {
        json_object_set_new(w, c->variants[i].name, number(weights[i]));
        json_object_set_new(file, c->variants[i].name, number(c->variants[i].weight));
    }
    json_object_set_new(o, "weights", w);
    json_object_set_new(o, "file", file);
    json_object_set_new(o, "overridden", json_boolean(ordered));
    json_dump_callback(o, text_sink, json, JSON_COMPACT | JSON_REAL_PRECISION(10));
    json_decref(o);
}

static int
variant_index(const struct canary_config *c, const char *name)
{
    for (unsigned i = 0; i < c->n; i++) {
        if (strcmp(name, c->variants[i].name) == 0)
            return (int)i;
    }
    return -1;
}

/* What the order {"weights":{"NAME":PERCENT}} makes of the present weights; NULL, or what is wrong with it. */
static const char *
order_of(const struct canary_config *c, json_t *body, double out[SPLIT_MAX])
{
    bool named[SPLIT_MAX] = { false };
    double wanted[SPLIT_MAX] = { 0 }, old[SPLIT_MAX];
    json_t *weights = json_object_get(body, "weights"), *value;
    const char *name;
    if (json_object_size(body) != 1 || json_object_size(weights) == 0)
        return "expected {\"weights\":{\"NAME\":PERCENT}}";
    json_object_foreach (weights, name, value) {
        int i = variant_index(c, name);
        if (i < 0)
            return "the weights name a variant that this canary does not have";
        if (!json_is_number(value))
            return "a weight must be a number";
        named[i] = true;
        wanted[i] = json_number_value(value);
    }
    canary_weights(c, old);
    return split_rebalance(old, named, wanted, c->n, out);
}

int
canary_control(void *config, struct weir_str body, const char **error)
{
    struct canary_config *c = config;
    double weights[SPLIT_MAX];
    json_t *order = json_loadb(body.p ? body.p : "", body.n, JSON_REJECT_DUPLICATES, NULL);
    *error = order ? order_of(c, order, weights) : "the body is not JSON";
    json_decref(order);
    if (*error)
        return 400;
    atomic_store_explicit(&c->state->file, 0, memory_order_release);
    for (unsigned i = 0; i < c->n; i++)
        atomic_store_explicit(&c->state->weights[i], weights[i], memory_order_relaxed);
    atomic_store_explicit(&c->state->file, c->file, memory_order_release);
    canary_host->log(2, "canary", "[%.*s] new weights by order", (int)c->scope.n, c->scope.p);
    return 0;
}
