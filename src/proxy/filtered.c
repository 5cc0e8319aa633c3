/* Bodies that policies look at: as in pump.c, but each piece goes through the filter of its direction first, and what
 * comes out of that goes on. Nothing is fed to it while the receiver has no room. */
#include "forward.h"
#include "grpc.h"
#include "pump.h"

static bool
is_empty(struct body_framing body)
{
    return body.kind == BODY_NONE || (body.kind == BODY_LENGTH && !body.length);
}

/* ---- the request's ---- */

/* A policy has ended it. */
static void
refuse_request(struct exchange *x)
{
    enum step refused;

    exchange_interrupt(x);
    refused = exchange_refused_by_policy(x);
    if (!x->head_sent) {
        exchange_run(x, refused);
        return;
    }
    if (grpc_cut_refused(x))
        return;
    x->ds->ops->reset(x->ds);
    exchange_run(x, STEP_FINISH);
}

/* false: the exchange may be gone. */
static bool
feed_request(struct exchange *x)
{
    struct down_stream *ds = x->ds;
    size_t n = filter_bite(&ds->in);
    bool end = ds->in_end && n == ds->in.len;

    if (end && ds->trailers.n)
        forward_trailers(&x->px, x->gen->underscores, &ds->trailers);
    x->body_seen += n;
    if (filter_feed(x->request_filter, &ds->in, n, end, &ds->trailers) == CHAIN_REFUSED) {
        refuse_request(x);
        return false;
    }
    ds->ops->consumed(ds);
    break_silence(x);
    return true;
}

static void
send_request(struct exchange *x, struct iobuf *out, size_t room)
{
    size_t n = out->len < room ? out->len : room;

    keep_for_replay(x, out, n);
    x->us->ops->send(x->us, out, n);
    break_silence(x);
}

static void
move_request(struct exchange *x)
{
    struct filter *f = x->request_filter;
    struct down_stream *ds = x->ds;

    while (x->us && !x->body_sent) {
        if (f->ended && !f->out.len) {
            x->body_sent = true;
            x->us->ops->end(x->us, ds->trailers.n ? &ds->trailers : NULL);
            return;
        }
        size_t room = x->us->ops->room(x->us);
        if (!room)
            return;
        if (f->out.len)
            send_request(x, &f->out, room);
        else if ((!ds->in.len && !ds->in_end) || !feed_request(x))
            return;
    }
}

struct body_framing
filtered_request(struct exchange *x)
{
    struct body_framing body = x->ds->req.body;

    if (is_empty(body))
        return body;
    if (!x->request_filter && !x->body_seen) /* another attempt goes on with the one there is */
        x->request_filter = filter_new(&x->px, WEIR_BODY_REQUEST, &x->route->body_hold);
    if (!x->request_filter)
        return body;
    x->request_way = move_request;
    return x->request_filter->changes ? (struct body_framing){ BODY_CHUNKED, 0 } : body;
}

/* ---- the answer's ---- */

/* A policy has ended it: the client must see that this is not the end. */
static void
cut_response(struct exchange *x)
{
    exchange_refused_by_policy(x);
    attempt_settle(x, WEIR_RESULT_CANCELLED, 0);
    if (grpc_cut_refused(x))
        return;
    attempt_release(x);
    x->ds->ops->reset(x->ds);
    exchange_run(x, STEP_FINISH);
}

/* false: the exchange is gone. */
static bool
feed_response(struct exchange *x)
{
    struct up_stream *us = x->us;
    size_t n = filter_bite(&us->in);
    bool end = us->in_end && n == us->in.len;

    if (end) {
        for (const struct field_names *named = x->response_named; named; named = named->next)
            fields_remove_name(&us->trailers, named->name);
        if (x->attempt_open)
            grpc_ended(x);
    }
    if (filter_feed(x->response_filter, &us->in, n, end, &us->trailers) == CHAIN_REFUSED) {
        cut_response(x);
        return false;
    }
    us->ops->consumed(us);
    break_silence(x);
    return true;
}

static void
move_response(struct exchange *x)
{
    struct filter *f = x->response_filter;
    struct up_stream *us = x->us;

    while (us && !x->response_done) {
        if (f->ended && !f->out.len) {
            x->ds->ops->end(x->ds, us->trailers.n ? &us->trailers : NULL);
            pump_finish_response(x);
            return;
        }
        size_t room = x->ds->ops->room(x->ds);
        if (!room)
            return;
        if (f->out.len) {
            x->ds->ops->send(x->ds, &f->out, f->out.len < room ? f->out.len : room);
            break_silence(x);
        } else if ((!us->in.len && !us->in_end) || !feed_response(x)) {
            return;
        }
    }
}

/* More may be sent than there is room for: what is made of nothing, and of what was held. */
bool
filtered_end(struct exchange *x, struct fields *trailers)
{
    struct filter *f = x->response_filter;
    struct iobuf nothing;

    if (!f || f->refused)
        return false;
    iobuf_init(&nothing, 0);
    if (!f->ended && filter_feed(f, &nothing, 0, true, trailers) == CHAIN_REFUSED)
        return false;
    x->ds->ops->send(x->ds, &f->out, f->out.len);
    return true;
}

struct body_framing
filtered_response(struct exchange *x, struct body_framing body)
{
    struct http_response *r = &x->us->res;
    struct filter *f;

    if (r->status == 101) {
        x->request_way = NULL; /* the request's body is over: what the client sends now is the tunnel's */
        return body;
    }
    if (r->body.kind != BODY_NONE && is_empty(body))
        return body;
    f = filter_new(&x->px, WEIR_BODY_RESPONSE, &x->route->body_hold);
    if (!f)
        return body;
    if (f->changes) { /* also of a head without its body: nobody knows the length that GET would have */
        fields_remove(&r->fields, FIELD_CONTENT_LENGTH);
        if (body.kind == BODY_LENGTH)
            body = (struct body_framing){ BODY_CHUNKED, 0 };
    }
    if (r->body.kind != BODY_NONE) {
        x->response_filter = f;
        x->response_way = move_response;
    }
    return body;
}
