/*
 * proxy_protocol: the header with which a proxy in front of weir says whose connection it carries (versions 1 and 2 of
 * the PROXY protocol, as the HAProxy project specifies them). A pure codec.
 *
 * Strict: what the specification leaves open for guessing is refused. A header that is refused is refused whatever
 * follows, and one that is complete does not depend on what follows.
 */
#ifndef NET_PROXY_PROTOCOL_H
#define NET_PROXY_PROTOCOL_H

#include "addr.h"

#include <sys/types.h>

#define PROXY_HEADER_MAX 4096u /* of version 2 with its TLVs; one that says it is longer is refused */
#define PROXY_V1_MAX 107u

struct proxy_header {
    bool known;                      /* false: LOCAL or UNKNOWN; the connection's own addresses hold */
    struct addr source, destination; /* of a unix connection: without a path */
};

/* The bytes of the header at the front of p[0..n); 0: it is not complete yet; -1 with *error: what is wrong with it. */
ssize_t proxy_protocol_parse(const char *p, size_t n, struct proxy_header *h, const char **error);

#define PROXY_WRITTEN_MAX PROXY_V1_MAX

/* A header of `version` 1 or 2 into out; returns its length. source NULL: the connection is the sender's own (LOCAL;
 * version 1 has UNKNOWN for that). Of two families the IPv4 address is written as an IPv6 one (::ffff:a.b.c.d); unix
 * sockets have no address that says anything to the receiver (UNKNOWN, or no family). */
size_t proxy_protocol_write(char out[PROXY_WRITTEN_MAX], int version, const struct addr *source,
                            const struct addr *destination);

#endif
