#include "drain.h"

#include "../admin/admin.h"
#include "../base/log.h"
#include "../proxy/worker.h"
#include "live.h"
#include "notify.h"

enum drain_phase { DRAIN_NONE, DRAIN_LAG, DRAIN_CLOSING, DRAIN_CUT };

static struct {
    struct loop *loop;
    enum drain_phase phase;
    nsec_t deadline;
    struct timer timer;
} dr;

#define DRAIN_LOOK (50 * NSEC_PER_MSEC) /* how often the sessions left are counted */

static void
drain_close(void)
{
    const struct generation *g = live_current();
    dr.phase = DRAIN_CLOSING;
    dr.deadline = clock_now() + (g ? g->drain_timeout : 0);
    proxy_drain();
    timer_after(&dr.timer, DRAIN_LOOK);
}

static void
drain_cut(void)
{
    unsigned left = proxy_sessions();
    if (left)
        log_warning(NULL, "drain: `timeout` passed; closing %u connections", left);
    dr.phase = DRAIN_CUT;
    proxy_abort();
    loop_stop(dr.loop);
}

static void
on_drain_timer(struct timer *t)
{
    if (dr.phase == DRAIN_LAG)
        drain_close();
    else if (proxy_sessions() == 0 || clock_now() >= dr.deadline)
        drain_cut();
    else
        timer_after(t, DRAIN_LOOK);
}

void
drain_begin(void)
{
    const struct generation *g = live_current();
    if (dr.phase)
        return;
    log_notice(NULL, "draining");
    notify_stopping();
    dr.phase = DRAIN_LAG;
    proxy_leave();
    timer_after(&dr.timer, g ? g->drain_lag : 0);
}

void
drain_skip(void)
{
    log_notice(NULL, "stopping at once");
    dr.phase = DRAIN_CUT;
    proxy_abort();
    loop_stop(dr.loop);
}

void
drain_leave(bool successor)
{
    const struct generation *g = live_current();
    if (dr.phase >= DRAIN_CLOSING)
        return;
    if (successor)
        log_notice(NULL, "a successor serves; finishing what is under way");
    admin_leave();
    proxy_hand_over();
    dr.phase = DRAIN_LAG; /* clients with an idle connection learn of it by their next answer, if they ask in time */
    timer_after(&dr.timer, g ? g->drain_lag : 0);
}

bool
drain_on(void)
{
    return dr.phase != DRAIN_NONE;
}

void
drain_init(struct loop *loop)
{
    dr.loop = loop;
    timer_init(&dr.timer, loop, on_drain_timer);
}

void
drain_fini(void)
{
    timer_fini(&dr.timer);
}
