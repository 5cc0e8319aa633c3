#include "proxy_protocol.h"

#include "../base/parse.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define V2_HEAD 16u  /* signature, version and command, family, length */
#define V2_UNIX 216u /* two paths of 108 bytes */
#define TLV_CRC32C 0x03

static const char v1_start[] = "PROXY ";
static const char v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";

static ssize_t
refuse(const char **error, const char *why)
{
    *error = why;
    return -1;
}

/* ------------------------------------------------------------------ version 1: a line of text */

/* Up to the next space, which is taken too; all that is left when there is none. */
static struct slice
word(struct slice *line)
{
    const char *space = line->n ? memchr(line->p, ' ', line->n) : NULL;
    size_t n = space ? (size_t)(space - line->p) : line->n;
    struct slice w = slice_of(line->p, n);

    *line = slice_from(*line, space ? n + 1 : n);
    return w;
}

static bool
v1_port(struct slice s, uint16_t *port)
{
    uint64_t value;

    if (s.n > 5 || (s.n > 1 && s.p[0] == '0') || parse_u64(s, UINT16_MAX, &value) < 0)
        return false;
    *port = (uint16_t)value;
    return true;
}

static bool
v1_addr(struct slice s, int family, struct addr *a)
{
    return s.n && s.p[0] != '[' && addr_parse_ip(s, a) == 0 && a->u.sa.sa_family == family;
}

/* What follows UNKNOWN is of no interest, but for the end of the line. */
static ssize_t
v1_line(struct slice line, struct proxy_header *h, const char **error)
{
    struct slice family = word(&line);
    int af = slice_eq(family, SLICE("TCP4")) ? AF_INET : slice_eq(family, SLICE("TCP6")) ? AF_INET6 : AF_UNSPEC;
    uint16_t ports[2];

    if (slice_eq(family, SLICE("UNKNOWN")))
        return 0;
    if (af == AF_UNSPEC)
        return refuse(error, "the family is none of TCP4, TCP6 and UNKNOWN");
    if (!v1_addr(word(&line), af, &h->source))
        return refuse(error, "the source is no address of its family");
    if (!v1_addr(word(&line), af, &h->destination))
        return refuse(error, "the destination is no address of its family");
    if (!v1_port(word(&line), &ports[0]))
        return refuse(error, "the source's port is none");
    if (!v1_port(line, &ports[1]))
        return refuse(error, "the destination's port is none");
    addr_set_port(&h->source, ports[0]);
    addr_set_port(&h->destination, ports[1]);
    h->known = true;
    return 0;
}

static ssize_t
v1_parse(const char *p, size_t n, struct proxy_header *h, const char **error)
{
    size_t start = sizeof(v1_start) - 1, seen = n < PROXY_V1_MAX ? n : PROXY_V1_MAX;
    const char *lf;
    struct slice line;

    if (n < start)
        return 0;
    lf = memchr(p, '\n', seen);
    if (!lf)
        return seen < PROXY_V1_MAX ? 0 : refuse(error, "the line is longer than 107 bytes");
    line = slice_of(p + start, (size_t)(lf - p) - start);
    if (line.n == 0 || lf[-1] != '\r')
        return refuse(error, "the line does not end with CR LF");
    line.n--;
    if (memchr(line.p, '\r', line.n))
        return refuse(error, "a bare CR");
    return v1_line(line, h, error) < 0 ? -1 : lf + 1 - p;
}

/* ------------------------------------------------------------------ version 2: binary */

static unsigned
two_bytes(const char *p)
{
    return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

/* CRC32c (RFC 3720 12.1, B.4) of p[0..n) in which the four bytes at `hole` count as 0. */
static uint32_t
crc32c(const char *p, size_t n, size_t hole)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < n; i++) {
        crc ^= i - hole < 4 ? 0 : (unsigned char)p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

/* The TLVs lie in p[at..end), the end of the header. */
static int
v2_tlvs(const char *p, size_t at, size_t end, const char **error)
{
    bool sealed = false;

    while (at < end) {
        size_t length;
        uint32_t crc;

        if (end - at < 3)
            return (int)refuse(error, "a TLV is cut short");
        length = two_bytes(p + at + 1);
        if (end - at - 3 < length)
            return (int)refuse(error, "a TLV is longer than the header");
        if (p[at] == TLV_CRC32C) {
            if (length != 4 || sealed)
                return (int)refuse(error, "not one checksum of four bytes");
            memcpy(&crc, p + at + 3, 4);
            if (ntohl(crc) != crc32c(p, end, at + 3))
                return (int)refuse(error, "the checksum is wrong");
            sealed = true;
        }
        at += 3 + length;
    }
    return 0;
}

static void
v2_in(const char *p, struct proxy_header *h)
{
    struct addr *ends[] = { &h->source, &h->destination };

    for (int i = 0; i < 2; i++) {
        struct sockaddr_in *in = &ends[i]->u.in;

        *ends[i] = (struct addr){ .len = sizeof(*in) };
        in->sin_family = AF_INET;
        memcpy(&in->sin_addr, p + i * 4, 4);
        memcpy(&in->sin_port, p + 8 + i * 2, 2);
    }
}

static void
v2_in6(const char *p, struct proxy_header *h)
{
    struct addr *ends[] = { &h->source, &h->destination };

    for (int i = 0; i < 2; i++) {
        struct sockaddr_in6 *in6 = &ends[i]->u.in6;

        *ends[i] = (struct addr){ .len = sizeof(*in6) };
        in6->sin6_family = AF_INET6;
        memcpy(&in6->sin6_addr, p + i * 16, 16);
        memcpy(&in6->sin6_port, p + 32 + i * 2, 2);
    }
}

/* Paths come from elsewhere and mean nothing here. */
static void
v2_unix(const char *p, struct proxy_header *h)
{
    (void)p;
    h->source = (struct addr){ .len = sizeof(sa_family_t) };
    h->source.u.sa.sa_family = AF_UNIX;
    h->destination = h->source;
}

static const struct {
    unsigned char family; /* address family and transport */
    unsigned short size;  /* of both addresses */
    void (*read)(const char *p, struct proxy_header *h);
} v2_families[] = {
    { 0x00, 0, NULL }, /* unspecified */
    { 0x11, 12, v2_in },
    { 0x21, 36, v2_in6 },
    { 0x31, V2_UNIX, v2_unix },
};

/* The header is complete. */
static ssize_t
v2_addresses(const char *p, size_t end, struct proxy_header *h, const char **error)
{
    for (size_t i = 0; i < sizeof(v2_families) / sizeof(*v2_families); i++) {
        size_t size = v2_families[i].size;

        if ((unsigned char)p[13] != v2_families[i].family)
            continue;
        if (end - V2_HEAD < size)
            return refuse(error, "the addresses are cut short");
        if (v2_tlvs(p, V2_HEAD + size, end, error) < 0)
            return -1;
        h->known = v2_families[i].read != NULL;
        if (h->known)
            v2_families[i].read(p + V2_HEAD, h);
        return (ssize_t)end;
    }
    return refuse(error, "the family is not one of a stream");
}

static ssize_t
v2_parse(const char *p, size_t n, struct proxy_header *h, const char **error)
{
    unsigned char command;
    size_t end;

    if (n < V2_HEAD)
        return 0;
    command = (unsigned char)p[12];
    end = V2_HEAD + two_bytes(p + 14);
    if (command >> 4 != 2 || (command & 15) > 1)
        return refuse(error, "neither PROXY nor LOCAL of version 2");
    if (end > PROXY_HEADER_MAX)
        return refuse(error, "the header is longer than 4096 bytes");
    if (n < end)
        return 0;
    if ((command & 15) == 0) /* LOCAL: all of it is to be ignored */
        return (ssize_t)end;
    return v2_addresses(p, end, h, error);
}

ssize_t
proxy_protocol_parse(const char *p, size_t n, struct proxy_header *h, const char **error)
{
    size_t v1 = sizeof(v1_start) - 1, v2 = sizeof(v2_signature) - 1;

    *h = (struct proxy_header){ .known = false };
    if (n == 0)
        return 0;
    if (memcmp(p, v1_start, n < v1 ? n : v1) == 0)
        return v1_parse(p, n, h, error);
    if (memcmp(p, v2_signature, n < v2 ? n : v2) == 0)
        return v2_parse(p, n, h, error);
    return refuse(error, "it does not begin as a PROXY header does");
}

/* ------------------------------------------------------------------ writing */

static int
family_of(const struct addr *a)
{
    return a->len ? a->u.sa.sa_family : AF_UNSPEC;
}

static void
put_ip(const struct addr *a, int family, unsigned char *out)
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (family_of(a) == AF_INET6) {
        memcpy(out, &a->u.in6.sin6_addr, 16);
    } else if (family == AF_INET6) {
        memcpy(out, mapped, 12);
        memcpy(out + 12, &a->u.in.sin_addr, 4);
    } else {
        memcpy(out, &a->u.in.sin_addr, 4);
    }
}

static size_t
v1_write(char *out, int family, const struct addr *source, const struct addr *destination)
{
    unsigned char ip[16];
    char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

    if (family == AF_UNSPEC)
        return (size_t)snprintf(out, PROXY_WRITTEN_MAX, "PROXY UNKNOWN\r\n");
    put_ip(source, family, ip);
    inet_ntop(family, ip, from, sizeof(from));
    put_ip(destination, family, ip);
    inet_ntop(family, ip, to, sizeof(to));
    return (size_t)snprintf(out, PROXY_WRITTEN_MAX, "PROXY TCP%c %s %s %d %d\r\n", family == AF_INET ? '4' : '6', from,
                            to, addr_port(source), addr_port(destination));
}

static void
put_port(char *out, const struct addr *a)
{
    int port = addr_port(a);

    out[0] = (char)(port >> 8);
    out[1] = (char)port;
}

static size_t
v2_write(char *out, bool local, int family, const struct addr *source, const struct addr *destination)
{
    size_t ip = family == AF_INET ? 4 : 16, n = family == AF_UNSPEC ? 0 : 2 * ip + 4;

    memcpy(out, v2_signature, 12);
    out[12] = local ? 0x20 : 0x21;
    out[13] = family == AF_INET ? 0x11 : family == AF_INET6 ? 0x21 : 0;
    out[14] = 0;
    out[15] = (char)n;
    if (n) {
        put_ip(source, family, (unsigned char *)out + V2_HEAD);
        put_ip(destination, family, (unsigned char *)out + V2_HEAD + ip);
        put_port(out + V2_HEAD + 2 * ip, source);
        put_port(out + V2_HEAD + 2 * ip + 2, destination);
    }
    return V2_HEAD + n;
}

size_t
proxy_protocol_write(char out[PROXY_WRITTEN_MAX], int version, const struct addr *source,
                     const struct addr *destination)
{
    int from = source ? family_of(source) : AF_UNSPEC, to = source ? family_of(destination) : AF_UNSPEC;
    int family = AF_INET6;

    if ((from != AF_INET && from != AF_INET6) || (to != AF_INET && to != AF_INET6))
        family = AF_UNSPEC;
    else if (from == AF_INET && to == AF_INET)
        family = AF_INET;
    return version == 1 ? v1_write(out, family, source, destination)
                        : v2_write(out, !source, family, source, destination);
}
