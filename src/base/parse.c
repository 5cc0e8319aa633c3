#include "parse.h"

static int
digit_of(char c, unsigned base)
{
    int d = -1;

    if (c >= '0' && c <= '9')
        d = c - '0';
    else if (c >= 'a' && c <= 'f')
        d = c - 'a' + 10;
    else if (c >= 'A' && c <= 'F')
        d = c - 'A' + 10;
    return d < (int)base ? d : -1;
}

static int
parse_base(struct slice s, unsigned base, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    size_t i;

    if (!s.n)
        return -1;
    for (i = 0; i < s.n; i++) {
        int d = digit_of(s.p[i], base);

        if (d < 0 || v > max / base || v * base > max - (uint64_t)d || (uint64_t)d > max)
            return -1;
        v = v * base + (uint64_t)d;
    }
    *out = v;
    return 0;
}

/* Up to this many digits never overflow. */
#define DIGITS_SAFE 19

int
parse_u64(struct slice s, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    if (!s.n || s.n > DIGITS_SAFE)
        return parse_base(s, 10, max, out);
    for (size_t i = 0; i < s.n; i++) {
        unsigned d = (unsigned)s.p[i] - '0';

        if (d > 9)
            return -1;
        v = v * 10 + d;
    }
    if (v > max)
        return -1;
    *out = v;
    return 0;
}

int
parse_hex(struct slice s, uint64_t max, uint64_t *out)
{
    return parse_base(s, 16, max, out);
}

int
parse_size(struct slice s, uint64_t *out)
{
    unsigned shift = 0;
    uint64_t v;

    if (s.n) {
        char unit = s.p[s.n - 1];

        if (unit == 'k' || unit == 'K')
            shift = 10;
        else if (unit == 'm' || unit == 'M')
            shift = 20;
        else if (unit == 'g' || unit == 'G')
            shift = 30;
        if (shift)
            s.n--;
    }
    if (parse_u64(s, UINT64_MAX >> shift, &v) < 0)
        return -1;
    *out = v << shift;
    return 0;
}

static nsec_t
unit_of(struct slice s)
{
    static const struct {
        struct slice name;
        nsec_t len;
    } units[] = {
        { { "ms", 2 }, NSEC_PER_MSEC },
        { { "s", 1 }, NSEC_PER_SEC },
        { { "m", 1 }, 60 * NSEC_PER_SEC },
        { { "h", 1 }, 3600 * NSEC_PER_SEC },
        { { "d", 1 }, 86400 * NSEC_PER_SEC },
    };
    size_t i;

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (slice_eq(s, units[i].name))
            return units[i].len;
    }
    return 0;
}

int
parse_duration(struct slice s, nsec_t *out)
{
    size_t digits = 0;
    nsec_t unit;
    uint64_t v;

    while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
        digits++;
    if (slice_eq(s, SLICE("0"))) {
        *out = 0;
        return 0;
    }
    unit = unit_of(slice_from(s, digits));
    if (!unit || parse_u64(slice_of(s.p, digits), (uint64_t)(INT64_MAX / unit), &v) < 0)
        return -1;
    *out = (nsec_t)v * unit;
    return 0;
}

int
parse_rate(struct slice s, uint64_t *count, nsec_t *per)
{
    const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
    struct slice unit;
    nsec_t len;

    if (!slash)
        return -1;
    unit = slice_from(s, (size_t)(slash - s.p) + 1);
    len = slice_eq(unit, SLICE("ms")) ? 0 : unit_of(unit);
    if (!len || parse_u64(slice_of(s.p, (size_t)(slash - s.p)), UINT64_MAX, count) < 0)
        return -1;
    *per = len;
    return 0;
}

int
parse_percent(struct slice s, double *out)
{
    uint64_t whole, frac = 0;
    double scale = 1;
    struct slice after = SLICE_NONE;
    const char *dot;
    double v;

    if (s.n < 2 || s.p[s.n - 1] != '%')
        return -1;
    s.n--;
    dot = memchr(s.p, '.', s.n);
    if (dot) {
        size_t at = (size_t)(dot - s.p);

        after = slice_from(s, at + 1);
        s.n = at;
        if (after.n > 15 || parse_u64(after, UINT64_MAX, &frac) < 0)
            return -1;
    }
    if (parse_u64(s, 100, &whole) < 0)
        return -1;
    for (; after.n; after.n--)
        scale *= 10;
    v = (double)whole + (double)frac / scale;
    if (v > 100)
        return -1;
    *out = v;
    return 0;
}
