#include "clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

__thread struct clock_times clock_times;

static nsec_t
read_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (nsec_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

void
clock_update(void)
{
    clock_times.mono = read_clock(CLOCK_MONOTONIC);
    clock_times.wall = read_clock(CLOCK_REALTIME);
}

nsec_t
clock_wall(void)
{
    return clock_times.mono ? clock_times.wall : read_clock(CLOCK_REALTIME);
}

nsec_t
clock_precise(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* "2026-11-21T03:23:39" of that second. */
static void
format_second(time_t second, char out[20])
{
    struct tm tm;
    char text[80];

    memset(&tm, 0, sizeof(tm));
    gmtime_r(&second, &tm);
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec);
    memcpy(out, text, 19);
    out[19] = '\0';
}

int
clock_iso(nsec_t wall, char out[25])
{
    static __thread struct {
        time_t second;
        char text[20];
    } last;
    time_t second = (time_t)(wall / NSEC_PER_SEC);
    unsigned ms;

    if (wall % NSEC_PER_SEC < 0)
        second--;
    if (second != last.second || !last.text[0]) {
        format_second(second, last.text);
        last.second = second;
    }
    ms = (unsigned)((wall - (nsec_t)second * NSEC_PER_SEC) / NSEC_PER_MSEC);
    memcpy(out, last.text, 19);
    out[19] = '.';
    out[20] = (char)('0' + ms / 100);
    out[21] = (char)('0' + ms / 10 % 10);
    out[22] = (char)('0' + ms % 10);
    out[23] = 'Z';
    out[24] = '\0';
    return 24;
}
