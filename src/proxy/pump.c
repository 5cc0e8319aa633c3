/* Bodies: chunks move from one stream to the other as far as the receiver has room; a receiver without room stops the
 * sender. */
#include "exchange.h"
#include "forward.h"
#include "grpc.h"
#include "pump.h"

bool
pump_within_cap(struct exchange *x)
{
    if (x->by_message && !x->request_way)
        return grpc_within_cap(x);
    return x->tunnel || x->body_seen + x->ds->in.len <= x->route->max_body;
}

static void
refuse_body(struct exchange *x)
{
    enum step refused;
    exchange_interrupt(x);
    refused = exchange_refuse_body(x);
    if (!x->head_sent) {
        exchange_run(x, refused);
        return;
    }
    if (grpc_cut(x, GRPC_RESOURCE_EXHAUSTED, x->reason_detail))
        return;
    x->ds->ops->reset(x->ds);
    exchange_run(x, STEP_FINISH);
}

void
pump_request(struct exchange *x)
{
    struct down_stream *ds = x->ds;
    if (x->request_way) {
        x->request_way(x);
        return;
    }
    while (x->us && !x->body_sent) {
        size_t n = ds->in.len;
        if (n == 0) {
            if (!ds->in_end)
                return;
            x->body_sent = true;
            if (ds->trailers.n)
                forward_trailers(&x->px, x->gen->underscores, &ds->trailers);
            x->us->ops->end(x->us, ds->trailers.n ? &ds->trailers : NULL);
            return;
        }
        size_t room = x->us->ops->room(x->us);
        if (room == 0)
            return;
        if (n > room)
            n = room;
        keep_for_replay(x, &ds->in, n);
        x->body_seen += n;
        x->us->ops->send(x->us, &ds->in, n);
        ds->ops->consumed(ds);
        break_silence(x);
    }
}

/* The origin has said all. What is left is the client's to read, and the session has its deadlines for that; but a
 * tunnel's client may go on sending (the origin has only ended its own side). */
void
pump_finish_response(struct exchange *x)
{
    x->response_done = true;
    if (x->tunnel)
        return;
    timer_clear(&x->timer);
    attempt_release(x);
}

void
pump_response(struct exchange *x)
{
    struct up_stream *us = x->us;
    if (x->response_way) {
        x->response_way(x);
        return;
    }
    while (us && !x->response_done) {
        size_t n = us->in.len;
        if (n == 0) {
            if (!us->in_end)
                return;
            for (const struct field_names *named = x->response_named; named; named = named->next)
                fields_remove_name(&us->trailers, named->name);
            if (x->attempt_open) /* only gRPC leaves it so until here */
                grpc_ended(x);
            x->ds->ops->end(x->ds, us->trailers.n ? &us->trailers : NULL);
            pump_finish_response(x);
            return;
        }
        size_t room = x->ds->ops->room(x->ds);
        if (room == 0)
            return;
        if (n > room)
            n = room;
        x->ds->ops->send(x->ds, &us->in, n);
        us->ops->consumed(us);
        break_silence(x);
    }
}

void
pump_down_body(struct down_stream *ds)
{
    struct exchange *x = ds->user;
    if (x->response_done && !x->tunnel) {
        iobuf_fini(&ds->in); /* nobody wants it any more */
        ds->ops->consumed(ds);
        return;
    }
    if (x->route && !pump_within_cap(x)) {
        refuse_body(x);
        return;
    }
    pump_request(x);
}

void
pump_down_writable(struct down_stream *ds)
{
    pump_response(ds->user);
}

void
pump_up_body(struct up_stream *us)
{
    struct exchange *x = us->user;
    if (x->head_sent)
        pump_response(x);
}

void
pump_up_writable(struct up_stream *us)
{
    pump_request(us->user);
}
