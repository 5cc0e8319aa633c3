#include "config.h" /* _GNU_SOURCE: memmem */

#include "down_h2_impl.h"
#include "../base/log.h"
#include "../base/xalloc.h"
#include "h2_options.h"

#include <assert.h>
#include <stdlib.h>

/* Steps before a session whose both sides are never dry lets the others of its worker have a turn, and reads in each.
 */
#define STEPS_MAX 8
#define READS_MAX 4
#define READ_SIZE 16384
/* So many frames that are owed are written before more is read, which would make more of them. */
#define ANSWERS_MAX 100
/* Between the two GOAWAYs, should the client not answer the PING between them. */
#define LAST_CALL NSEC_PER_SEC
/* nghttp2's bound of resets, behind that of glitch.h. */
#define RESETS_BURST 1000
#define RESETS_PER_SECOND 33

/* ------------------------------------------------------------------ ends */

/* Streams first, then this. */
static void
end(struct down_h2 *d)
{
    struct loop *l = d->b.set->loop;

    assert(d->ended && !d->n_streams);
    down_part(&d->b);
    timer_fini(&d->timer);
    task_cancel(l, &d->task);
    h2_frames_fini(&d->frames);
    nghttp2_session_del(d->ng);
    loop_defer_free(l, free, d);
    down_tell(&d->b, SESSION_ENDED);
}

void
h2_gone(struct down_h2 *d, enum reason_id reason, const char *detail)
{
    struct h2_stream *st;

    if (d->ended)
        return;
    d->ended = true;
    timer_clear(&d->timer);
    TAILQ_FOREACH(st, &d->streams, link)
    {
        if (st->open || st->due & H2_DUE_REQUEST)
            down_keep_addresses(&st->s);
        st->id = 0;
        h2_abort(st, reason, detail);
    }
    if (d->cut && !d->b.c->broken)
        conn_linger(d->b.c); /* the GOAWAY must not be lost to a reset for what comes behind it */
    else
        conn_close(d->b.c);
    d->b.c = NULL;
}

void
h2_cut(struct down_h2 *d, uint32_t code, enum reason_id reason, const char *detail)
{
    if (d->ended)
        return;
    d->cut = true;
    nghttp2_session_terminate_session(d->ng, code);
    h2_write(d);
    h2_gone(d, reason, detail);
}

void
h2_trip(struct down_h2 *d, enum glitch_kind kind)
{
    d->tripped = true;
    d->trip = kind;
}

void
h2_break(struct down_h2 *d, uint32_t code)
{
    d->tripped = true;
    d->broken = code;
}

void
h2_glitch(struct down_h2 *d, enum glitch_kind kind)
{
    if (glitch_count(&d->glitches, kind, clock_now()))
        h2_trip(d, kind);
}

static void
cut_off(struct down_h2 *d)
{
    enum glitch_kind kind = d->trip;

    if (d->broken) {
        h2_cut(d, d->broken, REASON_CLIENT_CLOSED, "the client breaks HTTP/2");
        return;
    }
    log_warning(conn_subject(d->b.c),
                "HTTP/2: the counter `%s` (%u at once, %u per second) tripped: GOAWAY with ENHANCE_YOUR_CALM",
                glitch_name(kind), glitch_burst(kind), glitch_rate(kind));
    glitch_cut_off(kind);
    h2_cut(d, NGHTTP2_ENHANCE_YOUR_CALM, REASON_CLIENT_CLOSED, "the connection was cut off for abuse of HTTP/2");
}

/* ------------------------------------------------------------------ leaving */

void
h2_leave(struct down_h2 *d)
{
    struct h2_stream *st;

    if (d->leaving || d->ended)
        return;
    d->leaving = true;
    h2_part(d, true);
    nghttp2_submit_shutdown_notice(d->ng);
    nghttp2_submit_ping(d->ng, NGHTTP2_FLAG_NONE, (const uint8_t *)"leaving.");
    TAILQ_FOREACH(st, &d->streams, link)
    st->s.draining = true;
    d->last_call = clock_now() + LAST_CALL;
    h2_look_at(d, d->last_call);
    h2_later(d);
}

void
h2_last_call(struct down_h2 *d)
{
    if (d->last_called || d->ended)
        return;
    d->leaving = d->last_called = true;
    h2_part(d, true);
    d->last_call = 0;
    nghttp2_submit_goaway(d->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(d->ng), NGHTTP2_NO_ERROR,
                          NULL, 0);
    h2_later(d);
}

/* ------------------------------------------------------------------ reading */

static void
not_http2(struct down_h2 *d, int error)
{
    if (d->tripped) {
        cut_off(d);
    } else if (error == NGHTTP2_ERR_FLOODED) {
        h2_trip(d, GLITCH_ACK);
        cut_off(d);
    } else if (error == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) {
        h2_trip(d, GLITCH_CONTINUATION);
        cut_off(d);
    } else {
        log_info(conn_subject(d->b.c), "HTTP/2: %s", nghttp2_strerror(error));
        h2_cut(d, NGHTTP2_PROTOCOL_ERROR, REASON_CLIENT_CLOSED, "what the client sent is not HTTP/2");
    }
}

static void
feed(struct down_h2 *d, const char *text, size_t n)
{
    const uint8_t *p = (const uint8_t *)text;
    ssize_t used = 0;

    while (n && used >= 0 && !d->tripped) {
        size_t step = h2_watch(&d->watch, p, n);

        d->data_begun = false;
        used = nghttp2_session_mem_recv(d->ng, p, step);
        if (used >= 0)
            h2_check_sight(d);
        p += step;
        n -= step;
    }
    if (used < 0 || d->tripped)
        not_http2(d, (int)used);
    h2_tell_all(d);
}

/* Who does not take what is written is not read from; what was read when there was enough is read in the next step. */
static bool
may_read(const struct down_h2 *d)
{
    const struct conn *c = d->b.c;

    return c && !d->ended && d->frames.out.len < H2_FRAMES_CAP &&
           nghttp2_session_get_outbound_queue_size(d->ng) < ANSWERS_MAX &&
           (c->broken || c->eof || d->unsure || (c->ready & CONN_READABLE));
}

/* True: something came. */
static bool
read_some(struct down_h2 *d)
{
    static _Thread_local char room[READ_SIZE];
    bool came = false;

    for (int i = 0; i < READS_MAX && may_read(d); i++) {
        ssize_t n = conn_read(d->b.c, room, sizeof(room));

        d->unsure = false;
        if (n == CONN_AGAIN)
            return came;
        came = n > 0;
        if (n > 0)
            feed(d, room, (size_t)n);
        else
            h2_gone(d, REASON_CLIENT_CLOSED,
                    n == CONN_EOF ? "the client closed the connection" : "the client reset the connection");
    }
    return came;
}

/* ------------------------------------------------------------------ the turn of a session */

/* Nothing more is to come or to go. */
static bool
is_over(const struct down_h2 *d)
{
    return !d->frames.out.len && !nghttp2_session_want_read(d->ng) && !nghttp2_session_want_write(d->ng);
}

static void
step(struct down_h2 *d)
{
    uint64_t before = h2_frames_written(&d->frames);
    bool came = read_some(d);

    h2_tell_all(d);
    if (d->ended)
        return;
    if (h2_write(d) == CONN_ERROR)
        h2_gone(d, REASON_CLIENT_CLOSED, "the client closed the connection");
    else if (d->tripped)
        cut_off(d);
    h2_tell_all(d);
    if (!d->ended && is_over(d)) {
        d->cut = true;
        h2_gone(d, REASON_CLIENT_CLOSED, "the client breaks HTTP/2, or has left");
    }
    h2_tell_all(d);
    d->unsure = came && h2_frames_written(&d->frames) == before;
}

static void
turn(struct down_h2 *d)
{
    int steps = 0;

    if (d->running)
        return;
    d->running = true;
    do {
        d->again = false;
        step(d);
    } while (!d->ended && (d->again || may_read(d)) && ++steps < STEPS_MAX);
    h2_tell_all(d);
    d->running = false;
    if (d->ended && !d->n_streams)
        end(d);
    else if (steps == STEPS_MAX)
        h2_look_at(d, clock_now());
}

void
h2_later(struct down_h2 *d)
{
    if (d->running)
        d->again = true;
    else
        loop_at_turn_end(d->b.set->loop, &d->task);
}

static void
on_task(struct task *t)
{
    turn((struct down_h2 *)((char *)t - offsetof(struct down_h2, task)));
}

/* What comes from other connections in this turn of the loop goes out with the rest. */
static void
on_ready(struct conn *c, unsigned events)
{
    h2_later(c->owner);
}

/* ------------------------------------------------------------------ time */

void
h2_look_at(struct down_h2 *d, nsec_t at)
{
    if (at && !d->ended && (!timer_is_set(&d->timer) || at < d->timer.deadline))
        timer_set(&d->timer, at);
}

/* Has it passed? Else the timer will see to it. */
static bool
passed(struct down_h2 *d, nsec_t at)
{
    if (!at)
        return false;
    if (at <= clock_now())
        return true;
    h2_look_at(d, at);
    return false;
}

static void
check_body(struct h2_stream *st)
{
    const struct down_conf *conf = &st->d->conf;
    const char *detail;

    if (!conf->body_timeout || st->s.paced || st->aborted || st->sent || !passed(st->d, patience_end(&st->body)))
        return;
    if (conf->body_rate && st->body.left < conf->body_timeout)
        detail = h2_exceed(st, LIMIT_BODY_RATE, "the body came too slowly");
    else
        detail = h2_exceed(st, LIMIT_BODY_TIME, "the body did not come in time");
    h2_abort(st, REASON_REQUEST_TIMEOUT, detail);
}

static void
check_reading(struct h2_stream *st)
{
    const struct down_conf *conf = &st->d->conf;
    const char *detail;

    if (!conf->write_timeout || st->aborted || st->sent || !passed(st->d, patience_end(&st->reading)))
        return;
    if (conf->response_rate && st->reading.left < conf->write_timeout)
        detail = h2_exceed(st, LIMIT_RESPONSE_RATE, "the client gave its stream's window back too slowly");
    else
        detail = h2_exceed(st, LIMIT_WRITE_TIME, "the client did not open its stream's window for too long");
    h2_abort(st, REASON_CLIENT_CLOSED, detail);
}

/* The socket takes nothing more; only what the kernel still holds for the client tells whether it reads. */
static bool
reads_no_more(struct down_h2 *d)
{
    if (!d->conf.write_timeout || !passed(d, patience_end(&d->writing)))
        return false;
    h2_note_reading(d);
    return passed(d, patience_end(&d->writing));
}

static nsec_t
idle_end(const struct down_h2 *d)
{
    nsec_t timeout = d->b.source.conf(d->b.source.arg)->idle_timeout;

    if (d->b.set->draining && (!timeout || timeout > DRAIN_IDLE))
        timeout = DRAIN_IDLE;
    return d->n_streams || !timeout ? 0 : d->idle_since + timeout;
}

static void
check_connection(struct down_h2 *d)
{
    nsec_t head = d->head_since && d->conf.head_timeout ? d->head_since + d->conf.head_timeout : 0;

    h2_part(d, false);
    if (passed(d, d->last_call))
        h2_last_call(d);
    if (passed(d, head)) {
        down_tell_silence(&d->b, "no complete head on its HTTP/2 connection", LIMIT_HEAD_TIME);
        h2_cut(d, NGHTTP2_ENHANCE_YOUR_CALM, REASON_CLIENT_CLOSED, "a head on its connection did not come in time");
    } else if (reads_no_more(d)) {
        if (!d->n_streams)
            down_tell_silence(&d->b, "what was written is not read", LIMIT_WRITE_TIME);
        h2_gone(d, REASON_CLIENT_CLOSED, "the client did not read for too long");
    } else if (passed(d, idle_end(d))) {
        down_tell_silence(&d->b, "no request on its HTTP/2 connection", LIMIT_IDLE_TIME);
        h2_cut(d, NGHTTP2_NO_ERROR, REASON_CLIENT_CLOSED, "idle");
    }
}

static void
on_timer(struct timer *t)
{
    struct down_h2 *d = (struct down_h2 *)((char *)t - offsetof(struct down_h2, timer));
    struct h2_stream *st;

    d->running = true;
    TAILQ_FOREACH(st, &d->streams, link)
    {
        check_body(st);
        check_reading(st);
    }
    check_connection(d);
    d->running = false;
    turn(d);
}

/* ------------------------------------------------------------------ what the set wants */

static struct down_h2 *
down_h2_of(struct down_session *b)
{
    return (struct down_h2 *)b;
}

static void
leave(struct down_session *b)
{
    h2_leave(down_h2_of(b));
}

static void
drain(struct down_session *b)
{
    struct down_h2 *d = down_h2_of(b);

    h2_leave(d);
    h2_look_at(d, idle_end(d));
}

static void
abort_it(struct down_session *b)
{
    struct down_h2 *d = down_h2_of(b);

    h2_cut(d, NGHTTP2_NO_ERROR, REASON_DRAINING, "the gateway is stopping");
    turn(d);
}

static void
finish(struct down_session *b)
{
    struct down_h2 *d = down_h2_of(b);
    struct h2_stream *st;

    TAILQ_FOREACH(st, &d->streams, link)
    if (st->open)
        st->s.ops->release(&st->s); /* its owner forgot it */
    turn(d);
}

static const struct down_kind down_h2_kind = { leave, drain, abort_it, finish };

/* ------------------------------------------------------------------ beginning */

/* Of a field that is not valid nghttp2 tells the value too, which may be a token or a cookie. */
static int
on_error(nghttp2_session *ng, int code, const char *text, size_t n, void *arg)
{
    struct down_h2 *d = arg;
    const char *value = memmem(text, n, ", value: [", 10);

    log_info(conn_subject(d->b.c), "HTTP/2: %.*s", (int)(value ? (size_t)(value - text) : n), text);
    return 0;
}

static nghttp2_session *
session_new(struct down_h2 *d)
{
    nghttp2_option *option = h2_options_new();
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *ng;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        xalloc_fail();
    h2_set_read_callbacks(callbacks);
    h2_set_write_callbacks(callbacks);
    nghttp2_session_callbacks_set_error_callback2(callbacks, on_error);
    nghttp2_option_set_stream_reset_rate_limit(option, RESETS_BURST, RESETS_PER_SECOND);
    nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
    if (nghttp2_session_server_new2(&ng, callbacks, d, option) != 0)
        xalloc_fail();
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return ng;
}

static void
submit_settings(struct down_h2 *d)
{
    const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, d->conf.streams },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, DOWN_IN_CAP },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, d->conf.limits.head },
        { NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 },
        { NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
    };

    nghttp2_submit_settings(d->ng, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(*settings));
    nghttp2_session_set_local_window_size(d->ng, NGHTTP2_FLAG_NONE, 0, H2_CONNECTION_WINDOW);
}

static void
feed_early(struct down_h2 *d, struct iobuf *early)
{
    struct slice s;

    d->running = true;
    while (!d->ended && (s = iobuf_front(early)).n) {
        feed(d, s.p, s.n);
        iobuf_consume(early, s.n);
    }
    iobuf_fini(early);
    d->running = false;
}

void
down_h2_start(struct down_sessions *set, struct conn *c, const struct down_source *source, struct iobuf *early)
{
    struct down_h2 *d = xcalloc(1, sizeof(*d));

    down_join(&d->b, &down_h2_kind, set, c, source);
    d->conf = *source->conf(source->arg);
    d->task.run = on_task;
    TAILQ_INIT(&d->streams);
    TAILQ_INIT(&d->due);
    TAILQ_INIT(&d->holding);
    TAILQ_INIT(&d->ending);
    h2_frames_init(&d->frames);
    h2_watch_init(&d->watch);
    patience_begin(&d->writing, d->conf.write_timeout);
    timer_init(&d->timer, set->loop, on_timer);
    d->ng = session_new(d);
    submit_settings(d);
    conn_attach(c, on_ready, d);
    d->idle_since = clock_now();
    h2_look_at(d, idle_end(d));
    feed_early(d, early);
    h2_later(d);
}
