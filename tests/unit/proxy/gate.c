/* A module whose policy does what the request's X-Gate field says: park (suspend for good), nap (suspend for 20 ms),
 * once (admit the first attempt only), refuse. It marks every answer, and counts its cancelled phases for ${gate.x}. */
#include <weir/module.h>

#include <string.h>

static const struct weir_host *host;

struct nap {
    struct weir_exchange *x;
    struct weir_timer *timer;
    bool over;
    unsigned attempts;
};

static int
load(const struct weir_host *table, const char **error)
{
    (void)error;
    host = table;
    return 0;
}

static int
configure(struct weir_policy *p, const struct weir_conf *block, void **config)
{
    (void)block;
    *config = host->alloc(p, 1);
    return 0;
}

static bool
asked(struct weir_exchange *x, const char *what)
{
    struct weir_str s = host->request_header(x, "X-Gate", 0);
    return s.p && s.n == strlen(what) && memcmp(s.p, what, s.n) == 0;
}

static struct nap *
nap_of(struct weir_exchange *x)
{
    void **slot = host->exchange_slot(x);
    if (!*slot) {
        struct nap *n = host->exchange_alloc(x, sizeof *n);
        n->x = x;
        *slot = n;
    }
    return *slot;
}

static void
wake(void *arg)
{
    struct nap *n = arg;
    n->timer = NULL;
    n->over = true;
    host->resume(n->x);
}

static enum weir_verdict
request(struct weir_exchange *x, void *config)
{
    struct nap *n = nap_of(x);
    (void)config;
    if (asked(x, "refuse"))
        return host->refuse(x, "gate_closed", "closed");
    if (asked(x, "park") || (asked(x, "nap") && !n->over)) {
        n->timer = host->timer_after(asked(x, "nap") ? 20000000 : 100000000, wake, n);
        return WEIR_SUSPENDED;
    }
    return WEIR_CONTINUE;
}

static enum weir_verdict
attempt(struct weir_exchange *x, void *config)
{
    (void)config;
    if (asked(x, "once") && nap_of(x)->attempts++ > 0)
        return host->refuse(x, "gate_closed", "once");
    return WEIR_CONTINUE;
}

static void
response(struct weir_exchange *x, void *config)
{
    (void)config;
    host->response_header_set(x, "X-Gate", (struct weir_str){ "seen", 4 });
}

static void
cancel(struct weir_exchange *x, void *config)
{
    struct nap *n = nap_of(x);
    (void)config;
    if (n->timer)
        host->timer_cancel(n->timer);
    n->timer = NULL;
}

static const struct weir_directive rows[] = {
    { "gate", "main host route policy upstream", .block = "gate", .flags = WEIR_D_POLICY | WEIR_D_BLOCK_OPTIONAL,
      .help = "test" },
    { NULL },
};
static const struct weir_reason reasons[] = { { "gate_closed", 403, "Closed", NULL }, { NULL } };

WEIR_MODULE = {
    WEIR_MODULE_ABI, .name = "gate", .version = "1.0", .summary = "test", .directives = rows, .reasons = reasons,
    .load = load, .configure = configure, .request = request, .attempt = attempt, .response = response,
    .cancel = cancel,
};
