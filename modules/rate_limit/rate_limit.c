#include "rate_limit.h"
#include "redis_script.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define MICRO INT64_C(1000)

/* A question to the store, while the exchange is suspended. In the exchange's memory; dies silently with it. */
struct limit_call {
    struct weir_exchange *x;
    const struct limit_config *config;
    enum { WAITING, ANSWERED, FAILED } state;
    struct gcra_answer answer;
};

const struct weir_host *limit_host;

static int
limit_load(const struct weir_host *host, const char **error)
{
    if (host->size < sizeof(struct weir_host)) {
        *error = "this weir is older than the module";
        return -1;
    }
    limit_host = host;
    return 0;
}

struct weir_str
limit_address_key(struct weir_str address, char out[64])
{
    unsigned char a[16];
    static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    if (address.n >= 64 || !address.p || !memchr(address.p, ':', address.n))
        return address;
    memcpy(out, address.p, address.n);
    out[address.n] = '\0';
    if (inet_pton(AF_INET6, out, a) != 1)
        return address;
    int n;
    if (memcmp(a, mapped, sizeof(mapped)) == 0)
        n = snprintf(out, 64, "%u.%u.%u.%u", a[12], a[13], a[14], a[15]);
    else
        n = snprintf(out, 64, "%02x%02x:%02x%02x:%02x%02x:%02x%02x::/64", a[0], a[1], a[2], a[3], a[4], a[5], a[6],
                     a[7]);
    return (struct weir_str){ out, (size_t)n };
}

/* Appends a number without a pass through printf. */
static char *
put_number(char *p, uint64_t v)
{
    char digits[20];
    unsigned n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n)
        *p++ = digits[--n];
    return p;
}

static uint64_t
seconds_up(int64_t ns)
{
    return ns > 0 ? ((uint64_t)ns + SECOND - 1) / SECOND : 0;
}

static void
tell_limit(struct weir_exchange *x, const struct limit_config *c, const struct gcra_answer *a)
{
    char text[256], *end = text;
    limit_host->response_header_add(x, "RateLimit-Policy", c->policy_header);
    if (c->header_start.n > sizeof(text) - 48)
        return;
    memcpy(end, c->header_start.p, c->header_start.n);
    end = put_number(end + c->header_start.n, (uint64_t)a->left);
    memcpy(end, ";t=", 3);
    end = put_number(end + 3, seconds_up(a->full_after_ns));
    limit_host->response_header_add(x, "RateLimit", (struct weir_str){ text, (size_t)(end - text) });
}

static void
retry_after(struct weir_exchange *x, int64_t ns)
{
    char text[24];
    char *end = put_number(text, seconds_up(ns) ? seconds_up(ns) : 1);
    limit_host->response_header_set(x, "Retry-After", (struct weir_str){ text, (size_t)(end - text) });
}

static enum weir_verdict
decide(struct weir_exchange *x, const struct limit_config *c, const struct gcra_answer *a)
{
    tell_limit(x, c, a);
    if (a->allowed)
        return WEIR_CONTINUE;
    enum weir_verdict said = limit_host->refuse(x, "rate_limited", "limit \"%.*s\"", (int)c->name.n, c->name.p);
    if (said == WEIR_REFUSED)
        retry_after(x, a->retry_after_ns);
    return said;
}

static void
count_eviction(const struct limit_config *c)
{
    static const char *const labels[] = { "policy" };
    struct weir_metric *m = atomic_load_explicit(&c->state->evictions, memory_order_acquire), *none = NULL;
    if (!m) {
        m = limit_host->metric('c', "weir_rate_limit_evictions_total",
                               "Buckets forgotten before they were full, for lack of entries.", labels, &c->scope, 1);
        if (!atomic_compare_exchange_strong(&c->state->evictions, &none, m))
            limit_host->metric_put(m); /* another worker's is kept: it is the same */
    }
    limit_host->metric_add(m, 1);
}

static enum weir_verdict
decide_here(struct weir_exchange *x, const struct limit_config *c, const struct gcra *rate, struct weir_str key)
{
    bool evicted;
    struct gcra_answer a = table_take(c->state->table, limit_host->hash(key), rate, limit_host->now(), &evicted);
    if (evicted)
        count_eviction(c);
    return decide(x, c, &a);
}

/* The gauge and one line at each change, not at each request. Workers may see a struggling store differently from one
 * moment to the next: it is back when no one has missed it for a second. */
#define BACK_AFTER INT64_C(1000000000)

static void
set_degraded(const struct limit_config *c, bool degraded, const char *error)
{
    if (degraded)
        atomic_store_explicit(&c->state->missed_at, limit_host->now(), memory_order_relaxed);
    else if (limit_host->now() - atomic_load_explicit(&c->state->missed_at, memory_order_relaxed) < BACK_AFTER)
        return;
    if (atomic_load_explicit(&c->state->degraded, memory_order_relaxed) == degraded ||
        atomic_exchange(&c->state->degraded, degraded) == degraded)
        return;
    limit_host->metric_set(c->state->degraded_gauge, degraded);
    if (degraded)
        limit_host->log(1, "rate_limit", "[%.*s] store %.*s: %s: deciding without it", (int)c->name.n, c->name.p,
                        (int)c->store.n, c->store.p, error);
    else
        limit_host->log(2, "rate_limit", "[%.*s] store %.*s is back", (int)c->name.n, c->name.p, (int)c->store.n,
                        c->store.p);
}

static enum weir_verdict
decide_without_store(struct weir_exchange *x, const struct limit_config *c, struct weir_str key)
{
    enum weir_verdict said;
    switch (c->on_error) {
    case ON_ERROR_ALLOW:
        limit_host->response_header_add(x, "RateLimit-Policy", c->policy_header);
        limit_host->note(x, "store_unavailable", "allowed without a count");
        return WEIR_CONTINUE;
    case ON_ERROR_DENY:
        said = limit_host->refuse(x, "store_unavailable", "limit \"%.*s\" needs store %.*s", (int)c->name.n, c->name.p,
                                  (int)c->store.n, c->store.p);
        if (said == WEIR_REFUSED) {
            limit_host->response_header_add(x, "RateLimit-Policy", c->policy_header);
            retry_after(x, SECOND);
        }
        return said;
    default:
        limit_host->note(x, "store_unavailable", "counted in this process");
        return decide_here(x, c, &c->share, key);
    }
}

/* What the script returns, within what can come of it: a store is not believed more than that. */
static bool
is_answer(const struct weir_store_reply *reply)
{
    return reply->n == 4 && (reply->ints[0] == 0 || reply->ints[0] == 1) && reply->ints[1] >= 0 &&
           reply->ints[2] >= 0 && reply->ints[2] <= INT64_MAX / MICRO && reply->ints[3] >= 0 &&
           reply->ints[3] <= INT64_MAX / MICRO;
}

static void
on_reply(const struct weir_store_reply *reply, void *arg)
{
    struct limit_call *call = arg;
    bool good = !reply->error && is_answer(reply);
    set_degraded(call->config, !good, reply->error ? reply->error : "an answer that is none of the script's");
    call->state = good ? ANSWERED : FAILED;
    if (good) {
        call->answer.allowed = reply->ints[0] == 1;
        call->answer.left = reply->ints[1];
        call->answer.retry_after_ns = reply->ints[2] * MICRO;
        call->answer.full_after_ns = reply->ints[3] * MICRO;
    }
    limit_host->resume(call->x);
}

static enum weir_verdict
ask_store(struct weir_exchange *x, const struct limit_config *c, struct weir_str key)
{
    /* Two hashes under different prefixes make 128 bits, so that keys do not meet by chance or by search. */
    char salted[512];
    size_t n = key.n < sizeof(salted) - 1 ? key.n : sizeof(salted) - 1;
    salted[0] = '2';
    memcpy(salted + 1, key.p, n);
    uint64_t h1 = limit_host->hash(key), h2 = limit_host->hash((struct weir_str){ salted, n + 1 });

    char *text = limit_host->exchange_alloc(x, c->redis_prefix.n + 40);
    memcpy(text, c->redis_prefix.p, c->redis_prefix.n);
    int tail =
        snprintf(text + c->redis_prefix.n, 40, "%016llx%016llx}", (unsigned long long)h1, (unsigned long long)h2);
    struct limit_call *call = limit_host->exchange_alloc(x, sizeof(*call));
    call->x = x;
    call->config = c;
    struct weir_str name = { text, c->redis_prefix.n + (size_t)tail };
    if (!limit_host->store_eval(x, c->store, redis_script, name, c->redis_args, 2, on_reply, call)) {
        set_degraded(c, true, "no call could be made");
        return decide_without_store(x, c, key);
    }
    *limit_host->exchange_slot(x) = call;
    return WEIR_SUSPENDED;
}

static enum weir_verdict
limit_request(struct weir_exchange *x, void *config)
{
    const struct limit_config *c = config;
    struct limit_call *call = *limit_host->exchange_slot(x);
    if (call && call->state == ANSWERED)
        return decide(x, c, &call->answer);

    char address[64];
    struct weir_str key = limit_host->template_text(x, c->key);
    if (c->key_is_address)
        key = limit_address_key(key, address);
    if (call)
        return decide_without_store(x, c, key);
    if (limit_host->explaining(x)) {
        /* Nothing is counted: what the first request of a key would see. */
        struct gcra_answer a;
        gcra_take(&c->rate, 0, 0, &a);
        limit_host->note(x, NULL, "not counted");
        return decide(x, c, &a);
    }
    return c->store.n ? ask_store(x, c, key) : decide_here(x, c, &c->rate, key);
}

static const struct weir_reason limit_reasons[] = {
    { "rate_limited", 429, "Too many requests", NULL },
    { 0 },
};

WEIR_MODULE = {
    WEIR_MODULE_ABI,
    .name = "rate_limit",
    .version = "1.0",
    .summary = "at most so many requests for each key: token buckets in Redis or in memory",
    .directives = limit_rows,
    .reasons = limit_reasons,
    .load = limit_load,
    .configure = limit_configure,
    .release = limit_release,
    .request = limit_request,
};
