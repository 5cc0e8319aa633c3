#include "base64url.h"

#include <stdint.h>

static int
digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

ssize_t
base64url_decode(const char *in, size_t n, unsigned char *out)
{
    uint32_t bits = 0;
    unsigned have = 0;
    unsigned char *p = out;
    if (n % 4 == 1)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int d = digit((unsigned char)in[i]);
        if (d < 0)
            return -1;
        bits = bits << 6 | (uint32_t)d;
        have += 6;
        if (have >= 8) {
            have -= 8;
            *p++ = (unsigned char)(bits >> have);
        }
    }
    if (bits & ((UINT32_C(1) << have) - 1))
        return -1;
    return p - out;
}
