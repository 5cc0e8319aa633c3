#include "base64.h"

#include <stdint.h>

static const char letters[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* -1: none of them. */
static int
value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

ssize_t
base64_decode(struct base64_decoder *d, const char *p, size_t n, char *out)
{
    char *to = out;

    for (size_t i = 0; i < n; i++) {
        int v = value_of(p[i]);

        if (p[i] == '=' ? d->have < 2 : v < 0 || d->pads)
            return -1;
        d->pads += p[i] == '=';
        d->bits = d->bits << 6 | (v < 0 ? 0 : (unsigned)v);
        if (++d->have < 4)
            continue;
        for (unsigned k = 0; k < 3 - d->pads; k++)
            *to++ = (char)(d->bits >> (16 - 8 * k) & 0xff);
        *d = (struct base64_decoder){ 0 };
    }
    return to - out;
}

bool
base64_complete(const struct base64_decoder *d)
{
    return d->have == 0;
}

static char *
put_group(char *to, unsigned char a, unsigned char b, unsigned char c)
{
    *to++ = letters[a >> 2];
    *to++ = letters[(a & 3) << 4 | b >> 4];
    *to++ = letters[(b & 15) << 2 | c >> 6];
    *to++ = letters[c & 63];
    return to;
}

size_t
base64_encode(struct base64_encoder *e, const char *p, size_t n, char *out)
{
    const unsigned char *from = (const unsigned char *)p, *end = from + n;
    char *to = out;

    if (e->n + n < 3) {
        while (from < end)
            e->rest[e->n++] = *from++;
        return 0;
    }
    if (e->n == 1)
        to = put_group(to, e->rest[0], from[0], from[1]), from += 2;
    else if (e->n == 2)
        to = put_group(to, e->rest[0], e->rest[1], from[0]), from += 1;
    e->n = 0;
    for (; end - from >= 3; from += 3)
        to = put_group(to, from[0], from[1], from[2]);
    while (from < end)
        e->rest[e->n++] = *from++;
    return (size_t)(to - out);
}

size_t
base64_flush(struct base64_encoder *e, char out[4])
{
    if (!e->n)
        return 0;
    put_group(out, e->rest[0], e->n == 2 ? e->rest[1] : 0, 0);
    out[3] = '=';
    if (e->n == 1)
        out[2] = '=';
    e->n = 0;
    return 4;
}
