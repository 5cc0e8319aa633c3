#include "rate.h"

#include "../proxy/metrics.h"

#define RATE_SAMPLES 11 /* ten seconds lie between the first and the last */

/* A ring of how many there were at each second. */
static struct {
    struct timer timer;
    struct {
        nsec_t at;
        uint64_t total;
    } sample[RATE_SAMPLES];
    unsigned n; /* taken so far */
    bool on;
} rate;

static void
on_second(struct timer *t)
{
    rate.sample[rate.n % RATE_SAMPLES].at = clock_now();
    rate.sample[rate.n++ % RATE_SAMPLES].total = metrics_requests_total();
    timer_after(t, NSEC_PER_SEC);
}

double
rate_read(void)
{
    unsigned oldest = rate.n < RATE_SAMPLES ? 0 : rate.n % RATE_SAMPLES;
    nsec_t now = clock_now(), span = now - rate.sample[oldest].at;
    if (!rate.on || rate.n == 0 || span < NSEC_PER_SEC / 10)
        return 0;
    return (double)(metrics_requests_total() - rate.sample[oldest].total) * (double)NSEC_PER_SEC / (double)span;
}

void
rate_start(struct loop *l)
{
    rate.n = 0;
    rate.on = true;
    timer_init(&rate.timer, l, on_second);
    timer_after(&rate.timer, 0);
}

void
rate_stop(void)
{
    if (rate.on)
        timer_fini(&rate.timer);
    rate.on = false;
}
