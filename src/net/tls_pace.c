#include "tls_pace.h"

#include "../stats/stats.h"
#include "tls.h"
#include "tls_session.h"

/* Of a turn. A whole handshake takes 0.1 ms (ECDSA) to 1 ms (RSA): one is always done. */
#define SHARE (2 * NSEC_PER_MSEC)

static _Thread_local struct {
    struct loop *loop;     /* NULL: nobody has waited yet */
    struct timer timer;    /* of the next turn, while anybody waits */
    nsec_t turn;           /* in which `spent` was */
    nsec_t spent, started; /* started: of the handshake under way */
    TAILQ_HEAD(, tls_wait) waiting;
    bool serving; /* those that have waited */
} pace;

static stats_id handshakes[2][3], deferred;

void
tls_metrics_init(void)
{
    static const char *const labels[] = { "side", "outcome" }, *const sides[] = { "upstream", "downstream" };
    static const char *const outcomes[] = { "full", "resumed", "failed" };
    struct stats_family *f =
        stats_family("weir_tls_handshakes_total", STATS_COUNTER,
                     "TLS handshakes with clients and origins, by how they ended.", labels, 2, NULL, 0);

    for (int side = 0; side < 2; side++)
        for (int i = 0; i < 3; i++)
            handshakes[side][i] = stats_series(f, (struct slice[]){ slice_str(sides[side]), slice_str(outcomes[i]) });
    deferred = stats_series(stats_family("weir_tls_handshakes_deferred_total", STATS_COUNTER,
                                         "How often a handshake had to wait because others had used up their share of "
                                         "its turn.",
                                         NULL, 0, NULL, 0),
                            NULL);
}

void
tls_pace_count(bool client, enum tls_outcome outcome)
{
    stats_add(handshakes[client][outcome], 1);
}

static void
on_turn(struct timer *t)
{
    struct tls_wait *w;

    pace.turn = 0;
    pace.serving = true;
    while ((w = TAILQ_FIRST(&pace.waiting)) && (!pace.turn || pace.spent < SHARE)) {
        tls_pace_forget(w);
        w->go_on(w);
    }
    pace.serving = false;
    if (!TAILQ_EMPTY(&pace.waiting))
        timer_set(t, clock_now());
}

static void
wait_for_turn(struct tls_wait *w)
{
    stats_add(deferred, 1);
    w->queued = true;
    TAILQ_INSERT_TAIL(&pace.waiting, w, order);
    if (!pace.serving && !timer_is_set(&pace.timer))
        timer_set(&pace.timer, clock_now());
}

bool
tls_pace_begin(struct tls_wait *w, struct loop *l)
{
    nsec_t turn = loop_turn_started(l);

    if (!pace.loop) {
        pace.loop = l;
        timer_init(&pace.timer, l, on_turn);
        TAILQ_INIT(&pace.waiting);
    }
    if (w->queued)
        return false;
    if (pace.turn != turn) {
        pace.turn = turn;
        pace.spent = 0;
    }
    if (pace.spent >= SHARE || (!pace.serving && !TAILQ_EMPTY(&pace.waiting))) {
        wait_for_turn(w);
        return false;
    }
    pace.started = clock_precise();
    return true;
}

void
tls_pace_end(void)
{
    pace.spent += clock_precise() - pace.started;
}

void
tls_pace_forget(struct tls_wait *w)
{
    if (!w->queued)
        return;
    w->queued = false;
    TAILQ_REMOVE(&pace.waiting, w, order);
}

void
tls_pace_fini(void)
{
    if (pace.loop)
        timer_fini(&pace.timer);
    pace.loop = NULL;
}

void
tls_thread_fini(void)
{
    tls_sessions_forget();
    tls_pace_fini();
}
