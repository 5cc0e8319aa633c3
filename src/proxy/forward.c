#include "forward.h"

#include "../base/random.h"
#include "../net/client_cert.h"
#include "generation.h"

#include <ctype.h>
#include <endian.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define VIA_NAME "weir"
/* One more pass than any sane chain of gateways of this name has. */
#define VIA_MAX 8

/* What proxies say to the origins behind them, of their clients or of another path. */
static bool
is_of_proxies(enum field_id id)
{
    switch (id) {
    case FIELD_FORWARDED:
    case FIELD_X_FORWARDED_FOR:
    case FIELD_X_FORWARDED_PROTO:
    case FIELD_X_FORWARDED_HOST:
    case FIELD_X_FORWARDED_PORT:
    case FIELD_X_FORWARDED_PREFIX:
    case FIELD_X_REAL_IP:
    case FIELD_X_REQUEST_ID:
        return true;
    default:
        return false;
    }
}

/* The same of names that no token stands for. */
static bool
is_name_of_proxies(struct slice name)
{
    static const char *const names[] = { "X-Original-URL", "X-Rewrite-URL", "X-Client-IP", "True-Client-IP" };

    if (name.n > 12 && strncasecmp(name.p, "X-Forwarded-", 12) == 0)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_ieq(name, slice_str(names[i])))
            return true;
    return false;
}

/* Would an origin to which '_' and '-' are the same take it for a field that weir answers for? */
static bool
poses_as_another(struct slice name)
{
    char dashed[48]; /* longer than all names that matter, and than the beginning of those that count by it */
    size_t n = name.n < sizeof dashed ? name.n : sizeof dashed;
    struct slice as = slice_of(dashed, n);
    enum field_id id;

    for (size_t i = 0; i < n; i++)
        dashed[i] = name.p[i] == '_' ? '-' : name.p[i];
    id = field_lookup(as);
    return field_hop_by_hop(id) || field_relied_on(id) || is_name_of_proxies(as);
}

/* '_' and '-' are the same to many origins (`underscores allow` keeps these), and strangers speak for no proxy. */
static bool
is_dropped(const struct field *f, bool underscores, bool trusted)
{
    struct slice name = f->name;
    char first;

    if (f->id != FIELD_OTHER)
        return !trusted && is_of_proxies(f->id);
    if (memchr(name.p, '_', name.n) && (!underscores || poses_as_another(name)))
        return true;
    first = (char)(name.p[0] | 0x20);
    return !trusted && name.n > 10 && (first == 'x' || first == 't') && is_name_of_proxies(name);
}

static void
drop_names(struct fields *f, bool underscores, bool trusted)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < f->n; i++) {
        if (is_dropped(&f->v[i], underscores, trusted))
            continue;
        if (kept != i)
            f->v[kept] = f->v[i];
        kept++;
    }
    f->n = kept;
}

/* "TE: trailers" is the one hop-by-hop promise that may be renewed to the origin: weir forwards trailers. */
static bool
takes_trailers(const struct http_request *r)
{
    return fields_list_has(&r->fields, FIELD_TE, SLICE("trailers"));
}

/* Steps through a list whose members are never quoted, from the front; some may be empty. What one stranger wrote into
 * it shall not hide what proxies add behind that: a quote means nothing here. */
static bool
next_member(struct slice *rest, struct slice *member)
{
    const char *end;
    if (!rest->n)
        return false;
    end = memchr(rest->p, ',', rest->n);
    *member = slice_trim(slice_of(rest->p, end ? (size_t)(end - rest->p) : rest->n));
    *rest = slice_from(*rest, end ? (size_t)(end - rest->p) + 1 : rest->n);
    return true;
}

/* One member of X-Forwarded-For: an address, perhaps with a port. */
static bool
parse_hop(struct slice text, struct addr *a)
{
    struct err e;
    if (addr_parse_ip(text, a) == 0)
        return true;
    return addr_parse(text, a, &e) == 0 && a->u.sa.sa_family != AF_UNIX;
}

/* The rightmost address that is not one of our own proxies: everything left of it was written by strangers. */
static const struct addr *
client_behind(const struct weir_exchange *x, const struct generation *g, const struct addr *peer)
{
    const struct fields *fields = &x->req->fields;
    struct slice hops[32], rest, member;
    unsigned n = 0;
    for (const struct field *f = fields_find(fields, FIELD_X_FORWARDED_FOR); f; f = fields_next(fields, f)) {
        rest = f->value;
        while (next_member(&rest, &member)) {
            if (!member.n)
                continue;
            if (n == 32) {
                memmove(hops, hops + 1, sizeof hops - sizeof *hops);
                n--;
            }
            hops[n++] = member;
        }
    }
    const struct addr *best = peer;
    while (n > 0) {
        struct addr *a = arena_zalloc(x->arena, sizeof *a);
        if (!parse_hop(hops[--n], a))
            break;
        best = a;
        if (!cidr_match(g->trusted, g->n_trusted, a))
            break;
    }
    return best;
}

#ifdef __SSE2__
/* Sixteen digits at once: each nibble gets a byte of its own, then those above 9 go on from 'a'. */
static void
put_hex(char *out, uint64_t v)
{
    const __m128i nibble = _mm_set1_epi8(0x0f);
    const uint64_t ordered = htobe64(v);
    __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)&ordered);
    __m128i digits = _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi64(bytes, 4), nibble), _mm_and_si128(bytes, nibble));
    __m128i letters = _mm_and_si128(_mm_cmpgt_epi8(digits, _mm_set1_epi8(9)), _mm_set1_epi8('a' - '0' - 10));

    digits = _mm_add_epi8(_mm_add_epi8(digits, letters), _mm_set1_epi8('0'));
    _mm_storeu_si128((__m128i *)(void *)out, digits);
}
#else
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The same, eight at a time. */
static void
put_hex8(char *out, uint32_t v)
{
    uint64_t x = v;

    x = (x << 16 | x) & UINT64_C(0x0000ffff0000ffff);
    x = (x << 8 | x) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x << 4 | x) & EACH(0x0f);
    x += EACH('0') + ((x + EACH(6)) >> 4 & EACH(1)) * ('a' - '0' - 10);
    x = htobe64(x);
    memcpy(out, &x, 8);
}

static void
put_hex(char *out, uint64_t v)
{
    put_hex8(out, (uint32_t)(v >> 32));
    put_hex8(out + 8, (uint32_t)v);
}
#endif

static bool
good_id(struct slice s)
{
    if (s.n == 0 || s.n > 128)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum((unsigned char)s.p[i]) && !strchr("-_.:+/=@", s.p[i]))
            return false;
    return true;
}

struct slice
forward_new_id(struct arena *arena)
{
    char *id = arena_alloc(arena, 32);
    put_hex(id, random_u64());
    put_hex(id + 16, random_u64());
    return slice_of(id, 32);
}

/* What a tunnel of this protocol would carry past routes and policies is HTTP again: of another version, or inside TLS
 * (RFC 2817 3). */
static bool
carries_requests(struct slice protocol)
{
    static const char *const names[] = { "h2c", "h2", "HTTP", "TLS" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_ieq(protocol, slice_str(names[i])))
            return true;
    return false;
}

/* One of those, or nothing that every origin reads as weir does: not a list of `name` and `name/version` (RFC 9110
 * 7.8). */
static bool
must_not_offer(struct slice upgrade)
{
    struct slice member;
    bool any = false;
    while (field_list_next(&upgrade, &member)) {
        const char *slash = memchr(member.p, '/', member.n);
        struct slice name = slice_of(member.p, slash ? (size_t)(slash - member.p) : member.n);
        if (!field_is_token(name) || carries_requests(name))
            return true;
        if (slash && !field_is_token(slice_from(member, name.n + 1)))
            return true;
        any = true;
    }
    return !any;
}

static void
clean(struct weir_exchange *x, bool underscores, bool trusted)
{
    struct http_request *r = x->req;
    if (r->upgrade.n && must_not_offer(r->upgrade))
        r->upgrade = SLICE_NONE; /* the request goes on as HTTP/1.1 (RFC 9113 3.1) */
    /* It goes with Connection (RFC 9110 10.1.4), which belongs to the upgrade where there is one. */
    bool trailers = takes_trailers(r) && !r->upgrade.n;
    x->settled = fields_remove_hop_by_hop(&r->fields);
    if (trailers) {
        fields_add_id(&r->fields, FIELD_TE, SLICE("trailers"));
        fields_add_id(&r->fields, FIELD_CONNECTION, SLICE("TE"));
    }
    fields_remove(&r->fields, FIELD_EXPECT); /* weir answers it itself, once the origin is at hand */
    fields_remove(&r->fields, FIELD_CLIENT_CERT); /* RFC 9440 4 */
    fields_remove(&r->fields, FIELD_CLIENT_CERT_CHAIN);
    fields_remove(&r->fields, FIELD_CONTENT_LENGTH); /* framing is written anew from r->body */
    drop_names(&r->fields, underscores, trusted);
}

/* What a proxy of ours says about the client that it serves. */
static void
believe(struct weir_exchange *x, const struct generation *g, const struct addr *peer)
{
    struct http_request *r = x->req;
    struct slice proto = fields_value(&r->fields, FIELD_X_FORWARDED_PROTO);
    struct slice id = fields_value(&r->fields, FIELD_X_REQUEST_ID);

    x->client = client_behind(x, g, peer);
    if (slice_ieq(proto, SLICE("https")) || slice_ieq(proto, SLICE("http"))) {
        r->scheme = proto.n == 5 ? SLICE("https") : SLICE("http");
        x->client_tls = proto.n == 5;
    }
    if (good_id(id))
        x->id = id;
}

bool
forward_receive(struct weir_exchange *x, const struct generation *g, const struct addr *peer)
{
    bool trusted = g->n_trusted && cidr_match(g->trusted, g->n_trusted, peer);
    x->client = peer;
    if (trusted)
        believe(x, g, peer);
    if (x->client_tls)
        x->hsts = g->hsts;
    x->underscores = g->underscores;
    clean(x, g->underscores, trusted);
    return trusted;
}

/* version-traceid-parentid-flags (W3C Trace Context 3.2). */
static bool
good_traceparent(struct slice s)
{
    if (s.n < 55 || (s.n > 55 && s.p[55] != '-') || s.p[2] != '-' || s.p[35] != '-' || s.p[52] != '-')
        return false;
    if (s.p[0] == 'f' && s.p[1] == 'f')
        return false;
    bool trace = false, parent = false;
    for (size_t i = 0; i < 55; i++) {
        char c = s.p[i];
        if (i == 2 || i == 35 || i == 52)
            continue;
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        if (c != '0' && i > 2 && i < 35)
            trace = true;
        if (c != '0' && i > 35 && i < 52)
            parent = true;
    }
    return trace && parent;
}

/* The client's trace goes on with weir as the parent; whether it is sampled is for trusted proxies to say. */
static void
set_traceparent(struct fields *f, bool trusted)
{
    const struct field *in = fields_find(f, FIELD_TRACEPARENT);
    bool good = in && fields_count(f, FIELD_TRACEPARENT) == 1 && good_traceparent(in->value);
    char *out = arena_alloc(f->arena, 55);

    memcpy(out, "00-", 3);
    if (good) {
        memcpy(out + 3, in->value.p + 3, 32);
    } else {
        put_hex(out + 3, random_u64() | 1);
        put_hex(out + 19, random_u64());
        fields_remove(f, FIELD_TRACESTATE);
    }
    out[35] = '-';
    put_hex(out + 36, random_u64() | 1);
    memcpy(out + 52, good && trusted && (in->value.p[54] & 1) ? "-01" : "-00", 3);
    fields_set_id(f, FIELD_TRACEPARENT, slice_of(out, 55));
}

static struct slice
join(struct arena *a, const struct slice *parts, unsigned n)
{
    size_t len = 0;
    for (unsigned i = 0; i < n; i++)
        len += parts[i].n;
    char *p = arena_alloc(a, len + 1), *out = p;
    for (unsigned i = 0; i < n; i++) {
        if (parts[i].n)
            memcpy(out, parts[i].p, parts[i].n);
        out += parts[i].n;
    }
    return slice_of(p, len);
}

/* Would what is appended be inside quotes? */
static bool
ends_quoted(struct slice list)
{
    bool quoted = false;
    for (size_t i = 0; i < list.n; i++) {
        if (list.p[i] == '"')
            quoted = !quoted;
        else if (quoted && list.p[i] == '\\')
            i++;
    }
    return quoted;
}

/* All lines of a list field, what a trusted peer wrote, with one more member behind them: seen by whoever reads the
 * list. A line of Forwarded that would hide the member in its quotes is a stranger's, and goes. */
static void
append_member(struct fields *f, bool trusted, enum field_id id, struct slice member)
{
    struct slice all = SLICE_NONE;
    if (trusted)
        for (const struct field *l = fields_find(f, id); l; l = fields_next(f, l))
            if (id != FIELD_FORWARDED || !ends_quoted(l->value))
                all = all.n ? join(f->arena, (struct slice[]){ all, SLICE(", "), l->value }, 3) : l->value;
    fields_set_id(f, id, all.n ? join(f->arena, (struct slice[]){ all, SLICE(", "), member }, 3) : member);
}

static struct slice
address_text(struct arena *arena, const struct addr *a)
{
    char *text = arena_alloc(arena, ADDR_TEXT_MAX);
    return slice_of(text, addr_format_ip(a, text));
}

static void
set_forwarded(struct weir_exchange *x, const struct addr *from, bool trusted)
{
    struct http_request *r = x->req;
    struct fields *f = &r->fields;
    struct arena *a = f->arena;
    struct slice peer = from == x->client ? exchange_client_ip(x) : address_text(a, from);
    bool v6 = memchr(peer.p, ':', peer.n), unix_peer = from->u.sa.sa_family == AF_UNIX;
    bool quote_host = !field_is_token(r->authority); /* it has no quote and no backslash */

    append_member(f, trusted, FIELD_X_FORWARDED_FOR, unix_peer ? SLICE("unknown") : peer);
    struct slice element[] = {
        unix_peer ? SLICE("for=unknown")
        : v6      ? SLICE("for=\"[")
                  : SLICE("for="),
        unix_peer ? SLICE_NONE : peer,
        v6 && !unix_peer ? SLICE("]\"") : SLICE_NONE,
        r->authority.n ? (quote_host ? SLICE(";host=\"") : SLICE(";host=")) : SLICE_NONE,
        r->authority,
        r->authority.n && quote_host ? SLICE("\"") : SLICE_NONE,
        SLICE(";proto="),
        r->scheme,
    };
    append_member(f, trusted, FIELD_FORWARDED, join(a, element, sizeof element / sizeof *element));

    if (!trusted || !fields_find(f, FIELD_X_FORWARDED_PROTO))
        fields_set_id(f, FIELD_X_FORWARDED_PROTO, r->scheme);
    if (!trusted || !fields_find(f, FIELD_X_FORWARDED_HOST)) {
        fields_remove(f, FIELD_X_FORWARDED_HOST);
        if (r->authority.n)
            fields_add_id(f, FIELD_X_FORWARDED_HOST, r->authority);
    }
}

void
forward_host(struct weir_exchange *x, const struct target *t, const struct endpoint_state *e)
{
    struct slice host = x->req->authority;
    if (t->cluster->host_header_endpoint && e)
        host = slice_str(e->authority);
    else if (t->host_header)
        host = template_field(t->host_header, x);
    const struct field *now = fields_find(&x->req->fields, FIELD_HOST);
    if (!now || !slice_eq(now->value, host) || fields_count(&x->req->fields, FIELD_HOST) != 1)
        fields_set_id(&x->req->fields, FIELD_HOST, host);
}

/* The version in which the message came (RFC 9110 7.6.3). */
static struct slice
via(enum http_version version)
{
    switch (version) {
    case HTTP_1_0:
        return SLICE("1.0 " VIA_NAME);
    case HTTP_2:
        return SLICE("2 " VIA_NAME);
    default:
        return SLICE("1.1 " VIA_NAME);
    }
}

void
forward_client_cert(struct weir_exchange *x, const struct target *t)
{
    const struct client_cert *c = x->client_cert;

    if (!c || t->cluster->client_cert == CLIENT_CERT_OFF)
        return;
    fields_set_id(&x->req->fields, FIELD_CLIENT_CERT, c->header);
    if (t->cluster->client_cert == CLIENT_CERT_CHAIN && c->chain.n)
        fields_set_id(&x->req->fields, FIELD_CLIENT_CERT_CHAIN, c->chain);
}

void
forward_decorate(struct weir_exchange *x, const struct addr *from, bool trusted)
{
    struct http_request *r = x->req;

    set_forwarded(x, from, trusted);
    fields_add_id(&r->fields, FIELD_VIA, via(r->version));
    fields_set_id(&r->fields, FIELD_X_REQUEST_ID, x->id);
    set_traceparent(&r->fields, trusted);
}

struct slice
forward_target(const struct http_request *r, const struct route *route)
{
    struct slice path = r->path, cut = route->strip_prefix;
    if (cut.n && slice_starts(path, cut) && (path.n == cut.n || path.p[cut.n] == '/'))
        path = path.n == cut.n ? SLICE("/") : slice_from(path, cut.n);
    if (!r->has_query)
        return path;
    /* The common case: path and query stand side by side in the request line. */
    if (path.p + path.n + 1 == r->query.p && path.p[path.n] == '?')
        return slice_of(path.p, path.n + 1 + r->query.n);
    return join(r->fields.arena, (struct slice[]){ path, SLICE("?"), r->query }, 3);
}

static bool
is_among(struct slice name, const struct field_names *list)
{
    for (; list; list = list->next)
        if (field_names_alike(list->name, name))
            return true;
    return false;
}

/* RFC 9110 6.5.1: nothing that frames, routes or authenticates the message, or that weir or a policy has settled. */
static bool
may_trail(const struct weir_exchange *x, struct slice name)
{
    enum field_id id = field_lookup(name);
    return !field_hop_by_hop(id) && !field_relied_on(id) && !is_among(name, x->settled);
}

void
forward_trailers(const struct weir_exchange *x, bool underscores, struct fields *trailers)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < trailers->n; i++)
        if (may_trail(x, trailers->v[i].name))
            trailers->v[kept++] = trailers->v[i];
    trailers->n = kept;
    drop_names(trailers, underscores, false);
}

struct field_names *
forward_response(struct http_response *r, struct slice id)
{
    struct fields *f = &r->fields;
    struct slice upgrade = r->status == 101 ? fields_value(f, FIELD_UPGRADE) : SLICE_NONE;
    struct field_names *named = fields_remove_hop_by_hop(f);
    if (upgrade.n)
        fields_add_id(f, FIELD_UPGRADE, upgrade); /* the one of those asked for that was chosen */
    fields_set_id(f, FIELD_X_REQUEST_ID, id);
    fields_add_id(f, FIELD_VIA, via(r->version));
    return named;
}

void
forward_interim(struct http_response *r)
{
    fields_remove_hop_by_hop(&r->fields);
    fields_add_id(&r->fields, FIELD_VIA, via(r->version));
}

bool
forward_loops(const struct http_request *r)
{
    unsigned passes = 0;
    for (const struct field *f = fields_find(&r->fields, FIELD_VIA); f; f = fields_next(&r->fields, f)) {
        struct slice rest = f->value, member;
        while (next_member(&rest, &member))
            if (slice_ends(member, SLICE(" " VIA_NAME)) && ++passes >= VIA_MAX)
                return true;
    }
    return false;
}
