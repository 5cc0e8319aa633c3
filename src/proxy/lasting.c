#include "lasting.h"

#include "../base/random.h"
#include "websocket.h"
#include "worker.h"

#define LEAVING (3 * NSEC_PER_SEC) /* for the client to take what was said, and to end its side */

/* What ends it, and where that is set. */
static void
record(struct exchange *x, const char *step, enum reason_id reason, struct slice detail, const char *at)
{
    struct decision *d = decision_add(&x->px.log, step, x->px.route_name, VERDICT_ERROR);

    x->reason = reason_get(reason);
    d->reason = x->reason->code;
    d->detail = detail;
    d->at = at;
}

/* ---- in a drain ---- */

static void
on_turn(struct timer *t)
{
    struct lasting *l = (struct lasting *)((char *)t - offsetof(struct lasting, turn));

    if (l->leaving || (l->x->response_done && !l->x->tunnel)) /* all is said */
        return;
    record(l->x, "drain", REASON_DRAINING, SLICE_NONE, NULL);
    lasting_leave(l->x);
}

static void
wait_for_turn(struct lasting *l)
{
    nsec_t half = l->x->worker->gen->drain_timeout / 2;

    timer_after(&l->turn, (nsec_t)random_below((uint64_t)half + 1));
}

void
lasting_drain(struct proxy_worker *w)
{
    struct lasting *l;

    TAILQ_FOREACH(l, &w->lasting, link)
    wait_for_turn(l);
}

/* ---- beginning ---- */

static void
on_end(struct timer *t)
{
    struct lasting *l = (struct lasting *)((char *)t - offsetof(struct lasting, end));
    struct exchange *x = l->x;

    struct slice detail =
        limit_words(x->px.arena, "max_duration", LIMIT_TIME, x->route->max_duration, "it lasted too long");

    record(x, "max_duration", REASON_DURATION_EXCEEDED, detail, x->route->max_duration_at);
    exchange_break_off(x, GRPC_UNAVAILABLE, detail);
}

/* What was sent of an event that is not complete, its client forgets (HTML Living Standard, 9.2.6). */
static void
leave_events(struct exchange *x)
{
    struct fields trailers;

    fields_init(&trailers, x->px.arena);
    if (x->response_way && !x->response_done && !filtered_end(x, &trailers)) {
        x->ds->ops->reset(x->ds);
        exchange_run(x, STEP_FINISH);
        return;
    }
    x->ds->ops->end(x->ds, trailers.n ? &trailers : NULL);
    pump_finish_response(x);
}

static bool
is_event_stream(const struct exchange *x)
{
    struct slice type = fields_value(&x->us->res.fields, FIELD_CONTENT_TYPE), name = SLICE("text/event-stream");

    return type.n >= name.n && slice_ieq(slice_of(type.p, name.n), name);
}

static void
look_at(struct exchange *x, struct lasting *l)
{
    if (websocket_is(x)) {
        websocket_begin(x);
        l->kind = STREAM_WEBSOCKET;
        l->leave = websocket_leave;
    } else if (x->us->res.status == 101) {
        l->kind = STREAM_TUNNEL;
    } else if (x->us->res.body.kind != BODY_LENGTH && is_event_stream(x)) {
        l->kind = STREAM_EVENTS;
        l->leave = leave_events;
    }
}

void
lasting_begin(struct exchange *x)
{
    struct lasting l = { .x = x };

    if (x->us->res.status != 101 && x->us->res.body.kind == BODY_NONE)
        return;
    look_at(x, &l);
    if (!l.kind && !x->route->max_duration)
        return;
    x->lasting = arena_alloc(x->px.arena, sizeof l);
    *x->lasting = l;
    timer_init(&x->lasting->turn, x->px.loop, on_turn);
    timer_init(&x->lasting->end, x->px.loop, on_end);
    if (x->route->max_duration)
        timer_after(&x->lasting->end, x->route->max_duration);
    if (l.kind)
        metrics_stream(l.kind, 1);
    if (!l.leave)
        return;
    TAILQ_INSERT_TAIL(&x->worker->lasting, x->lasting, link);
    x->lasting->listed = true;
    if (x->worker->draining)
        wait_for_turn(x->lasting);
}

/* ---- the end ---- */

void
lasting_end(struct exchange *x)
{
    struct lasting *l = x->lasting;

    timer_fini(&l->turn);
    timer_fini(&l->end);
    if (l->kind)
        metrics_stream(l->kind, -1);
    if (l->listed)
        TAILQ_REMOVE(&x->worker->lasting, l, link);
}

bool
lasting_leave(struct exchange *x)
{
    struct lasting *l = x->lasting;

    if (!l || !l->leave || l->leaving)
        return false;
    l->leaving = true;
    timer_clear(&l->turn);
    timer_clear(&l->end);
    timer_set(&x->timer, clock_now() + LEAVING);
    l->leave(x);
    return true;
}
