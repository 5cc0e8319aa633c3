/* url: absolute URLs as operators write them, and arguments of a query. */
#include "uri.h"
#include "chars.h"

static bool
cut_scheme(struct slice *rest, bool *tls)
{
    if (rest->n > 7 && strncasecmp(rest->p, "http://", 7) == 0) {
        *tls = false;
        *rest = slice_from(*rest, 7);
        return true;
    }
    if (rest->n > 8 && strncasecmp(rest->p, "https://", 8) == 0) {
        *tls = true;
        *rest = slice_from(*rest, 8);
        return true;
    }
    return false;
}

bool
url_parse(struct slice s, struct url *u)
{
    const char *slash;
    int port;

    if (s.n == 0 || scan_target(s.p, s.p + s.n) != s.p + s.n || memchr(s.p, '#', s.n) || !cut_scheme(&s, &u->tls))
        return false;
    slash = memchr(s.p, '/', s.n);
    u->authority = slice_of(s.p, slash ? (size_t)(slash - s.p) : s.n);
    u->path_query = slash ? slice_from(s, u->authority.n) : SLICE("/");
    if (uri_split_authority(u->authority, &u->host, &port))
        return false;
    if (u->host.p[0] == '[')
        u->host = slice_of(u->host.p + 1, u->host.n - 2);
    u->port = port > 0 ? (uint16_t)port : u->tls ? 443 : 80;
    return true;
}

/* One byte of encoded text; *i moves behind it. */
static char
decode_next(struct slice s, size_t *i, bool plus_is_space)
{
    char c = s.p[(*i)++];

    if (c == '+' && plus_is_space)
        return ' ';
    if (c == '%' && s.n - *i >= 2) {
        int high = char_hex(s.p[*i]), low = char_hex(s.p[*i + 1]);

        if (high >= 0 && low >= 0) {
            *i += 2;
            return (char)(high * 16 + low);
        }
    }
    return c;
}

struct slice
uri_decode(struct slice s, bool plus_is_space, struct arena *arena)
{
    size_t i = 0, n = 0;
    char *out;

    if (s.n == 0 || (!memchr(s.p, '%', s.n) && !(plus_is_space && memchr(s.p, '+', s.n))))
        return s;
    out = arena_alloc(arena, s.n);
    while (i < s.n)
        out[n++] = decode_next(s, &i, plus_is_space);
    return slice_of(out, n);
}

static bool
decoded_equals(struct slice encoded, struct slice plain)
{
    size_t i = 0, n = 0;

    while (i < encoded.n && n < plain.n) {
        if (decode_next(encoded, &i, true) != plain.p[n++])
            return false;
    }
    return i == encoded.n && n == plain.n;
}

bool
query_find(struct slice query, struct slice name, struct arena *arena, struct slice *value)
{
    while (query.n) {
        const char *end = query.p + query.n, *amp = scan_char(query.p, end, '&');
        const char *equals = scan_char(query.p, amp, '=');

        if (equals > query.p && decoded_equals(slice_of(query.p, (size_t)(equals - query.p)), name)) {
            *value =
                equals < amp ? uri_decode(slice_of(equals + 1, (size_t)(amp - equals) - 1), true, arena) : SLICE_NONE;
            return true;
        }
        query = slice_from(query, (size_t)(amp - query.p) + 1);
    }
    return false;
}
