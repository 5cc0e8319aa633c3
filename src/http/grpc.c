#include "grpc.h"

#include "../base/number.h"
#include "../base/parse.h"

#define MINUTE (60 * NSEC_PER_SEC)
#define HOUR (60 * MINUTE)
#define CENTURY (100 * 365 * 24 * HOUR)

static const struct {
    const char *name, *word;
} names[GRPC_STATUS_COUNT] = {
#define X(id, word) [GRPC_##id] = { #id, #word },
    GRPC_STATUS_LIST(X)
#undef X
};

const char *
grpc_status_name(enum grpc_status s)
{
    return (unsigned)s < GRPC_STATUS_COUNT ? names[s].name : names[GRPC_UNKNOWN].name;
}

const char *
grpc_status_word(enum grpc_status s)
{
    return (unsigned)s < GRPC_STATUS_COUNT ? names[s].word : names[GRPC_UNKNOWN].word;
}

bool
grpc_status_find(struct slice word, enum grpc_status *out)
{
    for (unsigned i = 0; i < GRPC_STATUS_COUNT; i++) {
        if (slice_eq(word, slice_str(names[i].word))) {
            *out = (enum grpc_status)i;
            return true;
        }
    }
    return false;
}

enum grpc_status
grpc_status_parse(struct slice value)
{
    uint64_t code;

    return parse_u64(value, GRPC_STATUS_COUNT - 1, &code) == 0 ? (enum grpc_status)code : GRPC_UNKNOWN;
}

bool
grpc_content_type(struct slice value)
{
    static const struct slice type = { "application/grpc", 16 };

    if (value.n < type.n || !slice_ieq(slice_of(value.p, type.n), type))
        return false;
    if (value.n == type.n)
        return true;
    switch (value.p[type.n]) {
    case '+':
    case ';':
    case ' ':
    case '\t':
        return true;
    default:
        return false; /* application/grpc-web */
    }
}

/* ---- time-outs ---- */

/* The finest first. */
static const struct {
    char unit;
    nsec_t length;
} units[] = {
    { 'n', 1 }, { 'u', 1000 }, { 'm', NSEC_PER_MSEC }, { 'S', NSEC_PER_SEC }, { 'M', MINUTE }, { 'H', HOUR },
};

#define UNITS (sizeof(units) / sizeof(units[0]))
#define DIGITS_END 100000000 /* the first number of nine digits */

int
grpc_timeout_parse(struct slice value, nsec_t *out)
{
    uint64_t count;

    if (value.n < 2 || value.n > 9 || parse_u64(slice_of(value.p, value.n - 1), DIGITS_END - 1, &count) != 0)
        return -1;
    for (unsigned i = 0; i < UNITS; i++) {
        if (units[i].unit != value.p[value.n - 1])
            continue;
        *out = count > CENTURY / (uint64_t)units[i].length ? CENTURY : (nsec_t)count * units[i].length;
        return 0;
    }
    return -1;
}

size_t
grpc_timeout_write(char out[GRPC_TIMEOUT_MAX], nsec_t left)
{
    unsigned i = 0;
    char *end;

    if (left < 1)
        left = 1;
    while (i + 1 < UNITS && left / units[i].length >= DIGITS_END)
        i++;
    end = number_put(out, (uint64_t)(left / units[i].length));
    *end++ = units[i].unit;
    return (size_t)(end - out);
}

/* ---- the same in other words ---- */

enum grpc_status
grpc_of_http(int status)
{
    switch (status) {
    case 400:
        return GRPC_INTERNAL;
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
        return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_UNKNOWN;
    }
}

enum grpc_status
grpc_of_reason(const struct reason *r)
{
    if (r->grpc)
        return (enum grpc_status)r->grpc;
    /* Of the reasons of modules only the status is known. Nobody but weir gives it, so it can be taken by its word. */
    switch (r->status) {
    case 413:
    case 429:
    case 431:
        return GRPC_RESOURCE_EXHAUSTED;
    case 405:
    case 415:
    case 501:
        return GRPC_UNIMPLEMENTED;
    case 408:
        return GRPC_DEADLINE_EXCEEDED;
    case 500:
        return GRPC_INTERNAL;
    default:
        return grpc_of_http(r->status);
    }
}

int
grpc_to_http(enum grpc_status s)
{
    static const short statuses[GRPC_STATUS_COUNT] = {
        [GRPC_OK] = 200,
        [GRPC_CANCELLED] = 499,
        [GRPC_UNKNOWN] = 500,
        [GRPC_INVALID_ARGUMENT] = 400,
        [GRPC_DEADLINE_EXCEEDED] = 504,
        [GRPC_NOT_FOUND] = 404,
        [GRPC_ALREADY_EXISTS] = 409,
        [GRPC_PERMISSION_DENIED] = 403,
        [GRPC_RESOURCE_EXHAUSTED] = 429,
        [GRPC_FAILED_PRECONDITION] = 400,
        [GRPC_ABORTED] = 409,
        [GRPC_OUT_OF_RANGE] = 400,
        [GRPC_UNIMPLEMENTED] = 404,
        [GRPC_INTERNAL] = 500,
        [GRPC_UNAVAILABLE] = 503,
        [GRPC_DATA_LOSS] = 500,
        [GRPC_UNAUTHENTICATED] = 401,
    };

    return (unsigned)s < GRPC_STATUS_COUNT ? statuses[s] : 500;
}

/* ---- bodies ---- */

#define PREFIX 5u /* a flag, and the length */

bool
grpc_framing_within(struct grpc_framing *m, struct slice bytes, uint64_t max)
{
    m->seen += bytes.n;
    while (bytes.n) {
        size_t n = 1;

        if (m->prefix < PREFIX) {
            m->length = m->length << 8 | (unsigned char)bytes.p[0]; /* the flag is shifted out by then */
            if (++m->prefix == PREFIX && m->length > max)
                return false;
        } else {
            n = bytes.n < m->length ? bytes.n : m->length;
            m->length -= (uint32_t)n;
        }
        if (m->prefix == PREFIX && !m->length)
            m->prefix = 0;
        bytes = slice_from(bytes, n);
    }
    return true;
}

/* ---- messages ---- */

static bool
stands(char c)
{
    return c >= ' ' && c <= '~' && c != '%';
}

struct slice
grpc_message(struct arena *a, struct slice text)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;
    char *out;

    while (n < text.n && stands(text.p[n]))
        n++;
    if (n == text.n)
        return text;
    out = arena_alloc(a, n + 3 * (text.n - n));
    memcpy(out, text.p, n);
    for (size_t i = n; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if (stands(text.p[i])) {
            out[n++] = text.p[i];
            continue;
        }
        out[n++] = '%';
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 15];
    }
    return slice_of(out, n);
}
