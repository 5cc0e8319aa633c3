#include "rate_limit.h"

#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define LONGEST_FILL (INT64_C(10) * 366 * 86400 * SECOND)

static const struct weir_arg rate_args[] = { { "RATE", WEIR_T_RATE }, { 0 } };
static const struct weir_opt rate_opts[] = { { "burst", WEIR_T_INT, 1, 1000000000 }, { 0 } };
static const struct weir_arg template_args[] = { { "TEMPLATE", WEIR_T_TEMPLATE }, { 0 } };
static const struct weir_arg name_args[] = { { "NAME", WEIR_T_NAME }, { 0 } };
static const struct weir_arg error_args[] = { { "WHAT", WEIR_T_WORD, 0, 0, "allow|deny|local" }, { 0 } };
static const struct weir_arg replicas_args[] = { { "N", WEIR_T_INT, 1, 100000 }, { 0 } };
static const struct weir_arg entries_args[] = { { "N", WEIR_T_INT, 1, 100000000 }, { 0 } };

const struct weir_directive limit_rows[] = {
    { "rate_limit", "main host route policy", .block = "rate_limit", .flags = WEIR_D_POLICY,
      .help = "at most so many requests for each key (token bucket)" },
    { "rate", "rate_limit", rate_args, rate_opts, .flags = WEIR_D_REQUIRED,
      .help = "tokens per time, and how many an idle bucket holds (burst; default: the rate's count)" },
    { "key", "rate_limit", template_args, .def = "${client.ip}",
      .help = "who shares a bucket; the client's address counts by /64 where it is IPv6" },
    { "store", "rate_limit", name_args,
      .help = "the Redis store that holds the buckets; without it: the memory of this process" },
    { "on_store_error", "rate_limit", error_args, .def = "local",
      .help = "while the store is away: allow, deny (503), or count in this process's memory" },
    { "replicas", "rate_limit", replicas_args, .def = "1",
      .help = "gateways that share the store: each counts its part while it is away" },
    { "name", "rate_limit", name_args, .help = "identity of the buckets; default: the scope the limit is written in" },
    { "entries", "rate_limit", entries_args, .def = "100000", .help = "buckets kept in the memory of this process" },
    { 0 },
};

static struct weir_str text_of(struct weir_policy *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static struct weir_str
text_of(struct weir_policy *p, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    char *text = limit_host->alloc(p, (size_t)n + 1);
    va_start(ap, format);
    vsnprintf(text, (size_t)n + 1, format, ap);
    va_end(ap);
    return (struct weir_str){ text, (size_t)n };
}

static int
configure_rate(struct limit_config *c, struct weir_policy *p, const struct weir_conf *block)
{
    const struct weir_host *h = limit_host;
    const struct weir_conf *line = h->conf_find(block, "rate");
    uint64_t count = 0;
    int64_t per_ns = 0;
    if (!line)
        return -1; /* the row says that it is required: reported */
    h->conf_rate(line, 0, &count, &per_ns);
    if (count == 0 || per_ns <= 0 || count > (uint64_t)per_ns) {
        h->conf_error(line, 0, "a rate must be from 1/h to 1000000000/s");
        return -1;
    }
    uint64_t burst = (uint64_t)h->conf_opt_int(line, "burst", (int64_t)count);
    int64_t replicas = h->conf_get_int(block, "replicas");
    c->rate.emission_ns = per_ns / (int64_t)count;
    if (burst > (uint64_t)(LONGEST_FILL / c->rate.emission_ns)) {
        h->conf_error(line, -1, "this burst takes more than ten years to fill at this rate");
        return -1;
    }
    c->rate.capacity_ns = c->rate.emission_ns * (int64_t)burst;
    /* A part of the rate, and of the burst, but never less than one token. */
    c->share.emission_ns = c->rate.emission_ns * replicas;
    c->share.capacity_ns =
        (int64_t)burst / replicas > 0 ? (int64_t)burst / replicas * c->share.emission_ns : c->share.emission_ns;

    uint64_t seconds = per_ns >= SECOND ? (uint64_t)(per_ns / SECOND) : 1;
    c->policy_header = text_of(p, "\"%.*s\";q=%llu;w=%llu", (int)c->name.n, c->name.p, (unsigned long long)count,
                               (unsigned long long)seconds);
    return 0;
}

/* The name as it may stand in a quoted string of a header (RFC 8941 3.3.3): printable ASCII, quotes escaped. */
static struct weir_str
header_name(struct weir_policy *p, struct weir_str name)
{
    char *text = limit_host->alloc(p, name.n * 2 + 1);
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++) {
        char ch = name.p[i];
        if (ch == '"' || ch == '\\')
            text[n++] = '\\';
        text[n++] = ch >= 0x20 && ch < 0x7f ? ch : '_';
    }
    return (struct weir_str){ text, n };
}

static int
configure_key(struct limit_config *c, struct weir_policy *p, const struct weir_conf *block)
{
    const struct weir_host *h = limit_host;
    const struct weir_conf *line = h->conf_find(block, "key");
    static const char address[] = "${client.ip}";
    struct weir_str text = line ? h->conf_arg(line, 0) : (struct weir_str){ address, sizeof(address) - 1 };
    c->key_is_address = text.n == sizeof(address) - 1 && memcmp(text.p, address, text.n) == 0;
    c->key = line ? h->conf_template(p, line, 0) : h->template_compile(p, address, block);
    return c->key ? 0 : -1;
}

static struct weir_str
microseconds(struct weir_policy *p, int64_t ns)
{
    return text_of(p, "%lld.%03lld", (long long)(ns / 1000), (long long)(ns % 1000));
}

static int
configure_store(struct limit_config *c, struct weir_policy *p, const struct weir_conf *block, struct weir_str name)
{
    const struct weir_host *h = limit_host;
    struct weir_str on_error = h->conf_get_str(block, "on_store_error");
    c->on_error = on_error.n && on_error.p[0] == 'a'   ? ON_ERROR_ALLOW
                  : on_error.n && on_error.p[0] == 'd' ? ON_ERROR_DENY
                                                       : ON_ERROR_LOCAL;
    const struct weir_conf *line = h->conf_find(block, "store");
    if (!line)
        return 0;
    c->store = h->conf_arg(line, 0);
    c->redis_prefix = text_of(p, "weir:{%.*s:", (int)name.n, name.p);
    c->redis_args[0] = microseconds(p, c->rate.emission_ns);
    c->redis_args[1] = microseconds(p, c->rate.capacity_ns);
    if (h->store_exists(p, c->store))
        return 0;
    h->conf_error(line, 0, "there is no store \"%.*s\"", (int)c->store.n, c->store.p);
    return -1;
}

static void
state_init(void *memory)
{
    struct limit_state *s = memory;
    atomic_init(&s->degraded, false);
}

static void
state_fini(void *memory)
{
    struct limit_state *s = memory;
    table_free(s->table);
    limit_host->metric_put(s->degraded_gauge);
    limit_host->metric_put(atomic_load(&s->evictions));
}

static int
configure_state(struct limit_config *c, struct weir_policy *p, const struct weir_conf *block, struct weir_str name)
{
    const struct weir_host *h = limit_host;
    uint64_t entries = (uint64_t)h->conf_get_int(block, "entries");
    static const char *const labels[] = { "policy", "store" };
    struct weir_str values[] = { name, c->store };
    struct weir_str key = text_of(p, "rate_limit:%.*s:%llu", (int)name.n, name.p, (unsigned long long)entries);
    c->hold = h->state_get(key.p, sizeof(struct limit_state), state_init, state_fini);
    c->state = h->state_data(c->hold);
    if (!c->state->table)
        c->state->table = table_new(entries);
    if (c->store.n && !c->state->degraded_gauge)
        c->state->degraded_gauge =
            h->metric('g', "weir_store_degraded", "1 while a limit is decided without its store.", labels, values, 2);
    if (c->state->table)
        return 0;
    h->conf_error(block, -1, "no memory for %llu entries", (unsigned long long)entries);
    limit_release(c);
    return -1;
}

int
limit_configure(struct weir_policy *p, const struct weir_conf *block, void **config)
{
    struct limit_config *c = limit_host->alloc(p, sizeof(*c));
    struct weir_str name = limit_host->conf_get_str(block, "name");
    if (name.n == 0)
        name = limit_host->policy_scope(p);
    c->scope = name;
    c->name = header_name(p, name);
    c->header_start = text_of(p, "\"%.*s\";r=", (int)c->name.n, c->name.p);
    int rc = configure_rate(c, p, block);
    rc |= configure_key(c, p, block);
    rc |= configure_store(c, p, block, name);
    if (rc != 0 || configure_state(c, p, block, name) != 0)
        return -1;
    *config = c;
    return 0;
}

void
limit_release(void *config)
{
    struct limit_config *c = config;
    limit_host->state_put(c->hold);
}
