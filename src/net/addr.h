/*
 * addr: a socket address (IPv4, IPv6, unix) as a small value that may be copied and kept, and CIDR sets.
 */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include "../base/err.h"
#include "../base/slice.h"

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct addr {
    socklen_t len; /* of u; 0: no address. For unix: only the family is in u */
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } u;
    const char *path; /* unix: lives as long as the process (interned); NULL for an unnamed peer. Else NULL */
};

#define ADDR_TEXT_MAX 128

/* "0.0.0.0:80", "[::1]:80", "unix:/path". No names. 0 or -1 with *e. */
int addr_parse(struct slice s, struct addr *a, struct err *e);
/* An IP without a port; port 0. Brackets around IPv6 are accepted. */
int addr_parse_ip(struct slice s, struct addr *a);
/* What accept and getsockname gave; the path of a unix peer is not kept. */
void addr_from_sockaddr(struct addr *a, const struct sockaddr *sa, socklen_t len);
/* What bind and connect want; returns the length. */
socklen_t addr_sockaddr(const struct addr *a, struct sockaddr_storage *out);

size_t addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]); /* with port; returns the length */
/* Without the port; IPv4-mapped shown as IPv4; "unix" for unix. */
size_t addr_format_ip(const struct addr *a, char out[ADDR_TEXT_MAX]);
bool addr_equal(const struct addr *a, const struct addr *b);
/* A total order: IPv4, IPv6, unix; then bytes, then port. */
int addr_compare(const struct addr *a, const struct addr *b);
int addr_port(const struct addr *a);               /* -1 for unix */
void addr_set_port(struct addr *a, uint16_t port); /* nothing for unix */
bool addr_is_loopback(const struct addr *a);       /* unix counts */
static inline bool
addr_is_unix(const struct addr *a)
{
    return a->len != 0 && a->u.sa.sa_family == AF_UNIX;
}

struct cidr {
    unsigned char ip[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;        /* of 128 */
};
/* "10.0.0.0/8", "2001:db8::/32", or a single address. Bits past the mask are cleared. "0.0.0.0/0" is all of IPv4,
 * "::/0" all of IPv6: neither holds the other (an IPv4-mapped address is IPv4). */
int cidr_parse(struct slice s, struct cidr *c);
bool cidr_match(const struct cidr *set, unsigned n, const struct addr *a); /* a unix peer matches nothing */

#endif
