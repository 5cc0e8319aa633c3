#include "access_line.h"

#include "../base/number.h"
#include "../base/utf8.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define ESCAPED_MAX 6 /* bytes that one byte may become: \u001f, \ufffd */

#define LIT(p, text) (memcpy((p), text, sizeof(text) - 1), (p) + sizeof(text) - 1)

/* ---- pieces ---- */

/* Bytes that stand for themselves in a JSON string: printable ASCII but the quote and the backslash. */
static inline bool
plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static char *
put_u16(char *p, unsigned v)
{
    static const char hex[] = "0123456789abcdef";

    *p++ = '\\';
    *p++ = 'u';
    *p++ = hex[v >> 12 & 15];
    *p++ = hex[v >> 8 & 15];
    *p++ = hex[v >> 4 & 15];
    *p++ = hex[v & 15];
    return p;
}

/* One character that is not plain; *n: how many bytes of s it takes. */
static char *
put_special(char *p, const unsigned char *s, size_t left, size_t *n)
{
    unsigned len;

    *n = 1;
    if (*s == '"' || *s == '\\') {
        *p++ = '\\';
        *p++ = (char)*s;
        return p;
    }
    if (*s < 0x80)
        return put_u16(p, *s);
    len = utf8_multibyte((const char *)s, left);
    if (!len)
        return put_u16(p, 0xfffd);
    *n = len;
    if (len == 2 && s[0] == 0xc2 && s[1] < 0xa0)
        return put_u16(p, s[1]); /* U+0080 to U+009F: control characters that some terminals obey */
    memcpy(p, s, len);
    return p + len;
}

/* put_plain: copies the bytes in pieces that overlap at the end, as far as they are plain; how many. What it writes
 * behind that is overwritten. */
#ifdef __SSE2__
/* A bit for each byte that is not plain. */
static inline unsigned
specials(__m128i x)
{
    /* Signed: bytes from 0x80 on are negative, so less than 0x20 as well. */
    __m128i special = _mm_or_si128(_mm_cmplt_epi8(x, _mm_set1_epi8(0x20)), _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)));

    special = _mm_or_si128(special, _mm_cmpeq_epi8(x, _mm_set1_epi8('"')));
    special = _mm_or_si128(special, _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));
    return (unsigned)_mm_movemask_epi8(special);
}

static inline bool
copy16(char *p, const unsigned char *s)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)s);

    _mm_storeu_si128((__m128i *)(void *)p, x);
    return specials(x) == 0;
}

/* Two pieces at once. */
static inline bool
copy8_8(char *p, const unsigned char *s, size_t n)
{
    __m128i first = _mm_loadl_epi64((const __m128i *)(const void *)s);
    __m128i last = _mm_loadl_epi64((const __m128i *)(const void *)(s + n - 8));

    _mm_storel_epi64((__m128i *)(void *)p, first);
    _mm_storel_epi64((__m128i *)(void *)(p + n - 8), last);
    return specials(_mm_unpacklo_epi64(first, last)) == 0;
}

static inline bool
copy4_4(char *p, const unsigned char *s, size_t n)
{
    int32_t first, last;

    memcpy(&first, s, 4);
    memcpy(&last, s + n - 4, 4);
    memcpy(p, &first, 4);
    memcpy(p + n - 4, &last, 4);
    return (specials(_mm_unpacklo_epi32(_mm_cvtsi32_si128(first), _mm_cvtsi32_si128(last))) & 0xff) == 0;
}

static inline size_t
put_plain(char *p, const unsigned char *s, size_t n)
{
    size_t i = 0;

    if (n < 4)
        return 0;
    if (n < 8)
        return copy4_4(p, s, n) ? n : 0;
    if (n < 16)
        return copy8_8(p, s, n) ? n : 0;
    for (; i + 16 <= n; i += 16) {
        if (!copy16(p + i, s + i))
            return i;
    }
    return i == n || copy16(p + n - 16, s + n - 16) ? n : i;
}
#else
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Bit 7 of each byte that is zero (and perhaps of some above it: good enough to ask for any). */
static inline uint64_t
zero_bytes(uint64_t v)
{
    return (v - EACH(0x01)) & ~v & EACH(0x80);
}

/* Are these eight bytes all plain? */
static inline bool
plain8(uint64_t v)
{
    uint64_t below = (v - EACH(0x20)) & ~v & EACH(0x80);

    return !(below | (v & EACH(0x80)) | zero_bytes(v ^ EACH('"')) | zero_bytes(v ^ EACH('\\')) |
             zero_bytes(v ^ EACH(0x7f)));
}

static inline bool
copy8(char *p, const unsigned char *s)
{
    uint64_t v;

    memcpy(&v, s, 8);
    memcpy(p, &v, 8);
    return plain8(v);
}

static inline size_t
put_plain(char *p, const unsigned char *s, size_t n)
{
    size_t i = 0;

    if (n < 8)
        return 0;
    for (; i + 8 <= n; i += 8) {
        if (!copy8(p + i, s + i))
            return i;
    }
    return i == n || copy8(p + n - 8, s + n - 8) ? n : i;
}
#endif

static char *
put_text(char *p, struct slice text)
{
    /* What is empty may be nowhere, and to that nothing may be added. */
    const unsigned char *s = (const unsigned char *)(text.p ? text.p : ""), *end = s + text.n;
    size_t n;

    *p++ = '"';
    n = put_plain(p, s, text.n);
    p += n;
    s += n;
    while (s < end) {
        if (plain(*s)) {
            *p++ = (char)*s++;
            continue;
        }
        p = put_special(p, s, (size_t)(end - s), &n);
        s += n;
    }
    *p++ = '"';
    return p;
}

static char *
put_text_or_null(char *p, struct slice text)
{
    return text.n ? put_text(p, text) : LIT(p, "null");
}

static char *
put_word(char *p, const char *s)
{
    return s ? put_text(p, slice_str(s)) : LIT(p, "null");
}

static char *
put_digits(char *p, unsigned v, unsigned n)
{
    for (unsigned i = n; i--; v /= 10)
        p[i] = (char)('0' + v % 10);
    return p + n;
}

/* Milliseconds with three decimals. */
static char *
put_ms(char *p, nsec_t d)
{
    uint64_t us = d > 0 ? (uint64_t)d / 1000 : 0;

    p = number_put(p, us / 1000);
    *p++ = '.';
    return put_digits(p, (unsigned)(us % 1000), 3);
}

/* The calendar is worked out once per second and thread. */
static char *
put_time(char *p, nsec_t wall)
{
    static __thread int64_t second = -1;
    static __thread char text[25];

    if (wall / NSEC_PER_SEC != second) {
        clock_iso(wall, text);
        second = wall / NSEC_PER_SEC;
    }
    *p++ = '"';
    memcpy(p, text, 20); /* up to the point before the milliseconds */
    p = put_digits(p + 20, (unsigned)(wall % NSEC_PER_SEC / NSEC_PER_MSEC), 3);
    return LIT(p, "Z\"");
}

/* ---- the line ---- */

/* A word of weir's own source: nothing in it needs an escape. */
static inline char *
put_own(char *p, const char *s)
{
    size_t n = strlen(s);

    memcpy(p, s, n);
    return p + n;
}

/* What a policy in shadow says is not applied; nobody who counts refusals shall take it for one. */
static char *
put_verdict(char *p, const struct decision *d)
{
    if (d->mode && d->verdict != VERDICT_SKIP && strcmp(d->mode, "shadow") == 0)
        p = LIT(p, "shadow_");
    if (d->verdict == VERDICT_PASS) /* as most are */
        return LIT(p, "pass");
    return put_own(p, verdict_name(d->verdict));
}

static char *
put_decision(char *p, const struct decision *d)
{
    p = LIT(p, "{\"step\":\"");
    p = put_own(p, d->step);
    p = LIT(p, "\",\"subject\":");
    p = put_text_or_null(p, d->subject);
    p = LIT(p, ",\"verdict\":\"");
    p = put_verdict(p, d);
    p = LIT(p, "\",\"reason\":");
    p = put_word(p, d->reason);
    p = LIT(p, ",\"at\":");
    p = put_word(p, d->at);
    *p++ = '}';
    return p;
}

static char *
put_why(char *p, const struct decision_log *log)
{
    *p++ = '[';
    for (unsigned i = 0; log && i < log->n; i++) {
        if (i)
            *p++ = ',';
        p = put_decision(p, &log->rows[i]);
    }
    *p++ = ']';
    return p;
}

static char *
put_request(char *p, const struct access_record *r)
{
    p = LIT(p, "{\"time\":");
    p = put_time(p, r->time_wall);
    p = LIT(p, ",\"request_id\":");
    p = put_text(p, r->request_id);
    p = LIT(p, ",\"client\":");
    p = put_text(p, r->client);
    p = LIT(p, ",\"method\":");
    p = put_text(p, r->method);
    p = LIT(p, ",\"scheme\":");
    p = put_text(p, r->scheme);
    p = LIT(p, ",\"host\":");
    p = put_text(p, r->host);
    p = LIT(p, ",\"path\":");
    p = put_text(p, r->path);
    p = LIT(p, ",\"query\":");
    p = put_text(p, r->query);
    p = LIT(p, ",\"protocol\":");
    return put_text(p, r->protocol);
}

static char *
put_answer(char *p, const struct access_record *r)
{
    p = LIT(p, ",\"status\":");
    p = number_put(p, r->status > 0 ? (uint64_t)r->status : 0);
    p = LIT(p, ",\"bytes_in\":");
    p = number_put(p, r->bytes_in);
    p = LIT(p, ",\"bytes_out\":");
    p = number_put(p, r->bytes_out);
    p = LIT(p, ",\"duration_ms\":");
    p = put_ms(p, r->duration);
    p = LIT(p, ",\"upstream\":");
    p = put_text_or_null(p, r->upstream);
    p = LIT(p, ",\"endpoint\":");
    p = put_text_or_null(p, r->endpoint);
    p = LIT(p, ",\"attempts\":");
    p = number_put(p, r->attempts);
    p = LIT(p, ",\"upstream_ms\":");
    p = r->upstream_duration < 0 ? LIT(p, "null") : put_ms(p, r->upstream_duration);
    p = LIT(p, ",\"route\":");
    p = put_text_or_null(p, r->route);
    p = LIT(p, ",\"reason\":");
    return put_word(p, r->reason);
}

char *
access_line_write(char *p, const struct access_record *r)
{
    p = put_request(p, r);
    p = put_answer(p, r);
    p = LIT(p, ",\"why\":");
    p = put_why(p, r->why);
    return LIT(p, "}\n");
}

static size_t
word_len(const char *s)
{
    return s ? strlen(s) : 0;
}

size_t
access_line_bound(const struct access_record *r)
{
    size_t n = r->request_id.n + r->client.n + r->method.n + r->scheme.n + r->host.n + r->path.n + r->query.n +
               r->protocol.n + r->upstream.n + r->endpoint.n + r->route.n + word_len(r->reason);
    unsigned rows = r->why ? r->why->n : 0;

    for (unsigned i = 0; i < rows; i++) {
        const struct decision *d = &r->why->rows[i];

        n += word_len(d->step) + d->subject.n + word_len(d->reason) + word_len(d->at);
    }
    /* 640: the keys, quotes and numbers of a line; 104: those of a row. */
    return 640 + rows * 104u + n * ESCAPED_MAX;
}
