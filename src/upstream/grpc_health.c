#include "grpc_health.h"

#include <stdint.h>
#include <string.h>

#define PREFIX 5 /* a flag for compression, and the length of the message in four bytes */

size_t
grpc_health_request(char out[GRPC_HEALTH_REQUEST_MAX], struct slice service)
{
    size_t n = service.n ? 2 + service.n : 0;

    memset(out, 0, PREFIX);
    out[4] = (char)n;
    if (n) {
        out[5] = 1 << 3 | 2; /* field 1, a string */
        out[6] = (char)service.n;
        memcpy(out + 7, service.p, service.n);
    }
    return PREFIX + n;
}

/* A varint off the front of *s. -1: there is none. */
static int
take_varint(struct slice *s, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < 10 && i < s->n; i++) {
        unsigned char byte = (unsigned char)s->p[i];

        *value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) {
            *s = slice_from(*s, i + 1);
            return 0;
        }
    }
    return -1;
}

/* Passes over a field by its wire type. -1: it has none that can be passed over, or is cut short. */
static int
skip(struct slice *s, unsigned type)
{
    uint64_t n;

    if (type == 0)
        return take_varint(s, &n);
    if (type == 2 && take_varint(s, &n) < 0)
        return -1;
    if (type == 1)
        n = 8;
    else if (type == 5)
        n = 4;
    else if (type != 2)
        return -1;
    if (n > s->n)
        return -1;
    *s = slice_from(*s, (size_t)n);
    return 0;
}

static size_t
message_length(struct slice prefix)
{
    const unsigned char *p = (const unsigned char *)prefix.p;

    return (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
}

int
grpc_health_response(struct slice body)
{
    uint64_t tag, status = GRPC_SERVING_UNKNOWN; /* a field that is left out has its default */

    if (body.n < PREFIX || body.p[0] != 0 || message_length(body) != body.n - PREFIX)
        return -1;
    body = slice_from(body, PREFIX);
    while (body.n) {
        if (take_varint(&body, &tag) < 0)
            return -1;
        if (tag == 1 << 3) {
            if (take_varint(&body, &status) < 0)
                return -1;
        } else if (skip(&body, (unsigned)(tag & 7)) < 0) {
            return -1;
        }
    }
    return status <= GRPC_SERVICE_UNKNOWN ? (int)status : GRPC_SERVING_UNKNOWN;
}

const char *
grpc_serving_name(int status)
{
    static const char *const names[] = { "UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN" };

    return status >= 0 && status <= GRPC_SERVICE_UNKNOWN ? names[status] : "no health answer";
}
