#include "lane.h"
#include "../base/parse.h"
#include "../base/xalloc.h"

#include <stdlib.h>

#define FREE_CALLS_MAX 1024
#define RESENDS_MAX 2
#define REDIRECTS_MAX 5

static void on_deadline(struct timer *t);
static void on_finish(struct task *t);

/* ------------------------------------------------------------------ life */

struct lane *
lane_new(struct store_state *st, unsigned id)
{
    struct lane *l = xcalloc(1, sizeof(*l));

    l->state = st;
    l->id = id;
    l->loop = worker_get(id)->loop;
    TAILQ_INIT(&l->waiting);
    TAILQ_INIT(&l->over);
    strbuf_init(&l->command, SIZE_MAX);
    timer_init(&l->deadline, l->loop, on_deadline);
    l->finish.run = on_finish;
    lane_on_change(l);
    return l;
}

static void
call_free(struct lane *l, struct store_call *c)
{
    script_put(c->script);
    if (c->text != c->inside)
        free(c->text);
    l->n_calls--;
    recycle_put(&l->free_calls, c, sizeof(*c), FREE_CALLS_MAX);
}

static void
forget(struct lane *l, struct call_list *list)
{
    struct store_call *c;

    while ((c = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, c, entry);
        call_free(l, c);
    }
}

void
lane_free(struct lane *l)
{
    struct store_state *st = l->state;

    while (l->n_nodes)
        node_free(l->nodes[--l->n_nodes]);
    forget(l, &l->waiting);
    forget(l, &l->over);
    task_cancel(l->loop, &l->finish);
    timer_fini(&l->deadline);
    script_table_fini(&l->scripts);
    recycle_empty(&l->free_calls, sizeof(struct store_call));
    strbuf_fini(&l->command);
    map_put(l->map);
    atomic_store_explicit(&st->views[l->id].status, LANE_NONE, memory_order_relaxed);
    free(l);
    store_state_put(st);
}

void
lane_on_change(struct lane *l)
{
    enum lane_status all = l->n_nodes ? LANE_DOWN : LANE_CONNECTING;
    unsigned i;

    for (i = 0; i < l->n_nodes; i++) {
        enum lane_status one = node_status(l->nodes[i]);

        if (one == LANE_UP || (one == LANE_CONNECTING && all != LANE_UP))
            all = one;
    }
    atomic_store_explicit(&l->state->views[l->id].status, (unsigned char)all, memory_order_relaxed);
}

/* ------------------------------------------------------------------ nodes */

static struct node *
node_at(struct lane *l, const struct addr *a)
{
    unsigned i;

    for (i = 0; i < l->n_nodes; i++) {
        if (addr_equal(&l->nodes[i]->addrs[0], a))
            return l->nodes[i];
    }
    if (l->n_nodes == MAP_NODES_MAX)
        return NULL;
    l->nodes[l->n_nodes++] = node_new(l);
    node_set_addrs(l->nodes[i], a, 1);
    return l->nodes[i];
}

/* Those of a cluster that left it; their calls end. */
static void
drop_nodes(struct lane *l, const struct store_map *m)
{
    unsigned i = 0, k;

    while (i < l->n_nodes) {
        for (k = 0; k < m->n && !addr_equal(&m->addrs[k], &l->nodes[i]->addrs[0]); k++)
            ;
        if (k < m->n) {
            i++;
            continue;
        }
        node_free(l->nodes[i]);
        l->nodes[i] = l->nodes[--l->n_nodes];
    }
}

void
lane_set_map(struct lane *l, struct store_map *m)
{
    unsigned i;

    map_put(l->map);
    l->map = m;
    if (m->cluster) {
        drop_nodes(l, m);
        for (i = 0; i < m->n; i++)
            node_at(l, &m->addrs[i]);
    } else {
        if (!l->n_nodes)
            l->nodes[l->n_nodes++] = node_new(l);
        node_set_addrs(l->nodes[0], m->addrs, m->n);
    }
    lane_on_change(l);
}

static struct node *
node_for(struct lane *l, const struct store_call *c)
{
    unsigned i;

    if (!l->map)
        return NULL;
    if (!l->map->cluster)
        return l->nodes[0];
    i = l->map->slots[c->slot];
    return i == MAP_NOBODY ? NULL : node_at(l, &l->map->addrs[i]);
}

/* ------------------------------------------------------------------ the end of a call */

void
lane_end(struct store_call *c, const char *error, enum store_error kind)
{
    struct lane *l = c->lane;

    c->node = NULL;
    c->error = error;
    TAILQ_REMOVE(&l->waiting, c, entry);
    TAILQ_INSERT_TAIL(&l->over, c, entry);
    l->n_over++;
    stats_add(l->state->errors[kind], 1);
    loop_at_turn_end(l->loop, &l->finish);
}

/* Those that end while this runs have their turn in the next round: a callback may ask again and again. */
static void
on_finish(struct task *t)
{
    struct lane *l = (struct lane *)((char *)t - offsetof(struct lane, finish));
    struct weir_store_reply reply = { 0 };
    struct store_call *c;
    unsigned n;

    for (n = l->n_over; n && (c = TAILQ_FIRST(&l->over)); n--) {
        weir_store_done done = c->done;
        void *arg = c->arg;

        reply.error = c->error;
        TAILQ_REMOVE(&l->over, c, entry);
        l->n_over--;
        call_free(l, c);
        done(&reply, arg);
    }
}

static void
on_deadline(struct timer *t)
{
    struct lane *l = (struct lane *)((char *)t - offsetof(struct lane, deadline));
    nsec_t now = clock_now();
    struct store_call *c;
    unsigned i, late;

    while ((c = TAILQ_FIRST(&l->waiting)) && c->deadline <= now) {
        c->node->late++;
        node_drop(c->node, c);
        lane_end(c, "timeout", STORE_TIMEOUT);
    }
    /* All late ones first: what follows may end the calls that are left of a node in another way. */
    for (i = 0; i < l->n_nodes; i++) {
        late = l->nodes[i]->late;
        l->nodes[i]->late = 0;
        if (late)
            node_late(l->nodes[i], late);
    }
    c = TAILQ_FIRST(&l->waiting);
    if (c)
        timer_set(t, c->deadline);
}

void
lane_cancel(struct store_call *c)
{
    struct lane *l = c->lane;

    if (c->node) {
        node_drop(c->node, c);
        TAILQ_REMOVE(&l->waiting, c, entry);
    } else {
        TAILQ_REMOVE(&l->over, c, entry);
        l->n_over--;
    }
    call_free(l, c);
}

/* ------------------------------------------------------------------ sending */

static void
add_word(struct strbuf *to, const char *p, size_t n)
{
    strbuf_addc(to, '$');
    strbuf_addu(to, n);
    strbuf_add(to, "\r\n", 2);
    strbuf_add(to, p, n);
    strbuf_add(to, "\r\n", 2);
}

/* In the form that hiredis gives a command, too, but in memory that is used again: this one is for every request. */
static struct slice
command_of(struct strbuf *to, const struct store_call *c)
{
    const char *p = c->text;

    strbuf_clear(to);
    strbuf_addc(to, '*');
    strbuf_addu(to, c->n + 3u);
    strbuf_add(to, "\r\n", 2);
    if (c->whole) {
        add_word(to, "EVAL", 4);
        add_word(to, c->script->text, c->script->n);
    } else {
        add_word(to, "EVALSHA", 7);
        add_word(to, c->script->sha, 40);
    }
    add_word(to, "1", 1);
    for (unsigned i = 0; i < c->n; i++) {
        add_word(to, p, c->lengths[i]);
        p += c->lengths[i];
    }
    return strbuf_slice(to);
}

static int
send_to(struct store_call *c, struct node *n, bool asking)
{
    int sent = node_send(n, c, command_of(&c->lane->command, c), asking);

    if (sent == 0 && c->whole)
        c->script->loading = n;
    return sent;
}

static void
send_or_end(struct store_call *c, struct node *n, bool asking)
{
    if (!n || send_to(c, n, asking) < 0)
        lane_end(c, "unavailable", STORE_UNAVAILABLE);
}

static void
fill(struct store_call *c, const struct lane_ask *ask, size_t total)
{
    char *p;
    unsigned i;

    c->n = (unsigned char)(ask->n + 1);
    p = c->text = total <= sizeof(c->inside) ? c->inside : xmalloc(total);
    c->lengths[0] = (uint32_t)ask->key.n;
    if (ask->key.n)
        memcpy(p, ask->key.p, ask->key.n);
    p += ask->key.n;
    for (i = 0; i < ask->n; i++) {
        c->lengths[i + 1] = (uint32_t)ask->args[i].n;
        if (ask->args[i].n)
            memcpy(p, ask->args[i].p, ask->args[i].n);
        p += ask->args[i].n;
    }
}

/* At the end of the list, so not before the last one's: only a reload that shortened the timeout can tell the
 * difference. */
static void
wait_from_now(struct lane *l, struct store_call *c, nsec_t timeout)
{
    const struct store_call *last = TAILQ_LAST(&l->waiting, call_list);

    c->started = clock_now();
    c->deadline = c->started + timeout;
    if (last && last->deadline > c->deadline)
        c->deadline = last->deadline;
    TAILQ_INSERT_TAIL(&l->waiting, c, entry);
    /* It may stand at the deadline of a call that is over: a later one where the timeout has become shorter. */
    if (!timer_is_set(&l->deadline) || l->deadline.deadline > c->deadline)
        timer_set(&l->deadline, c->deadline);
}

struct store_call *
lane_eval(struct lane *l, const struct lane_ask *ask)
{
    size_t total = ask->key.n;
    struct store_call *c;
    struct script *s;
    unsigned i;

    if (l->n_calls >= LANE_CALLS_MAX || ask->n > CALL_ARGS_MAX)
        return NULL;
    for (i = 0; i < ask->n; i++)
        total += ask->args[i].n;
    if (total > CALL_TEXT_MAX)
        return NULL;
    s = script_get(&l->scripts, ask->script);
    if (!s)
        return NULL;
    c = recycle_get(&l->free_calls, sizeof(*c));
    c->lane = l;
    c->node = NULL;
    c->done = ask->done;
    c->arg = ask->arg;
    c->script = s;
    c->resends = c->redirects = 0;
    c->whole = false;
    l->n_calls++;
    fill(c, ask, total);
    if (l->map && l->map->cluster)
        c->slot = (uint16_t)map_slot(ask->key);
    wait_from_now(l, c, ask->timeout);
    send_or_end(c, node_for(l, c), false);
    return c;
}

/* ------------------------------------------------------------------ answers */

static bool
begins(const struct reply *r, const char *word)
{
    return strncmp(r->text, word, strlen(word)) == 0;
}

/* The server does not know the script (any more): it ran nothing. One call brings it the text; the others follow behind
 * that. */
static void
resend(struct store_call *c)
{
    struct node *n = c->node;

    c->resends++;
    c->whole = c->resends == RESENDS_MAX || c->script->loading != n;
    send_or_end(c, n, false);
}

/* "MOVED SLOT HOST:PORT": HOST is empty for the one that says so, an IPv6 address stands without brackets. */
static struct node *
redirected(struct lane *l, const struct store_call *c, const char *text)
{
    const char *space = strchr(text, ' '), *host = space ? strchr(space + 1, ' ') : NULL, *colon;
    struct addr a;
    uint64_t port;

    if (!host)
        return NULL;
    host++;
    colon = strrchr(host, ':');
    if (!colon || parse_u64(slice_str(colon + 1), 65535, &port) < 0 || port == 0)
        return NULL;
    if (colon == host)
        a = c->node->addrs[0];
    else if (addr_parse_ip(slice_of(host, (size_t)(colon - host)), &a) < 0)
        return NULL;
    addr_set_port(&a, (uint16_t)port);
    return node_at(l, &a);
}

/* True when the answer is not the call's end. */
static bool
goes_on(struct lane *l, struct store_call *c, const struct reply *r)
{
    bool asking = begins(r, "ASK ");
    struct node *to;

    if (begins(r, "NOSCRIPT") && c->resends < RESENDS_MAX) {
        resend(c);
        return true;
    }
    if (!l->map->cluster || !(asking || begins(r, "MOVED ")) || c->redirects == REDIRECTS_MAX)
        return false;
    if (!asking)
        state_refresh(l->state);
    to = redirected(l, c, r->text);
    if (!to)
        return false;
    c->redirects++;
    send_or_end(c, to, asking);
    return true;
}

/* What the server's error says of the server. */
static void
judge(struct node *n, const char *error)
{
    static const char *const away[] = { "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN",
                                        "NOAUTH",  "BUSY ",      "NOREPLICAS" };
    size_t i;

    /* Before Redis 7 inside of the script's error. */
    if (strstr(error, "READONLY")) {
        node_lose(n, "the server is a read-only replica");
        return;
    }
    for (i = 0; i < sizeof(away) / sizeof(away[0]); i++) {
        if (strncmp(error, away[i], strlen(away[i])) == 0)
            node_fail(n, error);
    }
}

static void
measure(struct lane *l, const struct store_call *c)
{
    nsec_t took = clock_now() - c->started;

    stats_observe(l->state->latency, (double)took / (double)NSEC_PER_SEC);
    l->latency = l->latency ? l->latency + (took - l->latency) / 8 : took;
    atomic_store_explicit(&l->state->views[l->id].latency, l->latency, memory_order_relaxed);
}

void
lane_on_reply(struct lane *l, struct store_call *c, const struct reply *r)
{
    struct weir_store_reply reply = { 0 };
    struct node *n = c->node;
    char error[REPLY_TEXT_MAX];
    weir_store_done done = c->done;
    void *arg = c->arg;

    if (c->whole && c->script->loading == n)
        c->script->loading = NULL;
    if (r->kind == REPLY_ERROR && goes_on(l, c, r))
        return;
    measure(l, c);
    TAILQ_REMOVE(&l->waiting, c, entry);
    call_free(l, c);
    if (r->kind == REPLY_INTS) {
        breaker_good(&n->breaker);
        reply.ints = r->ints;
        reply.n = r->n;
        done(&reply, arg);
        return;
    }
    stats_add(l->state->errors[STORE_SERVER], 1);
    /* A copy: judging may close the connection, and r goes with it. */
    if (r->kind == REPLY_ERROR)
        memcpy(error, r->text, sizeof(error));
    else
        memcpy(error, "the script did not return integers", sizeof("the script did not return integers"));
    reply.error = error[0] ? error : "error without a text";
    done(&reply, arg);
    judge(n, error);
}
