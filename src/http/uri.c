#include "uri.h"
#include "chars.h"
#include "../base/parse.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define HOST_MAX 253 /* RFC 1035 3.1, in its written form */

static const char *
check_ipv6(struct slice inside)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    if (inside.n >= sizeof(text))
        return "an IPv6 address that is too long";
    memcpy(text, inside.p, inside.n);
    text[inside.n] = '\0';
    /* A NUL inside would end the text early. */
    if (memchr(text, '\0', inside.n) || inet_pton(AF_INET6, text, &addr) != 1)
        return "not an IPv6 address between the brackets";
    return NULL;
}

/* Only what names are made of in practice: RFC 3986 lets in more, which no resolver knows and each origin reads in its
 * own way. */
static const char *
check_name(struct slice *host)
{
    if (host->n && host->p[host->n - 1] == '.')
        host->n--;
    if (host->n == 0)
        return "an empty host";
    if (host->n > HOST_MAX)
        return "a host name that is too long";
    for (size_t i = 0; i < host->n; i++) {
        if (!char_is(host->p[i], CHAR_HOST))
            return "a byte that does not belong in a host name";
        if (host->p[i] == '.' && (i == 0 || host->p[i - 1] == '.'))
            return "a host name with an empty label";
    }
    return host->p[host->n - 1] == '.' ? "a host name with an empty label" : NULL;
}

static const char *
split_port(struct slice rest, int *port)
{
    uint64_t v;

    *port = -1;
    if (rest.n == 0)
        return NULL;
    if (rest.p[0] != ':' || rest.n > 6 || parse_u64(slice_from(rest, 1), 65535, &v) != 0 || v == 0)
        return "a port that is not a number from 1 to 65535";
    *port = (int)v;
    return NULL;
}

const char *
uri_split_authority(struct slice authority, struct slice *host, int *port)
{
    const char *wrong, *end;
    size_t n;

    if (authority.n == 0)
        return "an empty host";
    if (authority.p[0] == '[') {
        end = memchr(authority.p, ']', authority.n);
        if (!end)
            return "an IPv6 address without its closing bracket";
        n = (size_t)(end - authority.p) + 1;
        wrong = check_ipv6(slice_of(authority.p + 1, n - 2));
        *host = slice_of(authority.p, n);
    } else {
        end = memchr(authority.p, ':', authority.n);
        n = end ? (size_t)(end - authority.p) : authority.n;
        *host = slice_of(authority.p, n);
        wrong = check_name(host);
    }
    return wrong ? wrong : split_port(slice_from(authority, n), port);
}

static struct slice
lower_case(struct slice s, struct arena *arena)
{
    size_t i = 0;
    char *copy;

    while (i < s.n && !(s.p[i] >= 'A' && s.p[i] <= 'Z'))
        i++;
    if (i == s.n)
        return s;
    copy = arena_alloc(arena, s.n);
    for (i = 0; i < s.n; i++)
        copy[i] = char_lower(s.p[i]);
    return slice_of(copy, s.n);
}

const char *
uri_parse_authority(struct http_request *r, struct arena *arena)
{
    const char *wrong = uri_split_authority(r->authority, &r->host, &r->port);

    if (!wrong)
        r->host = lower_case(r->host, arena);
    return wrong;
}

/* Path and query from the '/' on. */
static const char *
parse_path_query(struct http_request *r, struct slice s, const struct uri_rules *rules, struct arena *arena)
{
    const char *end = s.p + s.n, *mark = scan_char(s.p, end, '?');

    r->has_query = mark < end;
    r->query = r->has_query ? slice_of(mark + 1, (size_t)(end - mark) - 1) : SLICE_NONE;
    if (r->query.n && memchr(r->query.p, '#', r->query.n))
        return "a fragment in the request target";
    return uri_canonical_path(slice_of(s.p, (size_t)(mark - s.p)), rules, arena, &r->path);
}

static bool
cut_scheme(struct slice *rest, struct slice *scheme)
{
    static const struct slice known[] = { { "http", 4 }, { "https", 5 } };

    for (unsigned i = 0; i < 2; i++) {
        struct slice k = known[i];

        if (rest->n > k.n + 3 && strncasecmp(rest->p, k.p, k.n) == 0 && memcmp(rest->p + k.n, "://", 3) == 0) {
            *scheme = k;
            *rest = slice_from(*rest, k.n + 3);
            return true;
        }
    }
    return false;
}

static size_t
authority_len(struct slice s)
{
    size_t n = 0;

    while (n < s.n && s.p[n] != '/' && s.p[n] != '?' && s.p[n] != '#')
        n++;
    return n;
}

static const char *
parse_absolute(struct http_request *r, const struct uri_rules *rules, struct arena *arena)
{
    struct slice rest = r->target;
    size_t n;

    if (!cut_scheme(&rest, &r->scheme))
        return "a request target that is neither a path nor an http URL";
    n = authority_len(rest);
    if (n == 0)
        return "an empty host";
    r->authority = slice_of(rest.p, n);
    rest = slice_from(rest, n);
    if (rest.n && rest.p[0] == '/')
        return parse_path_query(r, rest, rules, arena);
    if (rest.n && rest.p[0] == '#')
        return "a fragment in the request target";
    /* No path: "/", or "*" for OPTIONS without a query (RFC 9112 3.2.4). */
    r->path = r->method == METHOD_OPTIONS && rest.n == 0 ? SLICE("*") : SLICE("/");
    r->has_query = rest.n > 0;
    r->query = slice_from(rest, 1);
    return r->query.n && memchr(r->query.p, '#', r->query.n) ? "a fragment in the request target" : NULL;
}

const char *
uri_parse_target(struct http_request *r, const struct uri_rules *rules, struct arena *arena)
{
    struct slice t = r->target;

    r->query = SLICE_NONE;
    r->has_query = false;
    if (t.n == 0)
        return "an empty request target";
    if (scan_target(t.p, t.p + t.n) != t.p + t.n)
        return "a byte that does not belong in a request target";
    if (r->method == METHOD_CONNECT) {
        r->authority = t;
        r->path = SLICE("");
        return NULL;
    }
    if (t.p[0] == '/')
        return parse_path_query(r, t, rules, arena);
    if (t.n == 1 && t.p[0] == '*' && r->method == METHOD_OPTIONS) {
        r->path = SLICE("*");
        return NULL;
    }
    return parse_absolute(r, rules, arena);
}
