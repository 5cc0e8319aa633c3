#include "config.h"

#include "notify.h"

#ifdef HAVE_SYSTEMD
#include "../event/watchdog.h"

#include <systemd/sd-daemon.h>

#include <inttypes.h>
#include <stdbool.h>
#include <time.h>

static struct timer watchdog;
static nsec_t watchdog_every;
static bool told_ready;

static void
on_watchdog(struct timer *t)
{
    if (!watchdog_stuck()) /* a worker that is stuck is as bad as this loop being it: systemd shall restart */
        sd_notify(0, "WATCHDOG=1");
    timer_after(t, watchdog_every);
}

void
notify_start(struct loop *l)
{
    uint64_t usec = 0;
    timer_init(&watchdog, l, on_watchdog);
    if (sd_watchdog_enabled(0, &usec) > 0) {
        watchdog_every = (nsec_t)usec * 1000 / 2;
        timer_after(&watchdog, watchdog_every);
    }
}

void
notify_ready(void)
{
    if (told_ready)
        return;
    told_ready = true;
    sd_notify(0, "READY=1\nSTATUS=serving");
}

void
notify_reloading(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000);
}

void
notify_reloaded(void)
{
    sd_notify(0, "READY=1");
}

void
notify_stopping(void)
{
    sd_notify(0, "STOPPING=1\nSTATUS=draining");
}

void
notify_fini(void)
{
    timer_fini(&watchdog);
}

#else

void
notify_start(struct loop *l)
{
    (void)l;
}
void
notify_ready(void)
{
}
void
notify_reloading(void)
{
}
void
notify_reloaded(void)
{
}
void
notify_stopping(void)
{
}
void
notify_fini(void)
{
}

#endif
