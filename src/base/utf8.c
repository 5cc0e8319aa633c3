#include "utf8.h"

unsigned
utf8_multibyte(const char *p, size_t n)
{
    const unsigned char *u = (const unsigned char *)p;
    unsigned char lo = 0x80, hi = 0xbf; /* bounds of the second byte: RFC 3629 4 */
    unsigned len, i;

    if (n < 2 || u[0] < 0xc2 || u[0] > 0xf4)
        return 0;
    len = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
    if (n < len)
        return 0;
    if (u[0] == 0xe0)
        lo = 0xa0;
    else if (u[0] == 0xed)
        hi = 0x9f;
    else if (u[0] == 0xf0)
        lo = 0x90;
    else if (u[0] == 0xf4)
        hi = 0x8f;
    if (u[1] < lo || u[1] > hi)
        return 0;
    for (i = 2; i < len; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

unsigned
utf8_printable(const char *p, size_t n)
{
    unsigned len = utf8_multibyte(p, n);

    return len == 2 && (unsigned char)p[0] == 0xc2 && (unsigned char)p[1] < 0xa0 ? 0 : len;
}

bool
utf8_valid(const char *p, size_t n)
{
    size_t i = 0;

    while (i < n) {
        unsigned len = (unsigned char)p[i] < 0x80 ? 1 : utf8_multibyte(p + i, n - i);

        if (!len)
            return false;
        i += len;
    }
    return true;
}
