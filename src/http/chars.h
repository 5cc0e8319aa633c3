/*
 * chars: the classes of bytes of RFC 9110 and RFC 3986, as one table, and searches over runs of bytes. The searches
 * look at 16 bytes at a time where the CPU has SSE2 (every x86-64) and never read outside [p, end).
 */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include "../base/slice.h"

#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    CHAR_TOKEN = 1,      /* tchar, RFC 9110 5.6.2 */
    CHAR_UNRESERVED = 2, /* RFC 3986 2.3 */
    CHAR_PATH = 4,       /* pchar without '%': what stands unescaped in a path segment */
    CHAR_HEX = 8,
    CHAR_HOST = 16 /* of a DNS name as weir takes it: letters, digits, '-', '.', '_' */
};

extern const uint8_t char_class[256];

static inline bool
char_is(char c, unsigned classes)
{
    return char_class[(unsigned char)c] & classes;
}

/* -1: not a hexadecimal digit. */
static inline int
char_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline char
char_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

#ifdef __SSE2__
/* Returns the first byte that `stops` marks, if there is one: looks at blocks of 16, then of 8 and 4, and leaves the
 * few at the end to the caller's loop. stops(x): a bit for each byte of x; of a smaller block those of its bytes count.
 */
#define SCAN_BLOCK(p, load, bytes, stops)                                                                              \
    do {                                                                                                               \
        unsigned found = (unsigned)stops(load) & ((1u << (bytes)) - 1);                                                \
        if (found)                                                                                                     \
            return (p) + __builtin_ctz(found);                                                                         \
        (p) += (bytes);                                                                                                \
    } while (0)
#define SCAN_BLOCKS(p, end, stops)                                                                                     \
    do {                                                                                                               \
        while ((end) - (p) >= 16)                                                                                      \
            SCAN_BLOCK(p, _mm_loadu_si128((const __m128i *)(const void *)(p)), 16, stops);                             \
        if ((end) - (p) >= 8)                                                                                          \
            SCAN_BLOCK(p, _mm_loadl_epi64((const __m128i *)(const void *)(p)), 8, stops);                              \
        if ((end) - (p) >= 4)                                                                                          \
            SCAN_BLOCK(p, chars_load4(p), 4, stops);                                                                   \
    } while (0)

static inline __m128i
chars_load4(const char *p)
{
    int32_t v;

    memcpy(&v, p, sizeof(v));
    return _mm_cvtsi32_si128(v);
}

static inline int
target_stops(__m128i x)
{
    /* Signed: bytes from 0x80 on are negative, so less than 0x21 as well. */
    return _mm_movemask_epi8(
        _mm_or_si128(_mm_cmplt_epi8(x, _mm_set1_epi8(0x21)), _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f))));
}

static inline int
value_stops(__m128i x)
{
    __m128i control = _mm_andnot_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('\t')),
                                       _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x));

    return _mm_movemask_epi8(_mm_or_si128(control, _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f))));
}
#endif

/* The first byte that may not stand in a request target: not 0x21..0x7e. */
static inline const char *
scan_target(const char *p, const char *end)
{
#ifdef __SSE2__
    SCAN_BLOCKS(p, end, target_stops);
#endif
    while (p < end && *p > 0x20 && *p < 0x7f)
        p++;
    return p;
}

/* The first byte that may not stand in a field value: a control byte other than HTAB. */
static inline const char *
scan_value(const char *p, const char *end)
{
#ifdef __SSE2__
    SCAN_BLOCKS(p, end, value_stops);
#endif
    while (p < end && ((unsigned char)*p >= 0x20 || *p == '\t') && *p != 0x7f)
        p++;
    return p;
}

/* The first `c`, or `end`. As memchr, without the call for the short runs that field names are. */
static inline const char *
scan_char(const char *p, const char *end, char c)
{
#ifdef __SSE2__
#define CHAR_STOPS(x) _mm_movemask_epi8(_mm_cmpeq_epi8((x), _mm_set1_epi8(c)))
    SCAN_BLOCKS(p, end, CHAR_STOPS);
#undef CHAR_STOPS
#endif
    while (p < end && *p != c)
        p++;
    return p;
}

#endif
