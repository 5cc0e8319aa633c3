#include "date.h"
#include "../base/clock.h"

#include <time.h>

#define DATE_LEN 29

static void
put2(char *p, int v)
{
    p[0] = (char)('0' + v / 10 % 10);
    p[1] = (char)('0' + v % 10);
}

/* By hand: strftime would follow the locale. */
void
http_date_format(int64_t seconds, char out[DATE_LEN])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t t = (time_t)seconds;
    struct tm tm;

    memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", DATE_LEN);
    if (!gmtime_r(&t, &tm) || tm.tm_year < -1900 || tm.tm_year > 8099)
        return;
    memcpy(out, days + 3 * tm.tm_wday, 3);
    put2(out + 5, tm.tm_mday);
    memcpy(out + 8, months + 3 * tm.tm_mon, 3);
    put2(out + 12, (tm.tm_year + 1900) / 100);
    put2(out + 14, (tm.tm_year + 1900) % 100);
    put2(out + 17, tm.tm_hour);
    put2(out + 20, tm.tm_min);
    put2(out + 23, tm.tm_sec);
}

struct slice
http_date_now(void)
{
    static __thread int64_t second = INT64_MIN;
    static __thread char text[DATE_LEN];
    int64_t now = clock_wall() / NSEC_PER_SEC;

    if (now != second) {
        http_date_format(now, text);
        second = now;
    }
    return slice_of(text, DATE_LEN);
}
