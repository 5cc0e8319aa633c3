#include "finder.h"
#include "../base/parse.h"
#include "../base/random.h"
#include "../base/xalloc.h"
#include "question.h"

#include <stdio.h>
#include <stdlib.h>

#define ASK_TIMEOUT NSEC_PER_SEC
#define ROUND_APART (200 * NSEC_PER_MSEC) /* at least, however often it is wanted */
#define ROUND_EVERY (10 * NSEC_PER_SEC)   /* also when nobody complains: a master that was replaced may still answer */
#define ROUND_DOWN NSEC_PER_SEC           /* while no worker has a connection: sentinels need time to choose another */
#define RETRY_FIRST (500 * NSEC_PER_MSEC)
#define RETRY_LONGEST (10 * NSEC_PER_SEC)

/* A round asks one host after the other until one gives an answer of use. */
struct finder {
    struct store_state *state; /* outlives it */
    struct resolver *resolver;
    struct resolver_watch *watch; /* of a single server's name; the rest is for sentinels and clusters */
    struct timer timer;           /* set: no round runs */
    nsec_t began, retry;
    unsigned host, tried; /* of the round */
    struct addr asked;
    struct resolver_lookup *lookup; /* at most one of these two */
    struct asking *asking;
};

static void ask_host(struct finder *f);

static struct loop *
service_loop(void)
{
    return worker_get(WORKER_SERVICE)->loop;
}

/* ------------------------------------------------------------------ a single server's name */

static void
on_name(const struct addr *addrs, unsigned n, const char *error, void *arg)
{
    struct finder *f = arg;
    char why[320];

    if (n) {
        state_publish(f->state, map_new_single(addrs, n));
        return;
    }
    snprintf(why, sizeof(why), "its host cannot be resolved: %s", error);
    state_nowhere(f->state, why);
}

/* ------------------------------------------------------------------ rounds */

static void
found(struct finder *f, struct store_map *m)
{
    nsec_t latency;

    f->retry = 0;
    state_publish(f->state, m);
    timer_after(&f->timer, state_status(f->state, &latency) == LANE_UP ? ROUND_EVERY : ROUND_DOWN);
}

static void
failed(struct finder *f, const char *error)
{
    const struct store_host *h = &f->state->url.hosts[f->host];
    char why[512];

    f->host = (f->host + 1) % f->state->url.n_hosts;
    if (++f->tried < f->state->url.n_hosts) {
        ask_host(f);
        return;
    }
    snprintf(why, sizeof(why), "no %s could say where it is; %.*s:%u: %s",
             f->state->url.kind == STORE_SENTINEL ? "sentinel" : "cluster node", SLICE_FMT(h->name), h->port, error);
    state_nowhere(f->state, why);
    f->retry = f->retry ? 2 * f->retry : RETRY_FIRST;
    if (f->retry > RETRY_LONGEST)
        f->retry = RETRY_LONGEST;
    timer_after(&f->timer, f->retry / 2 + (nsec_t)random_below((uint64_t)f->retry / 2));
}

static void
on_round(struct timer *t)
{
    struct finder *f = (struct finder *)((char *)t - offsetof(struct finder, timer));

    f->began = clock_now();
    f->tried = 0;
    ask_host(f);
}

/* ------------------------------------------------------------------ sentinels */

static void
on_master_name(const struct addr *addrs, unsigned n, const char *error, void *arg)
{
    struct finder *f = arg;

    f->lookup = NULL;
    if (n)
        found(f, map_new_single(addrs, 1));
    else
        failed(f, error);
}

/* [HOST, PORT] */
static void
on_sentinel(const struct answer *a, const char *error, void *arg)
{
    struct finder *f = arg;
    struct addr master;
    uint64_t port;

    f->asking = NULL;
    if (!a || a->type == ANSWER_NIL) {
        failed(f, a ? "it knows no master of that name" : error);
        return;
    }
    if (a->type != ANSWER_ARRAY || a->n != 2 || a->at[0]->type != ANSWER_TEXT || a->at[1]->type != ANSWER_TEXT ||
        parse_u64(a->at[1]->text, 65535, &port) < 0 || port == 0) {
        failed(f, "its answer is not understood");
        return;
    }
    if (addr_parse_ip(a->at[0]->text, &master) == 0) {
        addr_set_port(&master, (uint16_t)port);
        found(f, map_new_single(&master, 1));
        return;
    }
    f->lookup = resolver_lookup(f->resolver, a->at[0]->text, (uint16_t)port, ASK_TIMEOUT, on_master_name, f);
}

/* ------------------------------------------------------------------ clusters */

/* [HOST, PORT, ID, [NAME, VALUE, ...]]: HOST may be empty or nil (the one that was asked), or a name with the address
 * behind it. */
static int
node_addr(const struct answer *node, const struct addr *asked, struct addr *out)
{
    const struct answer *host, *more;
    unsigned i;

    if (node->type != ANSWER_ARRAY || node->n < 2 || node->at[1]->type != ANSWER_INTEGER || node->at[1]->value < 1 ||
        node->at[1]->value > 65535)
        return -1;
    host = node->at[0];
    if (host->type == ANSWER_NIL || host->text.n == 0) {
        *out = *asked;
    } else if (addr_parse_ip(host->text, out) < 0) {
        more = node->n > 3 && node->at[3]->type == ANSWER_ARRAY ? node->at[3] : NULL;
        for (i = 0; more && i + 1 < more->n && !slice_eq(more->at[i]->text, SLICE("ip")); i += 2)
            ;
        if (!more || i + 1 >= more->n || addr_parse_ip(more->at[i + 1]->text, out) < 0)
            return -1;
    }
    addr_set_port(out, (uint16_t)node->at[1]->value);
    return 0;
}

/* [FIRST, LAST, MASTER, REPLICA...] into m. */
static int
add_range(struct store_map *m, const struct answer *range, const struct addr *asked)
{
    struct addr a;
    int node;

    if (range->type != ANSWER_ARRAY || range->n < 3 || range->at[0]->type != ANSWER_INTEGER ||
        range->at[1]->type != ANSWER_INTEGER)
        return -1;
    if (range->at[0]->value < 0 || range->at[1]->value < range->at[0]->value || range->at[1]->value >= MAP_SLOTS)
        return -1;
    if (node_addr(range->at[2], asked, &a) < 0)
        return -1;
    node = map_node(m, &a);
    if (node < 0)
        return -1;
    memset(m->slots + range->at[0]->value, node, (size_t)(range->at[1]->value - range->at[0]->value + 1));
    return 0;
}

static void
on_cluster(const struct answer *a, const char *error, void *arg)
{
    struct finder *f = arg;
    struct store_map *m;
    unsigned i;

    f->asking = NULL;
    if (!a || a->type != ANSWER_ARRAY || a->n == 0) {
        failed(f, !a ? error : a->n ? "its answer is not understood" : "it serves no slots");
        return;
    }
    m = map_new_cluster();
    for (i = 0; i < a->n; i++) {
        if (add_range(m, a->at[i], &f->asked) == 0)
            continue;
        map_put(m);
        failed(f, "its slots are not understood, or are those of more than 64 masters");
        return;
    }
    found(f, m);
}

/* ------------------------------------------------------------------ asking a host */

static void
ask_addr(struct finder *f, const struct addr *to)
{
    const struct store_url *u = &f->state->url;
    const char *sentinel[] = { "SENTINEL", "GET-MASTER-ADDR-BY-NAME", u->master.p, NULL },
               *cluster[] = { "CLUSTER", "SLOTS", NULL };
    const struct question q = {
        .to = to,
        .tls = f->state->tls,
        .server_name = f->state->server_name,
        .user = u->user,
        .password = u->password,
        .words = u->kind == STORE_SENTINEL ? sentinel : cluster,
        .timeout = ASK_TIMEOUT,
    };

    f->asked = *to;
    f->asking = question_ask(service_loop(), &q, u->kind == STORE_SENTINEL ? on_sentinel : on_cluster, f);
}

static void
on_host(const struct addr *addrs, unsigned n, const char *error, void *arg)
{
    struct finder *f = arg;

    f->lookup = NULL;
    if (n)
        ask_addr(f, &addrs[0]);
    else
        failed(f, error);
}

static void
ask_host(struct finder *f)
{
    const struct store_host *h = &f->state->url.hosts[f->host];

    if (h->literal) {
        ask_addr(f, &h->addr);
        return;
    }
    f->lookup = resolver_lookup(f->resolver, h->name, h->port, ASK_TIMEOUT, on_host, f);
}

/* ------------------------------------------------------------------ life */

struct finder *
finder_new(struct store_state *st, struct resolver *r)
{
    struct finder *f = xcalloc(1, sizeof(*f));
    const struct store_host *h = &st->url.hosts[0];

    f->state = st;
    f->resolver = r;
    timer_init(&f->timer, service_loop(), on_round);
    if (st->url.kind == STORE_SINGLE)
        f->watch = resolver_watch_new(r, h->name, h->port, on_name, f);
    else
        timer_after(&f->timer, 0);
    return f;
}

void
finder_free(struct finder *f)
{
    if (f->watch)
        resolver_watch_free(f->watch);
    if (f->lookup)
        resolver_lookup_cancel(f->lookup);
    if (f->asking)
        question_cancel(f->asking);
    timer_fini(&f->timer);
    free(f);
}

void
finder_refresh(struct finder *f)
{
    nsec_t soonest = f->began + ROUND_APART;

    if (f->watch || !timer_is_set(&f->timer) || f->timer.deadline <= soonest || f->retry)
        return;
    timer_set(&f->timer, soonest);
}
