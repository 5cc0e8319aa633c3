/* addr: a socket address (IPv4, IPv6, unix) as a value, and CIDR sets. */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include "../base/err.h"
#include "../base/slice.h"

#include <stdint.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <sys/un.h>

struct addr {
    socklen_t len;
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } u;
};

#define ADDR_TEXT_MAX 128

/* "0.0.0.0:80", "[::1]:80", "unix:/path". No names. 0 or -1 with *e. */
int addr_parse(struct slice s, struct addr *a, struct err *e);
/* An IP without a port; port 0. */
int addr_parse_ip(struct slice s, struct addr *a);
size_t addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);    /* with port; returns the length */
size_t addr_format_ip(const struct addr *a, char out[ADDR_TEXT_MAX]); /* without; IPv4-mapped shown as IPv4; "unix" for unix */
bool addr_equal(const struct addr *a, const struct addr *b);
int addr_port(const struct addr *a);                                  /* -1 for unix */
void addr_set_port(struct addr *a, uint16_t port);
bool addr_is_loopback(const struct addr *a);                          /* unix counts */

struct cidr {
    unsigned char ip[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;        /* of 128 */
};
int cidr_parse(struct slice s, struct cidr *c);
bool cidr_match(const struct cidr *set, unsigned n, const struct addr *a); /* a unix peer matches nothing */

#endif
