/* number: decimal digits without a pass through printf, for texts that are written for every request. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdint.h>

#define NUMBER_DIGITS_MAX 20 /* of 64 bits */

/* Decimal, at p, which has room for it. Returns the end. */
static inline char *
number_put(char *p, uint64_t v)
{
    char digits[NUMBER_DIGITS_MAX];
    unsigned n = 0;

    do
        digits[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n)
        *p++ = digits[--n];
    return p;
}

#endif
