#include "config.h" /* _GNU_SOURCE: memrchr */

#include "url.h"
#include "../base/parse.h"

#include <limits.h>

#define REDIS_PORT 6379
#define SENTINEL_PORT 26379
#define NAME_MAX_BYTES 253

static const struct {
    struct slice scheme;
    enum store_kind kind;
    bool tls;
} schemes[] = {
    { SLICE("redis"), STORE_SINGLE, false },
    { SLICE("rediss"), STORE_SINGLE, true },
    { SLICE("redis+sentinel"), STORE_SENTINEL, false },
    { SLICE("rediss+sentinel"), STORE_SENTINEL, true },
    { SLICE("redis+cluster"), STORE_CLUSTER, false },
    { SLICE("rediss+cluster"), STORE_CLUSTER, true },
};

/* Cuts s at the first c: what is before is returned, s is what follows. Without one, all of it. */
static struct slice
cut(struct slice *s, char c)
{
    const char *at = s->n ? memchr(s->p, c, s->n) : NULL;
    struct slice head = *s;

    if (!at) {
        *s = SLICE_NONE;
        return head;
    }
    head.n = (size_t)(at - s->p);
    *s = slice_from(*s, head.n + 1);
    return head;
}

static bool
has(struct slice s, char c)
{
    return s.n && memchr(s.p, c, s.n);
}

static int
decode(struct slice s, struct arena *arena, struct slice *out)
{
    char *to = arena_alloc(arena, s.n + 1);
    size_t i, n = 0;
    uint64_t byte;

    for (i = 0; i < s.n; i++) {
        if (s.p[i] != '%') {
            to[n++] = s.p[i];
            continue;
        }
        if (i + 2 >= s.n || parse_hex(slice_of(s.p + i + 1, 2), 255, &byte) < 0 || byte == 0)
            return -1;
        to[n++] = (char)byte;
        i += 2;
    }
    to[n] = '\0';
    *out = slice_of(to, n);
    return 0;
}

static const char *
parse_userinfo(struct slice s, struct arena *arena, struct store_url *u)
{
    struct slice user;

    if (!has(s, ':'))
        return "a user needs a password: USER:PASSWORD@, or :PASSWORD@ for the default user";
    user = cut(&s, ':');
    if (decode(user, arena, &u->user) < 0 || decode(s, arena, &u->password) < 0)
        return "a % in the user or password must begin an escape like %40 (%25 is the % itself)";
    if (u->password.n == 0)
        return "the password is empty";
    return NULL;
}

static bool
good_name(struct slice s)
{
    size_t i;

    if (s.n == 0 || s.n > NAME_MAX_BYTES || s.p[0] == '-' || s.p[0] == '.')
        return false;
    for (i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._", c))))
            return false;
    }
    return true;
}

static const char *
parse_host(struct slice s, struct arena *arena, uint16_t default_port, struct store_host *h)
{
    const char *bad =
        "a host is a name, an IPv4 address or an IPv6 address in brackets, with :PORT if it is not the usual one";
    struct slice port = SLICE_NONE;
    uint64_t number = default_port;

    if (s.n && s.p[0] == '[') {
        const char *end = memchr(s.p, ']', s.n);

        if (!end)
            return bad;
        port = slice_from(s, (size_t)(end + 1 - s.p));
        h->name = slice_of(s.p + 1, (size_t)(end - s.p) - 1);
        if (port.n && port.p[0] != ':')
            return bad;
        port = slice_from(port, 1);
    } else {
        port = s;
        h->name = cut(&port, ':');
    }
    if (port.n && (parse_u64(port, 65535, &number) < 0 || number == 0))
        return "a port is a number from 1 to 65535";
    h->port = (uint16_t)number;
    h->name = arena_slice(arena, h->name);
    h->literal = addr_parse_ip(h->name, &h->addr) == 0;
    if (h->literal)
        addr_set_port(&h->addr, h->port);
    else if (!good_name(h->name) || s.p[0] == '[')
        return bad;
    return NULL;
}

static const char *
parse_hosts(struct slice s, struct arena *arena, struct store_url *u)
{
    uint16_t port = u->kind == STORE_SENTINEL ? SENTINEL_PORT : REDIS_PORT;
    const char *wrong;

    if (s.n == 0)
        return "the host is missing";
    if (u->kind == STORE_SINGLE && has(s, ','))
        return "one host; several are for redis+sentinel:// and redis+cluster://";
    while (s.n) {
        if (u->n_hosts == STORE_HOSTS_MAX)
            return "at most 16 hosts";
        wrong = parse_host(cut(&s, ','), arena, port, &u->hosts[u->n_hosts++]);
        if (wrong)
            return wrong;
    }
    return NULL;
}

static const char *
parse_db(struct slice s, struct store_url *u)
{
    uint64_t db = 0;

    if (s.n && parse_u64(s, INT_MAX, &db) < 0)
        return "the database is a number: /0";
    if (db && u->kind == STORE_CLUSTER)
        return "a cluster has database 0 only";
    u->db = (unsigned)db;
    return NULL;
}

static const char *
parse_query(struct slice s, struct store_url *u)
{
    if (s.n == 0)
        return NULL;
    if (!slice_starts(s, SLICE("db=")))
        return "after ? there may be db=NUMBER, nothing else";
    return parse_db(slice_from(s, 3), u);
}

static const char *
parse_unix(struct slice s, struct arena *arena, struct store_url *u)
{
    const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL, *wrong;
    struct slice head = slice_of(s.p, slash ? (size_t)(slash - s.p) : s.n), path;
    struct store_host *h = &u->hosts[0];

    u->kind = STORE_SINGLE;
    if (!slash || (head.n && head.p[head.n - 1] != '@'))
        return "a unix socket is named by an absolute path: unix:///run/redis/redis.sock";
    if (head.n) {
        wrong = parse_userinfo(slice_of(head.p, head.n - 1), arena, u);
        if (wrong)
            return wrong;
    }
    s = slice_from(s, head.n);
    if (decode(cut(&s, '?'), arena, &path) < 0)
        return "a % in the path must begin an escape like %20 (%25 is the % itself)";
    if (addr_parse(arena_printf(arena, "unix:%s", path.p), &h->addr, NULL) < 0)
        return "the path of the unix socket is too long";
    h->literal = true;
    u->n_hosts = 1;
    return parse_query(s, u);
}

static const char *
parse_path(struct slice s, struct arena *arena, struct store_url *u)
{
    if (u->kind == STORE_SENTINEL) {
        if (decode(cut(&s, '/'), arena, &u->master) < 0 || u->master.n == 0)
            return "sentinels are asked for a master by name: redis+sentinel://HOST:26379/MASTER";
    }
    return parse_db(s, u);
}

static const char *
parse_rest(struct slice s, struct arena *arena, struct store_url *u)
{
    struct slice path, authority, query;
    const char *at, *wrong;

    query = s;
    path = cut(&query, '?');
    authority = cut(&path, '/');
    at = authority.n ? memrchr(authority.p, '@', authority.n) : NULL;
    if (at) {
        wrong = parse_userinfo(slice_of(authority.p, (size_t)(at - authority.p)), arena, u);
        if (wrong)
            return wrong;
        authority = slice_from(authority, (size_t)(at + 1 - authority.p));
    }
    wrong = parse_hosts(authority, arena, u);
    if (!wrong)
        wrong = parse_path(path, arena, u);
    return wrong ? wrong : parse_query(query, u);
}

const char *
store_url_parse(struct slice text, struct arena *arena, struct store_url *u)
{
    struct slice scheme, rest = text;
    size_t i;

    memset(u, 0, sizeof(*u));
    if (has(text, '\0') || has(text, '#'))
        return "a # must be written as %23, and there are no NUL bytes";
    if (!has(text, ':'))
        return "a store's URL begins with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://";
    scheme = cut(&rest, ':');
    if (slice_eq(scheme, SLICE("unix")))
        return parse_unix(slice_starts(rest, SLICE("//")) ? slice_from(rest, 2) : rest, arena, u);
    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (!slice_eq(scheme, schemes[i].scheme) || !slice_starts(rest, SLICE("//")))
            continue;
        u->kind = schemes[i].kind;
        u->tls = schemes[i].tls;
        return parse_rest(slice_from(rest, 2), arena, u);
    }
    return "a store's URL begins with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://";
}

const char *
store_url_mask(struct slice text, struct arena *arena)
{
    const char *start = text.n ? memmem(text.p, text.n, "://", 3) : NULL, *at, *colon;
    struct slice authority;

    if (!start)
        return arena_slice(arena, text).p;
    /* To the last @ of all: a password with a / that was not escaped must not show either. */
    authority = slice_from(text, (size_t)(start + 3 - text.p));
    at = authority.n ? memrchr(authority.p, '@', authority.n) : NULL;
    colon = at ? memchr(authority.p, ':', (size_t)(at - authority.p)) : NULL;
    if (!colon)
        return arena_slice(arena, text).p;
    return arena_printf(arena, "%.*s:***%.*s", (int)(colon - text.p), text.p, (int)(text.p + text.n - at), at).p;
}
