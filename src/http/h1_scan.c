/* h1_scan: the end of a head, found by its line feeds. Each byte is looked at once, 64 at a time where the CPU has
 * SSE2. */
#include "h1_parse.h"
#include "chars.h"

static enum h1_result
check_line(const struct h1_scan *s, size_t len, const struct h1_limits *limits, struct h1_error *err)
{
    if (s->lines == 0)
        return len > limits->request_line ? h1_exceed(err, LIMIT_REQUEST_LINE, "a request line longer than the limit")
                                          : H1_MORE;
    return len > limits->field ? h1_exceed(err, LIMIT_FIELD, "a field longer than the limit") : H1_MORE;
}

/* A line feed at p[at]. The length is looked at first, as it is while a line is coming: what is wrong with a head shall
 * not depend on the pieces it came in. */
static enum h1_result
end_line(struct h1_scan *s, const char *p, size_t at, const struct h1_limits *limits, struct h1_error *err)
{
    size_t len = at - s->line_start; /* with its CR */
    bool cr = len && p[at - 1] == '\r';

    if (check_line(s, len - cr, limits, err) == H1_ERROR)
        return H1_ERROR;
    if (!cr)
        return h1_fail(err, REASON_BAD_REQUEST, "a line that ends without CR");
    s->line_start = at + 1;
    if (len == 1)
        return s->lines ? H1_DONE : h1_fail(err, REASON_BAD_REQUEST, "an empty line where a head should start");
    if (s->lines++ > limits->fields)
        return h1_exceed(err, LIMIT_FIELDS, "more fields than the limit");
    return H1_MORE;
}

/* The same for the line that nearly every line is: within its bound, ended by CRLF, and not the empty one. */
static inline enum h1_result
pass_line(struct h1_scan *s, const char *p, size_t at, const struct h1_limits *limits, struct h1_error *err)
{
    size_t len = at - s->line_start, bound = s->lines ? limits->field : limits->request_line;

    if (len < 2 || len - 1 > bound || p[at - 1] != '\r' || s->lines > limits->fields)
        return end_line(s, p, at, limits, err);
    s->line_start = at + 1;
    s->lines++;
    return H1_MORE;
}

#ifdef __SSE2__
static inline uint64_t
line_feeds(const char *p)
{
    const __m128i lf = _mm_set1_epi8('\n');
    const __m128i *v = (const __m128i *)(const void *)p;
    uint64_t mask = 0;

    for (int i = 0; i < 4; i++)
        mask |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(v + i), lf)) << (16 * i);
    return mask;
}
#endif

/* Line by line from s->seen on; where the head does not end all of n is seen. */
static enum h1_result
scan_lines(struct h1_scan *s, const char *p, size_t n, const struct h1_limits *limits, struct h1_error *err)
{
    enum h1_result result = H1_MORE;
    size_t i = s->seen;

#ifdef __SSE2__
    for (; n - i >= 64; i += 64) {
        for (uint64_t mask = line_feeds(p + i); mask; mask &= mask - 1) {
            result = pass_line(s, p, i + (unsigned)__builtin_ctzll(mask), limits, err);
            if (result != H1_MORE)
                return result;
        }
    }
#endif
    while (result == H1_MORE) {
        const char *lf = scan_char(p + i, p + n, '\n');

        if (lf == p + n)
            break;
        i = (size_t)(lf - p) + 1;
        result = pass_line(s, p, i - 1, limits, err);
    }
    s->seen = n;
    return result;
}

enum h1_result
h1_find_head(struct h1_scan *s, const char *p, size_t n, const struct h1_limits *limits, size_t *head_len,
             struct h1_error *err)
{
    enum h1_result result;
    size_t len, max = n < limits->head ? n : limits->head; /* what lies behind the limit is not looked at */

    if (n <= s->seen)
        return H1_MORE;
    if (s->seen == 0 && p[0] != '\r' && p[0] != '\n' && !char_is(p[0], CHAR_TOKEN))
        return h1_fail(err, REASON_BAD_REQUEST, "a first byte that is not HTTP");
    result = scan_lines(s, p, max, limits, err);
    if (result == H1_DONE) {
        *head_len = s->line_start;
        return H1_DONE;
    }
    if (result == H1_ERROR)
        return H1_ERROR;
    len = max - s->line_start;
    if (len && p[max - 1] == '\r')
        len--;
    if (check_line(s, len, limits, err) == H1_ERROR)
        return H1_ERROR;
    return n >= limits->head ? h1_exceed(err, LIMIT_HEAD, "a head larger than the limit") : H1_MORE;
}
