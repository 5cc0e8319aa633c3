#include "up_h2_impl.h"
#include "../base/log.h"
#include "h2_options.h"

#include <stddef.h>

/* Steps before a session whose both sides are never dry lets the others of its worker have a turn, and reads in each.
 */
#define STEPS_MAX 8
#define READS_MAX 4
#define READ_SIZE 16384
/* Requests at a time until the origin has said how many (RFC 9113 6.5.2 recommends no less). */
#define STREAMS_UNTOLD 100
/* A request that waits when nothing has come for so long, not even for others, makes its connection suspect; and how
 * long a PING may take then. */
#define SILENCE NSEC_PER_SEC
#define PING_TIME NSEC_PER_SEC
/* So many streams are given up on one connection: origins count that, and end connections of whom they take for an
 * attacker, often at 500. */
#define RESETS_MAX 300
/* So many frames may wait that belong to no open stream. */
#define LEFTOVERS_MAX 100

static void turn(struct up_h2 *u);

/* ------------------------------------------------------------------ ends */

static void
close_session(struct up_session *b)
{
    struct up_h2 *u = (struct up_h2 *)b;

    if (b->c) {
        nghttp2_session_terminate_session(u->ng, NGHTTP2_NO_ERROR); /* a GOAWAY, RFC 9113 5.4.1 */
        if (h2_frames_make(&u->frames, u->ng) == 0)
            h2_frames_flush(&u->frames, b->c);
        conn_close(b->c);
    }
    b->c = NULL;
    u->ended = true;
    task_cancel(b->loop, &u->task);
    timer_fini(&u->timer);
    h2_frames_fini(&u->frames);
    recycle_empty(&u->spare, sizeof(struct up_h2_stream));
    nghttp2_session_del(u->ng);
    loop_defer_free(b->loop, free, u);
}

/* Its streams fail; the rest follows when their owners have let go of them. `bad`: by what the origin has said. */
static void
lose_conn(struct up_h2 *u, bool bad, const char *detail)
{
    struct up_h2_stream *st;

    if (!u->b.c)
        return;
    conn_close(u->b.c);
    u->b.c = NULL;
    TAILQ_FOREACH(st, &u->streams, link)
    {
        if (bad)
            up_h2_fail(st, UP_BAD_RESPONSE, detail);
        else
            up_h2_fail(st, st->s.responded ? UP_RESET : UP_CLOSED_EARLY, detail);
    }
}

static const char *
loss_detail(const struct up_h2 *u, ssize_t result)
{
    if (result == CONN_EOF)
        return "the origin closed the connection";
    if (conn_error_kind(u->b.c) == ERR_TLS) /* an alert: it says what the origin did not like */
        return conn_error(u->b.c);          /* until the end of the turn */
    return "the origin reset the connection";
}

/* What the origin did not keep to ends the connection: a GOAWAY says so, if it can. */
static void
break_off(struct up_h2 *u, const char *detail)
{
    if (!u->b.c)
        return;
    log_info(conn_subject(u->b.c), "HTTP/2: the origin: %s", detail);
    if (h2_frames_make(&u->frames, u->ng) == 0)
        h2_frames_flush(&u->frames, u->b.c);
    lose_conn(u, true, detail);
}

/* ------------------------------------------------------------------ reading */

static void
feed(struct up_h2 *u, const char *p, size_t n)
{
    ssize_t used = nghttp2_session_mem_recv(u->ng, (const uint8_t *)p, n);

    if (!u->broken_by && used >= 0)
        return;
    nghttp2_session_terminate_session(u->ng, u->broken_by ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
    break_off(u, u->broken_by ? u->broken_by : nghttp2_strerror((int)used));
}

/* Also from an origin that takes nothing: it may be waiting until what it sends is taken. What it can make nghttp2 owe
 * it is bounded there. */
static bool
may_read(const struct up_h2 *u)
{
    const struct conn *c = u->b.c;

    return c && (c->broken || c->eof || u->unsure || (c->ready & CONN_READABLE));
}

static void
note_heard(struct up_h2 *u)
{
    u->heard = clock_now();
    if (u->suspect)
        timer_clear(&u->timer);
    u->suspect = 0;
}

/* True: something came. */
static bool
read_some(struct up_h2 *u)
{
    static _Thread_local char room[READ_SIZE];
    bool came = false;

    for (int i = 0; i < READS_MAX && may_read(u); i++) {
        ssize_t n = conn_read(u->b.c, room, sizeof(room));

        u->unsure = false;
        if (n == CONN_AGAIN)
            return came;
        came = n > 0;
        if (!came) {
            lose_conn(u, false, loss_detail(u, n));
            break;
        }
        note_heard(u);
        feed(u, room, (size_t)n);
    }
    return came;
}

/* ------------------------------------------------------------------ writing */

/* An origin that takes no more may have answered before it went: that is read first. */
static void
write_failed(struct up_h2 *u)
{
    const char *detail = loss_detail(u, CONN_ERROR);

    while (read_some(u))
        ;
    lose_conn(u, false, detail);
}

static void
write_out(struct up_h2 *u)
{
    int result;

    do {
        if (h2_frames_make(&u->frames, u->ng) < 0) {
            lose_conn(u, false, "HTTP/2 with the origin cannot go on");
            return;
        }
        result = h2_frames_flush(&u->frames, u->b.c);
    } while (result == 0 && u->frames.stopped);
    if (result == CONN_ERROR)
        write_failed(u);
}

/* ------------------------------------------------------------------ the turn of a session */

/* Heads of requests that were given up before they could go wait with the others: where the origin takes nothing, and
 * clients come and go, they would become more and more. */
static bool
has_leftovers(const struct up_h2 *u)
{
    return nghttp2_session_get_outbound_queue_size(u->ng) > u->b.streams + LEFTOVERS_MAX;
}

static unsigned
room_for_streams(const struct up_session *b)
{
    const struct up_h2 *u = (const struct up_h2 *)b;
    unsigned most = u->settings_seen ? b->most : u->untold;

    if (!b->c || u->leaving || u->suspect || b->c->broken || b->c->eof || has_leftovers(u))
        return 0;
    return most > b->streams ? most - b->streams : 0;
}

/* The origin has left, or neither side has anything to say any more. */
static void
note_leaving(struct up_h2 *u)
{
    if (!nghttp2_session_check_request_allowed(u->ng))
        u->leaving = true;
    if (!u->frames.out.len && !nghttp2_session_want_read(u->ng) && !nghttp2_session_want_write(u->ng))
        lose_conn(u, false, "the origin has left");
}

/* nghttp2 tells of what breaks the protocol when it makes the frame that says so: that is to be known before anybody is
 * told of an answer. */
static void
find_breaches(struct up_h2 *u)
{
    if (!u->b.c)
        return;
    h2_frames_make(&u->frames, u->ng);
    if (u->broken_by)
        break_off(u, u->broken_by);
}

static void
step(struct up_h2 *u)
{
    uint64_t before = h2_frames_written(&u->frames);
    bool came = read_some(u);

    if (came)
        find_breaches(u);
    up_h2_tell_all(u);
    if (u->b.c)
        write_out(u);
    if (u->b.c)
        note_leaving(u);
    up_h2_tell_all(u);
    u->unsure = came && h2_frames_written(&u->frames) == before;
}

/* Who owns it is told of what its streams' owners have let go of; it may close it then. */
static void
after_releases(struct up_h2 *u)
{
    unsigned n = u->released;

    u->released = 0;
    if (n && u->b.events)
        u->b.events->on_released(&u->b, n, u->b.arg);
    if (u->ended || u->b.streams)
        return;
    if (!u->b.events) {
        if (n)
            close_session(&u->b);
    } else if (!room_for_streams(&u->b)) {
        u->b.events->on_closed(&u->b, u->b.arg);
        close_session(&u->b);
    }
}

static void
turn(struct up_h2 *u)
{
    int steps = 0;

    if (u->running)
        return;
    u->running = true;
    do {
        u->again = false;
        step(u);
    } while ((u->again || may_read(u)) && ++steps < STEPS_MAX);
    u->running = false;
    after_releases(u);
    if (!u->ended && steps == STEPS_MAX)
        timer_set(&u->timer, clock_now());
}

void
up_h2_later(struct up_h2 *u)
{
    if (u->running)
        u->again = true;
    else if (!u->ended)
        loop_at_turn_end(u->b.loop, &u->task);
}

void
up_h2_released(struct up_h2_stream *st)
{
    struct up_h2 *u = st->u;

    u->b.streams--;
    u->b.served++;
    u->released++;
    up_h2_note(st, 0);
}

static void
on_task(struct task *t)
{
    turn((struct up_h2 *)((char *)t - offsetof(struct up_h2, task)));
}

/* What comes from other connections in this turn of the loop goes out with the rest. */
static void
on_ready(struct conn *c, unsigned events)
{
    up_h2_later(c->owner);
}

/* ------------------------------------------------------------------ streams given up */

/* Also when its head could not even be sent: an origin that is stuck takes nothing. */
static bool
waited_in_vain(const struct up_h2_stream *st)
{
    nsec_t since = st->u->heard > st->asked_at ? st->u->heard : st->asked_at;

    return !st->s.responded && st->asked_at && clock_now() - since > SILENCE;
}

/* It may be gone without a word. */
static void
suspect(struct up_h2 *u)
{
    if (u->suspect || !u->b.c)
        return;
    u->suspect = clock_now();
    nghttp2_submit_ping(u->ng, NGHTTP2_FLAG_NONE, (const uint8_t *)"are you?");
    timer_set(&u->timer, u->suspect + PING_TIME);
    up_h2_later(u);
}

void
up_h2_reset(struct up_h2_stream *st)
{
    struct up_h2 *u = st->u;

    if (waited_in_vain(st))
        suspect(u);
    if (!st->id)
        return;
    nghttp2_submit_rst_stream(u->ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_CANCEL);
    if (st->sent && ++u->resets == RESETS_MAX)
        u->leaving = true;
}

static void
on_timer(struct timer *t)
{
    struct up_h2 *u = (struct up_h2 *)((char *)t - offsetof(struct up_h2, timer));
    nsec_t end = u->suspect ? u->suspect + PING_TIME : 0;

    if (end && end <= clock_now() && !may_read(u))
        lose_conn(u, false, "the origin did not answer a PING in time");
    else if (end)
        timer_set(&u->timer, end);
    turn(u);
}

/* ------------------------------------------------------------------ beginning */

static nghttp2_session *
session_new(struct up_h2 *u)
{
    nghttp2_option *option = h2_options_new();
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *ng;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        xalloc_fail();
    up_h2_set_callbacks(callbacks);
    nghttp2_option_set_peer_max_concurrent_streams(option, u->untold);
    if (nghttp2_session_client_new2(&ng, callbacks, u, option) != 0)
        xalloc_fail();
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return ng;
}

static const struct up_kind up_h2_kind = { up_h2_open, close_session, room_for_streams };

struct up_session *
up_h2_new(struct conn *c, const struct h1_limits *limits, unsigned untold, const struct up_session_events *events,
          void *arg)
{
    struct up_h2 *u = xcalloc(1, sizeof(*u));
    const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, UP_H2_WINDOW },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->head },
    };

    u->b.kind = &up_h2_kind;
    u->b.c = c;
    u->b.loop = c->watch.loop;
    u->b.events = events;
    u->b.arg = arg;
    u->b.limits = *limits;
    u->untold = untold ? untold : STREAMS_UNTOLD;
    u->task.run = on_task;
    timer_init(&u->timer, u->b.loop, on_timer);
    TAILQ_INIT(&u->streams);
    TAILQ_INIT(&u->due);
    h2_frames_init(&u->frames);
    u->ng = session_new(u);
    nghttp2_submit_settings(u->ng, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(*settings));
    nghttp2_session_set_local_window_size(u->ng, NGHTTP2_FLAG_NONE, 0, H2_CONNECTION_WINDOW);
    conn_attach(c, on_ready, u);
    up_h2_later(u); /* the preface */
    return &u->b;
}
