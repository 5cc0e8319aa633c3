#include "node.h"
#include "../base/log.h"
#include "../base/random.h"
#include "../base/xalloc.h"
#include "lane.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#define RING_FIRST 64u
#define READ_SIZE 16384
#define IOVS 64
#define RETRY_FIRST (20 * NSEC_PER_MSEC)
#define RETRY_LONGEST (30 * NSEC_PER_SEC)
#define WHY_MAX 512

static void on_timer(struct timer *t);
static void on_flush(struct task *t);

/* ------------------------------------------------------------------ life */

struct node *
node_new(struct lane *l)
{
    struct node *n = xcalloc(1, sizeof(*n));

    n->lane = l;
    n->room = RING_FIRST;
    n->ring = xcalloc(n->room, sizeof(*n->ring));
    iobuf_init(&n->hello, NODE_OUT_MAX);
    iobuf_init(&n->out, NODE_OUT_MAX);
    timer_init(&n->timer, l->loop, on_timer);
    n->flush.run = on_flush;
    return n;
}

/* The connection is gone and all calls have ended; nothing is planned. */
static void
shut(struct node *n)
{
    struct store_call *c;

    if (n->conn)
        conn_close(n->conn);
    n->conn = NULL;
    reader_free(n->reader);
    n->reader = NULL;
    task_cancel(n->lane->loop, &n->flush);
    timer_clear(&n->timer);
    iobuf_fini(&n->hello);
    iobuf_fini(&n->out);
    n->state = NODE_DOWN;
    while (n->first != n->next) {
        c = n->ring[n->first++ & (n->room - 1)];
        if (c)
            lane_end(c, "unavailable", STORE_UNAVAILABLE);
    }
    n->live = 0;
}

void
node_free(struct node *n)
{
    shut(n);
    timer_fini(&n->timer);
    free(n->ring);
    free(n);
}

/* When to connect: after the breaker's wait, or by a back-off of its own. Jitter keeps workers and gateways apart. */
static void
plan(struct node *n)
{
    nsec_t delay, longest;

    if (!n->n_addrs)
        return;
    if (n->breaker.open) {
        delay = n->breaker.wait + (nsec_t)random_below((uint64_t)n->breaker.wait / 10);
    } else if (n->tries == 0) {
        delay = (nsec_t)random_below(NSEC_PER_MSEC);
    } else {
        longest = RETRY_FIRST << (n->tries < 12 ? n->tries - 1 : 11);
        if (longest > RETRY_LONGEST)
            longest = RETRY_LONGEST;
        delay = longest / 2 + (nsec_t)random_below((uint64_t)longest / 2);
    }
    timer_after(&n->timer, delay);
}

void
node_set_addrs(struct node *n, const struct addr *addrs, unsigned count)
{
    struct addr now = n->addrs[n->at];
    bool had = n->n_addrs != 0;
    unsigned i;

    memcpy(n->addrs, addrs, count * sizeof(*addrs));
    n->n_addrs = count;
    n->at = 0;
    for (i = 0; had && i < count; i++) {
        if (!addr_equal(&addrs[i], &now))
            continue;
        n->at = i;
        return;
    }
    shut(n);
    memset(&n->breaker, 0, sizeof(n->breaker));
    n->tries = 0;
    timer_after(&n->timer, 0);
    lane_on_change(n->lane);
}

/* ------------------------------------------------------------------ trouble */

static void
open_up(struct node *n)
{
    shut(n);
    plan(n);
    lane_on_change(n->lane);
}

void
node_lose(struct node *n, const char *why)
{
    struct store_state *st = n->lane->state;

    state_trouble(st, why);
    if (n->breaker.open)
        breaker_reopen(&n->breaker);
    else
        breaker_fail(&n->breaker, clock_now());
    n->at = n->n_addrs ? (n->at + 1) % n->n_addrs : 0;
    open_up(n);
    state_refresh(st);
}

static void
lose_with(struct node *n, const char *what, const char *text)
{
    char why[WHY_MAX], addr[ADDR_TEXT_MAX];

    addr_format(&n->addrs[n->at], addr);
    snprintf(why, sizeof(why), "%s%s%s%s", addr, what, text ? ": " : "", text ? text : "");
    node_lose(n, why);
}

/* A server may close what was idle for long: no trouble unless it cannot be connected again. */
static void
lose_at_end(struct node *n)
{
    if (n->state != NODE_UP || n->live) {
        lose_with(n, " closed the connection", NULL);
        return;
    }
    log_info(n->lane->state->subject, "an idle connection was closed by the server");
    open_up(n);
    state_refresh(n->lane->state);
}

static void
count_failure(struct node *n, const char *why)
{
    if (!breaker_fail(&n->breaker, clock_now()))
        return;
    state_trouble(n->lane->state, why);
    open_up(n);
    state_refresh(n->lane->state);
}

void
node_late(struct node *n, unsigned calls)
{
    nsec_t patience = 2 * atomic_load_explicit(&n->lane->state->timeout, memory_order_relaxed);
    char why[WHY_MAX], addr[ADDR_TEXT_MAX];

    if (patience < NODE_CONNECT_TIMEOUT)
        patience = NODE_CONNECT_TIMEOUT;
    if (n->state == NODE_UP && n->first != n->next && clock_now() - n->heard > patience) {
        lose_with(n, " answers nothing any more", NULL);
        return;
    }
    addr_format(&n->addrs[n->at], addr);
    snprintf(why, sizeof(why), "%s does not answer in time; leaving it alone for a while", addr);
    for (; calls; calls--)
        count_failure(n, why);
}

void
node_fail(struct node *n, const char *why)
{
    char text[WHY_MAX], addr[ADDR_TEXT_MAX];

    addr_format(&n->addrs[n->at], addr);
    snprintf(text, sizeof(text), "%s cannot serve: %s", addr, why);
    count_failure(n, text);
}

enum lane_status
node_status(const struct node *n)
{
    if (n->breaker.open)
        return LANE_DOWN;
    if (n->state == NODE_UP)
        return LANE_UP;
    return n->tries > 1 || (n->tries == 1 && n->state == NODE_DOWN) ? LANE_DOWN : LANE_CONNECTING;
}

/* ------------------------------------------------------------------ commands out */

static void
flush(struct node *n)
{
    struct iobuf *b = n->state == NODE_UP ? &n->out : &n->hello;
    struct conn *c = n->conn;
    struct iovec iov[IOVS];
    ssize_t put;

    while (b->len) {
        put = conn_writev(c, iov, iobuf_iov(b, iov, IOVS));
        if (put == CONN_AGAIN)
            return;
        if (put < 0) {
            conn_kick(c, CONN_READABLE); /* what it said last may tell why */
            return;
        }
        iobuf_consume(b, (size_t)put);
    }
}

static void
on_flush(struct task *t)
{
    struct node *n = (struct node *)((char *)t - offsetof(struct node, flush));

    if (n->state == NODE_UP)
        flush(n);
}

static void
grow(struct node *n)
{
    struct store_call **ring = xcalloc(2 * n->room, sizeof(*ring));
    uint32_t seq;

    for (seq = n->first; seq != n->next; seq++)
        ring[seq & (2 * n->room - 1)] = n->ring[seq & (n->room - 1)];
    free(n->ring);
    n->ring = ring;
    n->room *= 2;
}

static void
expect(struct node *n, struct store_call *c)
{
    if (n->next - n->first == n->room)
        grow(n);
    if (n->first == n->next)
        n->heard = clock_now();
    if (c) {
        c->seq = n->next;
        c->node = n;
        n->live++;
    }
    n->ring[n->next++ & (n->room - 1)] = c;
}

int
node_send(struct node *n, struct store_call *c, struct slice command, bool asking)
{
    if (n->breaker.open || !n->n_addrs || n->next - n->first >= NODE_RING_MAX - 2 || n->out.len >= NODE_OUT_MAX)
        return -1;
    if (asking) {
        expect(n, NULL);
        iobuf_adds(&n->out, SLICE("*1\r\n$6\r\nASKING\r\n"));
    }
    expect(n, c);
    iobuf_adds(&n->out, command);
    if (n->state == NODE_UP)
        loop_at_turn_end(n->lane->loop, &n->flush);
    return 0;
}

void
node_drop(struct node *n, struct store_call *c)
{
    n->ring[c->seq & (n->room - 1)] = NULL;
    n->live--;
    if (n->state == NODE_UP || n->live)
        return;
    /* Nothing of it was sent: a server that comes up late is spared what nobody waits for. */
    iobuf_fini(&n->out);
    n->first = n->next;
}

/* ------------------------------------------------------------------ coming up */

enum step { STEP_AUTH, STEP_SELECT, STEP_PING, STEP_ROLE };

/* The steps of the greeting that this store needs, in order. */
static unsigned
greeting(const struct store_url *u, enum step steps[3])
{
    unsigned n = 0;

    if (u->password.n)
        steps[n++] = STEP_AUTH;
    if (u->db)
        steps[n++] = STEP_SELECT;
    steps[n++] = u->kind == STORE_SENTINEL ? STEP_ROLE : STEP_PING;
    return n;
}

static void
add_step(struct iobuf *out, const struct store_url *u, enum step step)
{
    const char *argv[3] = { "PING" };
    size_t lengths[3] = { 4 };
    char db[16], *command = NULL;
    int argc = 1, len;

    if (step == STEP_AUTH) {
        argv[0] = "AUTH";
        if (u->user.n) {
            argv[argc] = u->user.p;
            lengths[argc++] = u->user.n;
        }
        argv[argc] = u->password.p;
        lengths[argc++] = u->password.n;
    } else if (step == STEP_SELECT) {
        argv[0] = "SELECT";
        argv[argc] = db;
        lengths[argc++] = (size_t)snprintf(db, sizeof(db), "%u", u->db);
    } else if (step == STEP_ROLE) {
        argv[0] = "ROLE";
    }
    lengths[0] = strlen(argv[0]);
    len = redisFormatCommandArgv(&command, argc, argv, lengths);
    if (len > 0)
        iobuf_add(out, command, (size_t)len);
    redisFreeCommand(command);
}

static void
greet(struct node *n)
{
    struct store_state *st = n->lane->state;
    nsec_t patience = NODE_CONNECT_TIMEOUT;
    enum step steps[3];
    unsigned i;

    n->state = NODE_GREETING;
    n->reader = reader_new();
    n->steps = greeting(&st->url, steps);
    n->step = 0;
    for (i = 0; i < n->steps; i++)
        add_step(&n->hello, &st->url, steps[i]);
    n->greeted = clock_now();
    if (n->breaker.open) /* the probe must be as quick as a call */
        patience = atomic_load_explicit(&st->timeout, memory_order_relaxed);
    timer_after(&n->timer, patience);
    flush(n);
}

static void
come_up(struct node *n)
{
    if (n->breaker.open)
        breaker_close(&n->breaker);
    n->state = NODE_UP;
    n->tries = 0;
    n->heard = clock_now();
    timer_clear(&n->timer);
    state_recovered(n->lane->state);
    lane_on_change(n->lane);
    if (n->out.len)
        loop_at_turn_end(n->lane->loop, &n->flush);
}

/* An error may repeat what it could not understand, the password included: only what is known is shown. */
static const char *
auth_error(const char *text)
{
    static const char *const known[] = { "WRONGPASS ",
                                         "NOAUTH ",
                                         "NOPERM ",
                                         "ERR AUTH <password> called",
                                         "ERR Client sent AUTH",
                                         "ERR invalid password",
                                         "ERR max number of clients",
                                         "LOADING ",
                                         "DENIED " };
    size_t i;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strncmp(text, known[i], strlen(known[i])) == 0)
            return text;
    }
    return "it gave an error that is not shown here, since it may hold the password";
}

static void
on_greeting(struct node *n, const struct reply *r)
{
    bool error = r->kind == REPLY_ERROR, denied = error && strncmp(r->text, "NOPERM", 6) == 0;
    enum step steps[3];
    char text[REPLY_TEXT_MAX];

    snprintf(text, sizeof(text), "%s", r->text); /* r goes with the connection */
    greeting(&n->lane->state->url, steps);
    switch (steps[n->step]) {
    case STEP_AUTH:
        if (error) {
            lose_with(n, " refused AUTH (user or password of the store's url)", auth_error(text));
            return;
        }
        break;
    case STEP_SELECT:
        if (error) {
            lose_with(n, " refused the database", text);
            return;
        }
        break;
    case STEP_ROLE:
        if (!denied && strcmp(text, "master") != 0) {
            lose_with(n, " is no master", error ? text : NULL);
            return;
        }
        break;
    case STEP_PING:
        if (error && !denied) { /* who may not PING may still run scripts */
            lose_with(n, " cannot serve", text);
            return;
        }
        break;
    }
    if (++n->step == n->steps)
        come_up(n);
}

/* ------------------------------------------------------------------ answers in */

static void
on_answer(struct node *n, const struct reply *r)
{
    struct store_call *c;

    if (n->state == NODE_GREETING) {
        on_greeting(n, r);
        return;
    }
    if (n->first == n->next) {
        lose_with(n, " sent an answer to nothing", NULL);
        return;
    }
    n->heard = clock_now();
    c = n->ring[n->first++ & (n->room - 1)];
    if (!c)
        return;
    n->live--;
    lane_on_reply(n->lane, c, r);
}

/* False when the connection is gone. */
static bool
take_answers(struct node *n)
{
    const struct conn *c = n->conn;
    const struct reply *r;
    bool bad;

    while ((r = reader_next(n->reader, &bad))) {
        on_answer(n, r);
        if (n->conn != c)
            return false;
    }
    if (bad)
        lose_with(n, " sent what is no answer of Redis", NULL);
    return !bad;
}

static void
read_all(struct node *n)
{
    struct conn *c = n->conn;
    char buf[READ_SIZE];
    ssize_t got;

    for (;;) {
        got = conn_read(c, buf, sizeof(buf));
        if (got == CONN_AGAIN)
            return;
        if (got == CONN_EOF) {
            lose_at_end(n);
            return;
        }
        if (got < 0) {
            lose_with(n, " is lost", conn_error(c));
            return;
        }
        if (reader_feed(n->reader, buf, (size_t)got) < 0) {
            lose_with(n, " sent what is no answer of Redis", NULL);
            return;
        }
        if (!take_answers(n) || ((size_t)got < sizeof(buf) && !(c->ready & CONN_READABLE)))
            return;
    }
}

static void
on_ready(struct conn *c, unsigned events)
{
    struct node *n = c->owner;

    if (n->state == NODE_CONNECTING) {
        if (c->broken)
            node_lose(n, conn_error(c));
        else
            greet(n);
        return;
    }
    if (events & CONN_WRITABLE)
        flush(n);
    if (events & CONN_READABLE)
        read_all(n);
}

/* ------------------------------------------------------------------ connecting */

static void
connect_now(struct node *n)
{
    struct store_state *st = n->lane->state;
    struct err e = { 0 };

    n->state = NODE_CONNECTING;
    n->tries++;
    n->conn = conn_connect(n->lane->loop, &n->addrs[n->at], st->tls, st->server_name, &e);
    if (!n->conn) {
        node_lose(n, e.text);
        return;
    }
    conn_attach(n->conn, on_ready, n);
    timer_after(&n->timer, NODE_CONNECT_TIMEOUT);
    lane_on_change(n->lane);
}

static void
on_timer(struct timer *t)
{
    struct node *n = (struct node *)((char *)t - offsetof(struct node, timer));

    switch (n->state) {
    case NODE_DOWN:
        connect_now(n);
        break;
    case NODE_CONNECTING:
        lose_with(n, " could not be connected in time", NULL);
        break;
    case NODE_GREETING:
        lose_with(n, " does not answer in time", NULL);
        break;
    case NODE_UP:
        break;
    }
}
