#include "down_h1_impl.h"
#include "down_h2.h"
#include "../base/log.h"
#include "../base/recycle.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Steps before a session whose both sides are never dry lets the others of its worker have a turn. */
#define STEPS_MAX 8

static void down_run(struct down_h1 *d);

/* ------------------------------------------------------------------ active and idle */

static struct down_active *
active_get(struct down_sessions *set)
{
    struct down_active *a = set->spare;

    if (!a)
        return xcalloc(1, sizeof(*a));
    mem_unpoison(&a->s, sizeof(a->s));
    set->spare = a->next;
    set->n_spare--;
    return a;
}

static void
active_put(struct down_sessions *set, struct down_active *a)
{
    arena_fini(&a->s.arena);
    iobuf_fini(&a->s.in);
    h1_reader_fini(&a->in);
    h1_writer_fini(&a->out);
    if (set->n_spare == DOWN_SPARE_MAX) {
        free(a);
        return;
    }
    a->next = set->spare;
    set->spare = a;
    set->n_spare++;
    mem_poison(&a->s, sizeof(a->s)); /* whoever still has the stream is told so under ASan */
}

void
down_prepare(struct down_active *a)
{
    struct down_h1 *d = a->d;

    memset(&a->s, 0, sizeof(a->s));
    arena_init(&a->s.arena);
    iobuf_init(&a->s.in, DOWN_IN_CAP);
    fields_init(&a->s.trailers, &a->s.arena);
    h1_writer_init(&a->out);
    a->in.bytes = 0;
    a->conf = *d->b.source.conf(d->b.source.arg);
    patience_begin(&a->body, a->conf.body_timeout);
    patience_begin(&a->reading, a->conf.write_timeout);
    a->taken = 0;
    a->drained = 0;
    a->open = a->refused = a->expects = false;
    a->responded = a->keep = a->tunnel = a->shut = a->sent = a->aborted = a->violated = false;
    a->s.ops = &down_h1_ops;
    a->s.is_tls = d->b.is_tls;
    a->s.peer = &d->b.c->peer;
    a->s.local = &d->b.c->local;
}

void
down_begin_head(struct down_h1 *d)
{
    if (d->state != DOWN_IDLE)
        return;
    d->state = DOWN_HEAD;
    d->active->s.started = clock_now();
    down_tell(&d->b, SESSION_ACTIVE);
}

void
down_activate(struct down_h1 *d)
{
    struct down_active *a = active_get(d->b.set);

    a->d = d;
    h1_reader_init(&a->in);
    d->active = a;
    down_prepare(a);
}

static nsec_t
idle_timeout(const struct down_h1 *d)
{
    nsec_t timeout = d->b.source.conf(d->b.source.arg)->idle_timeout;

    if (d->b.set->draining && (!timeout || timeout > DRAIN_IDLE))
        return DRAIN_IDLE;
    return timeout;
}

void
down_idle(struct down_h1 *d)
{
    nsec_t timeout;

    if (d->active) {
        active_put(d->b.set, d->active);
        d->active = NULL;
    }
    if (d->state == DOWN_IDLE && timer_is_set(&d->timer))
        return; /* readable, but there was nothing: the time goes on */
    if (d->state != DOWN_IDLE)
        down_tell(&d->b, SESSION_IDLE);
    d->state = DOWN_IDLE;
    timeout = idle_timeout(d);
    if (d->shaking_hands)
        timeout = d->b.source.conf(d->b.source.arg)->head_timeout;
    if (timeout)
        timer_after(&d->timer, timeout);
    else
        timer_clear(&d->timer);
}

/* ------------------------------------------------------------------ ends */

/* Everything but the conn, which is closed or somebody else's. */
static void
forget(struct down_h1 *d)
{
    if (d->active)
        active_put(d->b.set, d->active);
    d->active = NULL;
    if (d->state != DOWN_IDLE)
        down_tell(&d->b, SESSION_IDLE);
    d->state = DOWN_ENDED;
    down_part(&d->b);
    timer_fini(&d->timer);
    task_cancel(d->b.set->loop, &d->task);
    loop_defer_free(d->b.set->loop, free, d);
}

void
down_end(struct down_h1 *d)
{
    if (d->state == DOWN_ENDED)
        return;
    assert(!d->active || !d->active->open);
    if (d->b.c)
        conn_close(d->b.c);
    d->b.c = NULL;
    forget(d);
    down_tell(&d->b, SESSION_ENDED);
}

void
down_hand_over(struct down_h1 *d)
{
    struct down_sessions *set = d->b.set;
    struct conn *c = d->b.c;
    struct iobuf early;

    iobuf_init(&early, DOWN_IN_CAP);
    if (d->active)
        iobuf_move(&early, &d->active->in.raw, d->active->in.raw.len);
    d->b.c = NULL;
    forget(d);
    down_h2_start(set, c, &d->b.source, &early);
}

void
down_linger(struct down_h1 *d)
{
    if (d->b.c)
        conn_linger(d->b.c);
    d->b.c = NULL;
    down_end(d);
}

void
down_break(struct down_h1 *d)
{
    struct down_active *a = d->active;
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };

    if (!d->b.c)
        return;
    if (a->open)
        down_keep_addresses(&a->s);
    /* A body that lasts until the end of the stream looks complete after a FIN: only a RST tells. */
    if (a->responded && a->out.kind == BODY_UNTIL_CLOSE)
        setsockopt(d->b.c->watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    d->b.c->shut = true; /* no close_notify either */
    conn_close(d->b.c);
    d->b.c = NULL;
}

void
down_abort(struct down_h1 *d, enum reason_id reason, const char *detail)
{
    struct down_active *a = d->active;

    if (down_answerable(reason) && !a->responded && !a->aborted)
        a->refused = true;
    else
        down_break(d);
    patience_begin(&a->body, 0);
    down_later(d);
    if (!a->open || a->aborted || a->sent)
        return;
    a->aborted = true;
    a->s.events->on_abort(&a->s, reason, detail);
}

const char *
down_exceed(struct down_h1 *d, enum limit_id limit, const char *what)
{
    return down_limit_hit(&d->b, &d->active->s, &d->active->conf, limit, what);
}

/* ------------------------------------------------------------------ the turn of a session */

/* The stream was released: what becomes of the connection. */
static void
after_release(struct down_h1 *d)
{
    struct down_active *a = d->active;

    if (!d->b.c || !a->sent) {
        down_end(d);
    } else if (!a->keep) {
        /* What the client may have sent behind its request must not turn the end of the answer into a reset (RFC
         * 9112 9.6). */
        if (a->refused || a->in.raw.len || !h1_reader_done(&a->in) || (d->b.c->ready & CONN_READABLE))
            down_linger(d);
        else
            down_end(d);
    } else {
        d->state = DOWN_DRAIN;
        patience_begin(&a->body, a->conf.body_timeout);
        patience_wait(&a->body, clock_now()); /* and not again: dripping does not prolong it */
        down_read_drain(d);
    }
}

static void
step(struct down_h1 *d)
{
    switch ((enum down_state)d->state) {
    case DOWN_IDLE:
    case DOWN_HEAD:
        down_read_head(d);
        break;
    case DOWN_REQUEST:
        if (d->b.c && d->active->open)
            down_write(d);
        if (d->b.c && d->active->open)
            down_read_request(d);
        if (!d->active->open)
            after_release(d);
        break;
    case DOWN_DRAIN:
        down_read_drain(d);
        break;
    case DOWN_ENDED:
        break;
    }
}

/* The earliest moment at which the client's silence has a consequence; 0: it may be silent. */
static nsec_t
deadline(const struct down_h1 *d)
{
    const struct down_active *a = d->active;
    nsec_t body = 0, write = 0;

    if (!d->b.c)
        return 0;
    if (d->state == DOWN_HEAD)
        return a->conf.head_timeout ? a->s.started + a->conf.head_timeout : 0;
    if (a->conf.body_timeout)
        body = patience_end(&a->body);
    if (a->conf.write_timeout && d->state == DOWN_REQUEST)
        write = patience_end(&a->reading);
    return body && (!write || body < write) ? body : write;
}

static void
set_timer(struct down_h1 *d)
{
    nsec_t at;

    if (d->state == DOWN_ENDED || (d->state == DOWN_IDLE && !d->yielded))
        return;
    at = d->yielded ? clock_now() : deadline(d);
    if (at)
        timer_set(&d->timer, at);
    else
        timer_clear(&d->timer);
}

static void
down_run(struct down_h1 *d)
{
    int steps = 0;

    if (d->running)
        return;
    d->running = true;
    if (d->yielded)
        timer_clear(&d->timer); /* it called us back; an idle session sets its own anew */
    d->yielded = false;
    do {
        d->again = false;
        step(d);
    } while (d->again && d->state != DOWN_ENDED && ++steps < STEPS_MAX);
    d->yielded = d->again;
    d->running = false;
    set_timer(d);
}

void
down_later(struct down_h1 *d)
{
    if (d->running)
        d->again = true;
    else
        loop_at_turn_end(d->b.set->loop, &d->task);
}

static void
on_task(struct task *t)
{
    down_run((struct down_h1 *)((char *)t - offsetof(struct down_h1, task)));
}

static void
on_ready(struct conn *c, unsigned events)
{
    struct down_h1 *d = c->owner;

    if (d->shaking_hands) {
        d->shaking_hands = false;
        timer_clear(&d->timer); /* its idle time begins */
        if (!c->broken && strcmp(conn_alpn(c), "h2") == 0) {
            down_hand_over(d);
            return;
        }
    }
    down_run(d);
}

static void
idle_expired(struct down_h1 *d)
{
    if (d->b.set->draining) {
        down_linger(d); /* a request may be on its way */
        return;
    }
    if (d->shaking_hands)
        down_tell_silence(&d->b, "no TLS handshake", LIMIT_HEAD_TIME);
    else
        down_tell_silence(&d->b, "no request", LIMIT_IDLE_TIME);
    down_end(d);
}

static void
drain_expired(struct down_h1 *d)
{
    down_tell_silence(&d->b, "the rest of a body that nobody wanted did not come", LIMIT_BODY_TIME);
    down_end(d);
}

static void
body_expired(struct down_h1 *d)
{
    struct down_active *a = d->active;
    const char *detail;

    if (a->conf.body_rate && a->body.left < a->conf.body_timeout)
        detail = down_exceed(d, LIMIT_BODY_RATE, "the body came too slowly");
    else
        detail = down_exceed(d, LIMIT_BODY_TIME, "the body did not come in time");
    down_abort(d, REASON_REQUEST_TIMEOUT, detail);
}

/* The socket takes nothing more. That says little of a client behind deep buffers: only what the kernel still holds for
 * it tells whether it reads. */
static void
reading_expired(struct down_h1 *d)
{
    struct down_active *a = d->active;
    const char *detail;

    down_note_reading(a);
    if (patience_end(&a->reading) > clock_now())
        return;
    if (a->conf.response_rate && a->reading.left < a->conf.write_timeout)
        detail = down_exceed(d, LIMIT_RESPONSE_RATE, "the client read too slowly");
    else
        detail = down_exceed(d, LIMIT_WRITE_TIME, "the client did not read for too long");
    down_abort(d, REASON_CLIENT_CLOSED, detail);
}

static void
request_expired(struct down_h1 *d)
{
    const struct down_active *a = d->active;
    nsec_t now = clock_now(), reading = patience_end(&a->reading), body = patience_end(&a->body);

    if (reading && a->conf.write_timeout && now >= reading)
        reading_expired(d);
    else if (body && a->conf.body_timeout && now >= body)
        body_expired(d);
}

static void
on_timer(struct timer *t)
{
    struct down_h1 *d = (struct down_h1 *)((char *)t - offsetof(struct down_h1, timer));

    if (!d->yielded) {
        if (d->state == DOWN_IDLE)
            idle_expired(d);
        else if (d->state == DOWN_DRAIN && !d->b.set->draining)
            drain_expired(d);
        else if (d->state == DOWN_DRAIN)
            down_linger(d);
        else if (d->state == DOWN_HEAD)
            down_refuse(d, REASON_REQUEST_TIMEOUT,
                        down_exceed(d, LIMIT_HEAD_TIME, "the head did not come in time"));
        else if (d->active->open)
            request_expired(d);
    }
    if (d->state != DOWN_ENDED)
        down_run(d);
}

/* ------------------------------------------------------------------ what the set wants */

static struct down_h1 *
down_h1_of(struct down_session *b)
{
    return (struct down_h1 *)b;
}

static void
leave(struct down_session *b)
{
    struct down_h1 *d = down_h1_of(b);

    if (d->active)
        d->active->s.draining = true;
}

/* In the next turn, when what the client may have sent by now was seen: then it is not idle any more. Who has just
 * connected is about to send. */
static void
drain(struct down_session *b)
{
    struct down_h1 *d = down_h1_of(b);

    if (d->state == DOWN_IDLE && !d->shaking_hands)
        timer_set(&d->timer, clock_now() + (b->served ? 0 : DRAIN_IDLE));
}

static void
abort_it(struct down_session *b)
{
    struct down_h1 *d = down_h1_of(b);

    if (d->active && d->active->open)
        down_abort(d, REASON_DRAINING, "the gateway is stopping");
    else
        down_end(d);
}

static void
finish(struct down_session *b)
{
    struct down_h1 *d = down_h1_of(b);

    down_run(d);
    if (d->state != DOWN_ENDED && d->active && d->active->open)
        d->active->s.ops->release(&d->active->s); /* its owner forgot it */
}

static const struct down_kind down_h1_kind = { leave, drain, abort_it, finish };

void
down_h1_forget_spares(struct down_sessions *set)
{
    while (set->spare)
        free(active_get(set));
}

void
down_h1_start(struct down_sessions *set, struct conn *c, const struct down_source *source)
{
    struct down_h1 *d = xcalloc(1, sizeof(*d));

    down_join(&d->b, &down_h1_kind, set, c, source);
    d->shaking_hands = c->handshaking;
    d->task.run = on_task;
    d->state = DOWN_IDLE;
    timer_init(&d->timer, set->loop, on_timer);
    conn_attach(c, on_ready, d);
    down_tell(&d->b, SESSION_BEGUN);
    down_idle(d);
    down_later(d); /* bytes may be there already */
}
