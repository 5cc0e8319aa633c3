#include "config.h" /* _GNU_SOURCE: memrchr */

#include "addr.h"

#include "../base/number.h"
#include "../base/parse.h"
#include "../base/xalloc.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Paths of unix addresses come from configuration only, so there are few, and they are the same ones at each reload:
 * kept for the life of the process, an address stays a plain value. */
struct path {
    struct path *next;
    char text[];
};

static pthread_mutex_t paths_lock = PTHREAD_MUTEX_INITIALIZER;
static struct path *paths;

static const char *
path_intern(struct slice s)
{
    struct path *p;

    pthread_mutex_lock(&paths_lock);
    for (p = paths; p; p = p->next)
        if (slice_eq(slice_str(p->text), s))
            break;
    if (!p) {
        p = xmalloc(sizeof(*p) + s.n + 1);
        memcpy(p->text, s.p, s.n);
        p->text[s.n] = '\0';
        p->next = paths;
        paths = p;
    }
    pthread_mutex_unlock(&paths_lock);
    return p->text;
}

static int
parse_unix(struct slice path, struct addr *a, struct err *e)
{
    if (!path.n || path.p[0] != '/')
        return err_set(e, ERR_INPUT, "a unix address is \"unix:\" and an absolute path");
    if (path.n >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return err_set(e, ERR_INPUT, "the path of a unix address has at most 107 bytes, this one has %zu", path.n);
    if (memchr(path.p, '\0', path.n))
        return err_set(e, ERR_INPUT, "the path of a unix address cannot hold a NUL");
    a->u.sa.sa_family = AF_UNIX;
    a->len = sizeof(sa_family_t);
    a->path = path_intern(path);
    return 0;
}

int
addr_parse_ip(struct slice s, struct addr *a)
{
    char text[INET6_ADDRSTRLEN + 1];

    memset(a, 0, sizeof(*a));
    if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']') {
        s = slice_of(s.p + 1, s.n - 2);
        if (!s.n || !memchr(s.p, ':', s.n))
            return -1;
    }
    if (!s.n || s.n >= sizeof(text) || memchr(s.p, '\0', s.n))
        return -1;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    if (inet_pton(AF_INET, text, &a->u.in.sin_addr) == 1) {
        a->u.in.sin_family = AF_INET;
        a->len = sizeof(a->u.in);
        return 0;
    }
    if (inet_pton(AF_INET6, text, &a->u.in6.sin6_addr) == 1) {
        a->u.in6.sin6_family = AF_INET6;
        a->len = sizeof(a->u.in6);
        return 0;
    }
    return -1;
}

int
addr_parse(struct slice s, struct addr *a, struct err *e)
{
    struct slice ip = s, port = SLICE_NONE;
    const char *colon = s.n ? memrchr(s.p, ':', s.n) : NULL;
    uint64_t number;

    memset(a, 0, sizeof(*a));
    if (slice_starts(s, SLICE("unix:")))
        return parse_unix(slice_from(s, 5), a, e);
    if (colon && s.p[s.n - 1] != ']') {
        ip = slice_of(s.p, (size_t)(colon - s.p));
        port = slice_from(s, ip.n + 1);
    }
    /* An IPv6 address needs its brackets: "::1:80" could mean two things. */
    if (ip.n && memchr(ip.p, ':', ip.n) && ip.p[0] != '[')
        return err_set(e, ERR_INPUT, "\"%.*s\": an IPv6 address with a port is written [ADDRESS]:PORT", SLICE_FMT(s));
    if (addr_parse_ip(ip, a) < 0)
        return err_set(e, ERR_INPUT, "\"%.*s\" is not an IP address with a port", SLICE_FMT(s));
    if (!port.n) {
        memset(a, 0, sizeof(*a));
        return err_set(e, ERR_INPUT, "\"%.*s\" has no port", SLICE_FMT(s));
    }
    if (parse_u64(port, 65535, &number) < 0) {
        memset(a, 0, sizeof(*a));
        return err_set(e, ERR_INPUT, "\"%.*s\" is not a port (0 to 65535)", SLICE_FMT(port));
    }
    addr_set_port(a, (uint16_t)number);
    return 0;
}

void
addr_from_sockaddr(struct addr *a, const struct sockaddr *sa, socklen_t len)
{
    memset(a, 0, sizeof(*a));
    if (len < sizeof(sa_family_t))
        return;
    if (sa->sa_family == AF_INET && len >= sizeof(a->u.in)) {
        memcpy(&a->u.in, sa, sizeof(a->u.in));
        a->len = sizeof(a->u.in);
    } else if (sa->sa_family == AF_INET6 && len >= sizeof(a->u.in6)) {
        memcpy(&a->u.in6, sa, sizeof(a->u.in6));
        a->len = sizeof(a->u.in6);
    } else if (sa->sa_family == AF_UNIX) {
        a->u.sa.sa_family = AF_UNIX;
        a->len = sizeof(sa_family_t);
    }
}

socklen_t
addr_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
    struct sockaddr_un *un = (struct sockaddr_un *)out;

    memset(out, 0, sizeof(*out));
    if (!addr_is_unix(a)) {
        memcpy(out, &a->u, a->len);
        return a->len;
    }
    un->sun_family = AF_UNIX;
    if (!a->path)
        return sizeof(sa_family_t);
    memcpy(un->sun_path, a->path, strlen(a->path));
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(a->path) + 1);
}

/* The IPv4 address in network order, of an IPv4 or an IPv4-mapped address; NULL for any other. */
static const unsigned char *
ipv4_of(const struct addr *a)
{
    if (!a->len)
        return NULL;
    if (a->u.sa.sa_family == AF_INET)
        return (const unsigned char *)&a->u.in.sin_addr;
    if (a->u.sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->u.in6.sin6_addr))
        return a->u.in6.sin6_addr.s6_addr + 12;
    return NULL;
}

static inline char *
put_octet(char *p, unsigned v)
{
    if (v >= 100)
        *p++ = (char)('0' + v / 100);
    if (v >= 10)
        *p++ = (char)('0' + v / 10 % 10);
    *p++ = (char)('0' + v % 10);
    return p;
}

size_t
addr_format_ip(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    const unsigned char *ipv4 = ipv4_of(a);
    char *p = out;

    if (ipv4) { /* each request needs it, so not by printf */
        for (int i = 0; i < 4; i++) {
            p = put_octet(p, ipv4[i]);
            *p++ = '.';
        }
        *--p = '\0';
        return (size_t)(p - out);
    }
    if (a->len && a->u.sa.sa_family == AF_INET6 && inet_ntop(AF_INET6, &a->u.in6.sin6_addr, out, ADDR_TEXT_MAX))
        return strlen(out);
    return (size_t)snprintf(out, ADDR_TEXT_MAX, "%s", addr_is_unix(a) ? "unix" : "-");
}

size_t
addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    size_t n;

    if (!a->len)
        return (size_t)snprintf(out, ADDR_TEXT_MAX, "-");
    if (addr_is_unix(a))
        return (size_t)snprintf(out, ADDR_TEXT_MAX, "unix:%s", a->path ? a->path : "");
    n = addr_format_ip(a, out);
    if (memchr(out, ':', n)) {
        memmove(out + 1, out, n);
        out[0] = '[';
        out[n + 1] = ']';
        n += 2;
    }
    out[n++] = ':';
    n = (size_t)(number_put(out + n, (unsigned)addr_port(a)) - out);
    out[n] = '\0';
    return n;
}

static int
family_rank(const struct addr *a)
{
    if (!a->len)
        return 0;
    return a->u.sa.sa_family == AF_INET ? 1 : a->u.sa.sa_family == AF_INET6 ? 2 : 3;
}

int
addr_compare(const struct addr *a, const struct addr *b)
{
    int rank = family_rank(a), d = rank - family_rank(b);

    if (d || !rank)
        return d;
    if (rank == 3)
        return strcmp(a->path ? a->path : "", b->path ? b->path : "");
    if (rank == 1)
        d = memcmp(&a->u.in.sin_addr, &b->u.in.sin_addr, sizeof(a->u.in.sin_addr));
    else
        d = memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, sizeof(a->u.in6.sin6_addr));
    if (!d && rank == 2 && a->u.in6.sin6_scope_id != b->u.in6.sin6_scope_id)
        d = a->u.in6.sin6_scope_id < b->u.in6.sin6_scope_id ? -1 : 1;
    return d ? d : addr_port(a) - addr_port(b);
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
    return addr_compare(a, b) == 0;
}

int
addr_port(const struct addr *a)
{
    if (!a->len || addr_is_unix(a))
        return -1;
    return ntohs(a->u.sa.sa_family == AF_INET ? a->u.in.sin_port : a->u.in6.sin6_port);
}

void
addr_set_port(struct addr *a, uint16_t port)
{
    if (!a->len || addr_is_unix(a))
        return;
    if (a->u.sa.sa_family == AF_INET)
        a->u.in.sin_port = htons(port);
    else
        a->u.in6.sin6_port = htons(port);
}

bool
addr_is_loopback(const struct addr *a)
{
    const unsigned char *ipv4 = ipv4_of(a);

    if (ipv4)
        return ipv4[0] == 127;
    return addr_is_unix(a) || (a->len && IN6_IS_ADDR_LOOPBACK(&a->u.in6.sin6_addr));
}

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

/* As the 16 bytes that a cidr holds. -1: neither IPv4 nor IPv6. */
static int
bytes_of(const struct addr *a, unsigned char ip[16])
{
    const unsigned char *ipv4 = ipv4_of(a);

    if (ipv4) {
        memcpy(ip, mapped, sizeof(mapped));
        memcpy(ip + 12, ipv4, 4);
        return 0;
    }
    if (!a->len || addr_is_unix(a))
        return -1;
    memcpy(ip, &a->u.in6.sin6_addr, 16);
    return 0;
}

int
cidr_parse(struct slice s, struct cidr *c)
{
    const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
    struct slice ip = slash ? slice_of(s.p, (size_t)(slash - s.p)) : s;
    struct addr a;
    uint64_t bits;
    unsigned width, i;

    if (addr_parse_ip(ip, &a) < 0 || bytes_of(&a, c->ip) < 0)
        return -1;
    width = a.u.sa.sa_family == AF_INET ? 32 : 128;
    bits = width;
    if (slash && parse_u64(slice_from(s, ip.n + 1), width, &bits) < 0)
        return -1;
    c->bits = (unsigned)bits + (128 - width);
    for (i = 0; i < 16; i++) {
        unsigned keep = c->bits >= 8 * (i + 1) ? 8 : c->bits <= 8 * i ? 0 : c->bits - 8 * i;

        c->ip[i] &= (unsigned char)(0xff00u >> keep);
    }
    return 0;
}

bool
cidr_match(const struct cidr *set, unsigned n, const struct addr *a)
{
    unsigned char ip[16];
    bool ipv4;

    if (n == 0 || bytes_of(a, ip) < 0)
        return false;
    ipv4 = memcmp(ip, mapped, sizeof(mapped)) == 0;
    for (const struct cidr *c = set; c < set + n; c++) {
        unsigned bytes = c->bits / 8, rest = c->bits % 8;

        if (ipv4 && c->bits < 96)
            continue; /* an IPv6 net is not meant to hold IPv4, though "::/0" would by its bits */
        if (memcmp(ip, c->ip, bytes) == 0 && (!rest || ((ip[bytes] ^ c->ip[bytes]) & (0xff00u >> rest) & 0xff) == 0))
            return true;
    }
    return false;
}
