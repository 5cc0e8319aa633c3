#include "websocket.h"

#include "../base/random.h"
#include "../http/ws_frames.h"
#include "pump.h"

struct websocket {
    struct ws_frames to_origin, to_client;
    bool leaving;
    bool origin_told, client_told; /* the Close frame was said: nothing may follow it */
};

bool
websocket_is(const struct exchange *x)
{
    const struct http_response *r = &x->us->res;
    struct slice chosen = fields_value(&r->fields, FIELD_UPGRADE);

    return r->status == 101 && slice_ieq(chosen.n ? chosen : x->ds->req.upgrade, SLICE("websocket"));
}

/* Between two frames, and the last word was not said yet. */
static bool
may_close(const struct ws_frames *f)
{
    return ws_frames_between(f) && !f->closed;
}

/* How many of the bytes in `from` may go on now; they count as gone. */
static size_t
next_bytes(const struct websocket *ws, struct ws_frames *f, const struct iobuf *from, size_t room)
{
    struct slice front = iobuf_front(from);
    size_t n = front.n < room ? front.n : room;

    if (ws->leaving && n > ws_frames_rest(f))
        n = (size_t)ws_frames_rest(f);
    ws_frames_follow(f, front.p, n);
    return n;
}

static void
note_movement(struct exchange *x)
{
    if (!x->websocket->leaving) /* which has a deadline of its own */
        break_silence(x);
}

/* ---- from the client to the origin ---- */

static void
tell_origin(struct exchange *x)
{
    unsigned char mask[4];
    char frame[WS_CLOSE_MAX];
    struct iobuf out;

    random_bytes(mask, sizeof mask); /* RFC 6455 5.3: not to be guessed */
    iobuf_init(&out, sizeof frame);
    iobuf_add(&out, frame, ws_close_write(frame, WS_GOING_AWAY, mask));
    x->us->ops->send(x->us, &out, out.len);
    x->us->ops->end(x->us, NULL);
    iobuf_fini(&out);
    x->websocket->origin_told = x->body_sent = true;
}

static void
drop_request(struct exchange *x)
{
    if (!x->ds->in.len)
        return;
    iobuf_fini(&x->ds->in);
    x->ds->ops->consumed(x->ds);
}

static void
move_request(struct exchange *x)
{
    struct websocket *ws = x->websocket;
    struct down_stream *ds = x->ds;

    while (x->us && !x->body_sent) {
        if (ws->leaving && may_close(&ws->to_origin)) {
            tell_origin(x);
            break;
        }
        if (!ds->in.len && !ds->in_end)
            return;
        if (!ds->in.len) {
            x->body_sent = true;
            x->us->ops->end(x->us, NULL);
            return;
        }
        size_t room = x->us->ops->room(x->us);
        if (!room)
            return;
        x->us->ops->send(x->us, &ds->in, next_bytes(ws, &ws->to_origin, &ds->in, room));
        ds->ops->consumed(ds);
        note_movement(x);
    }
    drop_request(x);
}

/* ---- from the origin to the client ---- */

static void
tell_client(struct exchange *x)
{
    char frame[WS_CLOSE_MAX];
    struct iobuf out;

    iobuf_init(&out, sizeof frame);
    iobuf_add(&out, frame, ws_close_write(frame, WS_GOING_AWAY, NULL));
    x->ds->ops->send(x->ds, &out, out.len);
    x->ds->ops->end(x->ds, NULL);
    iobuf_fini(&out);
    x->websocket->client_told = x->response_done = true;
}

static void
drop_response(struct exchange *x)
{
    if (!x->us || !x->us->in.len)
        return;
    iobuf_fini(&x->us->in);
    x->us->ops->consumed(x->us);
}

static void
move_response(struct exchange *x)
{
    struct websocket *ws = x->websocket;
    struct up_stream *us = x->us;

    while (!x->response_done) {
        if (ws->leaving && may_close(&ws->to_client)) {
            tell_client(x);
            break;
        }
        if (!us || (!us->in.len && !us->in_end))
            return;
        if (!us->in.len) {
            x->ds->ops->end(x->ds, NULL);
            pump_finish_response(x);
            return;
        }
        size_t room = x->ds->ops->room(x->ds);
        if (!room)
            return;
        x->ds->ops->send(x->ds, &us->in, next_bytes(ws, &ws->to_client, &us->in, room));
        us->ops->consumed(us);
        note_movement(x);
    }
    drop_response(x);
}

/* ---- life ---- */

void
websocket_begin(struct exchange *x)
{
    x->websocket = arena_zalloc(x->px.arena, sizeof *x->websocket);
    x->request_way = move_request;
    x->response_way = move_response;
}

void
websocket_leave(struct exchange *x)
{
    x->websocket->leaving = true;
    move_response(x);
    move_request(x);
}
