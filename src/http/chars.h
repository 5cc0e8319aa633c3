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

/* The first byte that may not stand in a request target: not 0x21..0x7e. */
static inline const char *
scan_target(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i low = _mm_set1_epi8(0x21), del = _mm_set1_epi8(0x7f);

    for (; end - p >= 16; p += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* Signed: bytes from 0x80 on are negative, so less than 0x21 as well. */
        int stop = _mm_movemask_epi8(_mm_or_si128(_mm_cmplt_epi8(x, low), _mm_cmpeq_epi8(x, del)));
        if (stop)
            return p + __builtin_ctz((unsigned)stop);
    }
#endif
    while (p<end && * p> 0x20 && *p < 0x7f)
        p++;
    return p;
}

/* The first byte that may not stand in a field value: a control byte other than HTAB. */
static inline const char *
scan_value(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i top = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);

    for (; end - p >= 16; p += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i control = _mm_andnot_si128(_mm_cmpeq_epi8(x, tab), _mm_cmpeq_epi8(_mm_min_epu8(x, top), x));
        int stop = _mm_movemask_epi8(_mm_or_si128(control, _mm_cmpeq_epi8(x, del)));
        if (stop)
            return p + __builtin_ctz((unsigned)stop);
    }
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
    const __m128i wanted = _mm_set1_epi8(c);

    for (; end - p >= 16; p += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        int found = _mm_movemask_epi8(_mm_cmpeq_epi8(x, wanted));
        if (found)
            return p + __builtin_ctz((unsigned)found);
    }
#endif
    while (p < end && *p != c)
        p++;
    return p;
}

#endif
