/*
 * clock: time is read once per loop turn (clock_update, by the loop) and served from thread-local memory after that.
 * All durations and points in time inside weir are int64_t nanoseconds.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

typedef int64_t nsec_t; /* nanoseconds; a point on the monotonic clock or a duration */

#define NSEC_PER_SEC 1000000000LL
#define NSEC_PER_MSEC 1000000LL

/* Of this thread; 0: never updated. */
extern __thread struct clock_times {
    nsec_t mono, wall;
} clock_times;

void clock_update(void);
nsec_t clock_precise(void); /* monotonic, read now: for timing policy calls */
nsec_t clock_wall(void);    /* since the epoch, as of the last clock_update */

/* Monotonic, as of the last clock_update of this thread; read when there was none. A request asks twenty times. */
static inline nsec_t
clock_now(void)
{
    nsec_t now = clock_times.mono;

    return now ? now : clock_precise();
}

/* "2026-11-21T03:23:39.123Z": 24 characters and a NUL; returns 24. */
int clock_iso(nsec_t wall, char out[25]);

#endif
