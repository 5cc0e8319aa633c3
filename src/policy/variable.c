#include "variable.h"
#include "run.h"
#include "template.h"

#include "../http/grpc.h"
#include "../http/uri.h"
#include "../net/client_cert.h"

#include <stdatomic.h>
#include <string.h>

#define MODULE_VARIABLES_MAX 256

/* ---- the core's ---- */

struct slice
exchange_client_ip(struct weir_exchange *x)
{
    char *text;

    if (!x->client_ip.n && x->client) {
        text = arena_alloc(x->arena, ADDR_TEXT_MAX);
        x->client_ip = slice_of(text, addr_format_ip(x->client, text));
    }
    return x->client_ip;
}

static struct slice
get_client_ip(struct weir_exchange *x, struct slice rest)
{
    return exchange_client_ip(x);
}

static struct slice
number(struct weir_exchange *x, uint64_t v)
{
    char text[24], *p = text + sizeof(text);

    do
        *--p = (char)('0' + v % 10);
    while (v /= 10);
    return arena_slice(x->arena, slice_of(p, (size_t)(text + sizeof(text) - p)));
}

static struct slice
get_client_port(struct weir_exchange *x, struct slice rest)
{
    int port = x->client ? addr_port(x->client) : -1;

    return port < 0 ? SLICE_NONE : number(x, (uint64_t)port);
}

/* ---- of the certificate with which the client has named itself ---- */

static struct slice
get_cert_subject(struct weir_exchange *x, struct slice rest)
{
    return x->client_cert ? x->client_cert->subject : SLICE_NONE;
}

static struct slice
get_cert_issuer(struct weir_exchange *x, struct slice rest)
{
    return x->client_cert ? x->client_cert->issuer : SLICE_NONE;
}

static struct slice
get_cert_serial(struct weir_exchange *x, struct slice rest)
{
    return x->client_cert ? x->client_cert->serial : SLICE_NONE;
}

static struct slice
get_cert_fingerprint(struct weir_exchange *x, struct slice rest)
{
    return x->client_cert ? x->client_cert->fingerprint : SLICE_NONE;
}

static struct slice
get_cert_san(struct weir_exchange *x, struct slice rest)
{
    struct strbuf b;
    struct slice text = SLICE_NONE;

    strbuf_init(&b, 4096);
    for (unsigned i = 0; x->client_cert && i < x->client_cert->n_sans; i++) {
        if (b.n)
            strbuf_addc(&b, ',');
        strbuf_addslice(&b, x->client_cert->sans[i].value);
    }
    if (b.n)
        text = arena_slice(x->arena, strbuf_slice(&b));
    strbuf_fini(&b);
    return text;
}

static struct slice
get_method(struct weir_exchange *x, struct slice rest)
{
    return x->req->method_text;
}

static struct slice
get_host(struct weir_exchange *x, struct slice rest)
{
    return x->req->host;
}

static struct slice
get_authority(struct weir_exchange *x, struct slice rest)
{
    return x->req->authority;
}

static struct slice
get_scheme(struct weir_exchange *x, struct slice rest)
{
    return x->req->scheme.n ? x->req->scheme : x->client_tls ? SLICE("https") : SLICE("http");
}

static struct slice
get_protocol(struct weir_exchange *x, struct slice rest)
{
    switch (x->req->version) {
    case HTTP_1_0:
        return SLICE("HTTP/1.0");
    case HTTP_1_1:
        return SLICE("HTTP/1.1");
    case HTTP_2:
        return SLICE("HTTP/2");
    }
    return SLICE_NONE;
}

static struct slice
get_path(struct weir_exchange *x, struct slice rest)
{
    return x->req->path;
}

static struct slice
get_query(struct weir_exchange *x, struct slice rest)
{
    return x->req->has_query ? x->req->query : SLICE_NONE;
}

static struct slice
get_uri(struct weir_exchange *x, struct slice rest)
{
    struct slice path = x->req->path, query = x->req->query;
    char *p;

    if (!x->req->has_query)
        return path;
    if (query.p == path.p + path.n + 1) /* as received: the '?' stands between them */
        return slice_of(path.p, path.n + 1 + query.n);
    p = arena_alloc(x->arena, path.n + 1 + query.n);
    if (path.n)
        memcpy(p, path.p, path.n);
    p[path.n] = '?';
    if (query.n)
        memcpy(p + path.n + 1, query.p, query.n);
    return slice_of(p, path.n + 1 + query.n);
}

static struct slice
get_request_id(struct weir_exchange *x, struct slice rest)
{
    return x->id;
}

/* The combined value (RFC 9110 5.2): all lines joined, so that a second line cannot be hidden behind the first. */
static struct slice
field_text(struct weir_exchange *x, const struct fields *fields, struct slice name)
{
    const struct field *first = fields_find_name(fields, name), *f;
    size_t n = 0;
    char *p;

    if (!first)
        return SLICE_NONE;
    if (!fields_next(fields, first))
        return first->value.p ? first->value : SLICE("");
    for (f = first; f; f = fields_next(fields, f))
        n += f->value.n + 2;
    p = arena_alloc(x->arena, n);
    n = 0;
    for (f = first; f; f = fields_next(fields, f)) {
        if (f != first) {
            memcpy(p + n, ", ", 2);
            n += 2;
        }
        if (f->value.n)
            memcpy(p + n, f->value.p, f->value.n);
        n += f->value.n;
    }
    return slice_of(p, n);
}

static struct slice
get_request_header(struct weir_exchange *x, struct slice rest)
{
    return field_text(x, &x->req->fields, rest);
}

static struct slice
get_cookie(struct weir_exchange *x, struct slice rest)
{
    struct slice value;

    return cookie_find(&x->req->fields, rest, &value) ? value : SLICE_NONE;
}

static struct slice
get_arg(struct weir_exchange *x, struct slice rest)
{
    struct slice value;

    return query_find(x->req->query, rest, x->arena, &value) ? value : SLICE_NONE;
}

static struct slice
get_route_name(struct weir_exchange *x, struct slice rest)
{
    return x->route_name;
}

static struct slice
get_upstream_name(struct weir_exchange *x, struct slice rest)
{
    return x->upstream_name;
}

static struct slice
get_endpoint_address(struct weir_exchange *x, struct slice rest)
{
    return x->endpoint_address;
}

static struct slice
get_status(struct weir_exchange *x, struct slice rest)
{
    return x->res && x->res->status > 0 ? number(x, (uint64_t)x->res->status) : SLICE_NONE;
}

static struct slice
get_response_header(struct weir_exchange *x, struct slice rest)
{
    return x->res ? field_text(x, &x->res->fields, rest) : SLICE_NONE;
}

static struct slice
get_grpc_status(struct weir_exchange *x, struct slice rest)
{
    return x->grpc.known ? slice_str(grpc_status_name((enum grpc_status)x->grpc.status)) : SLICE_NONE;
}

static struct slice
get_time_iso(struct weir_exchange *x, struct slice rest)
{
    char *text = arena_alloc(x->arena, 25);

    return slice_of(text, (size_t)clock_iso(clock_wall(), text));
}

static struct slice
get_time_unix(struct weir_exchange *x, struct slice rest)
{
    return number(x, (uint64_t)(clock_wall() / NSEC_PER_SEC));
}

static const struct variable core[] = {
    { "client.ip", "the client's address, after trusted_proxies", .get = get_client_ip },
    { "client.port", "the client's port", .get = get_client_port },
    { "client_cert.subject", "subject of the client's certificate, as CN=alice,O=Acme", .get = get_cert_subject },
    { "client_cert.issuer", "issuer of the client's certificate", .get = get_cert_issuer },
    { "client_cert.serial", "serial number of the client's certificate, hexadecimal", .get = get_cert_serial },
    { "client_cert.fingerprint", "SHA-256 of the client's certificate, hexadecimal", .get = get_cert_fingerprint },
    { "client_cert.san", "alternative names of the client's certificate, with commas", .get = get_cert_san },
    { "request.method", "GET, POST, ...", .get = get_method },
    { "request.scheme", "http or https", .get = get_scheme },
    { "request.host", "host of the request, lower-case, without port", .get = get_host },
    { "request.authority", "host and port as the client sent them", .get = get_authority },
    { "request.path", "canonical path, without query", .get = get_path },
    { "request.query", "what follows `?`, as received", .get = get_query },
    { "request.uri", "path and query", .get = get_uri },
    { "request.protocol", "HTTP/1.0, HTTP/1.1 or HTTP/2", .get = get_protocol },
    { "request.id", "X-Request-Id of this exchange", .get = get_request_id },
    { "request.header.", "a request header field; several lines joined with commas", .get = get_request_header },
    { "request.cookie.", "a cookie of the request", .get = get_cookie },
    { "request.arg.", "a query argument, percent-decoded", .get = get_arg },
    { "route.name", "the route that was chosen", .get = get_route_name },
    { "upstream.name", "the upstream that was chosen", .get = get_upstream_name },
    { "endpoint.address", "the endpoint of the last attempt", .get = get_endpoint_address },
    { "response.status", "status of the response", .get = get_status },
    { "response.header.", "a response header field", .get = get_response_header },
    { "grpc.status", "how a gRPC call has ended, once that is known: OK, UNAVAILABLE, ...", .get = get_grpc_status },
    { "time.iso", "now, as 2026-11-21T03:23:39.123Z", .get = get_time_iso },
    { "time.unix", "now, in whole seconds since 1970", .get = get_time_unix },
};

#define CORE_COUNT (sizeof(core) / sizeof(core[0]))

/* ---- modules' ---- */

/* Only the thread that builds a generation adds; workers read up to the count. */
static struct variable added[MODULE_VARIABLES_MAX];
static _Atomic unsigned added_count;

static bool
names_clash(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);

    if (a[la - 1] == '.' && strncmp(a, b, la) == 0)
        return true;
    if (b[lb - 1] == '.' && strncmp(a, b, lb) == 0)
        return true;
    return strcmp(a, b) == 0;
}

static bool
taken(const char *name)
{
    unsigned n = atomic_load_explicit(&added_count, memory_order_acquire);

    for (unsigned i = 0; i < CORE_COUNT; i++)
        if (names_clash(core[i].name, name))
            return true;
    for (unsigned i = 0; i < n; i++)
        if (names_clash(added[i].name, name))
            return true;
    return false;
}

int
variable_add(const struct weir_variable *rows, const struct module *owner)
{
    unsigned n = atomic_load_explicit(&added_count, memory_order_relaxed), count = 0;

    for (; rows[count].name; count++)
        if (!rows[count].name[0] || !rows[count].get || taken(rows[count].name))
            return -1;
    if (n + count > MODULE_VARIABLES_MAX)
        return -1;
    for (unsigned i = 0; i < count; i++)
        added[n + i] = (struct variable){ rows[i].name, rows[i].help, .row = &rows[i], .owner = owner };
    atomic_store_explicit(&added_count, n + count, memory_order_release);
    return 0;
}

static bool
matches(const struct variable *v, struct slice name, struct slice *rest)
{
    size_t n = strlen(v->name);

    if (v->name[n - 1] != '.') {
        *rest = SLICE_NONE;
        return name.n == n && memcmp(v->name, name.p, n) == 0;
    }
    if (name.n <= n || memcmp(v->name, name.p, n) != 0)
        return false;
    *rest = slice_from(name, n);
    return true;
}

const struct variable *
variable_find(struct slice name, struct slice *rest)
{
    unsigned n = atomic_load_explicit(&added_count, memory_order_acquire);

    for (unsigned i = 0; i < CORE_COUNT; i++)
        if (matches(&core[i], name, rest))
            return &core[i];
    for (unsigned i = 0; i < n; i++)
        if (matches(&added[i], name, rest))
            return &added[i];
    return NULL;
}

struct slice
variable_get(const struct variable *v, struct weir_exchange *x, struct slice rest)
{
    const struct policy_run *run = x->run;
    void *shared;

    if (v->get)
        return v->get(x, rest);
    shared = run && v->owner->index < run->n_shared ? run->shared[v->owner->index] : NULL;
    return slice_of_str(v->row->get(x, shared, str_of_slice(rest)));
}

bool
variable_text(struct weir_exchange *x, struct slice name, struct slice *value)
{
    struct slice rest;
    const struct variable *v = variable_find(name, &rest);

    *value = v ? variable_get(v, x, rest) : SLICE_NONE;
    return v != NULL;
}

void
variable_list(struct strbuf *out)
{
    unsigned n = atomic_load_explicit(&added_count, memory_order_acquire);

    for (unsigned i = 0; i < CORE_COUNT + n; i++) {
        const struct variable *v = i < CORE_COUNT ? &core[i] : &added[i - CORE_COUNT];
        bool prefix = v->name[strlen(v->name) - 1] == '.';

        strbuf_addf(out, "${%s%s}\t%s\n", v->name, prefix ? "NAME" : "", v->help ? v->help : "");
    }
}

/* ---- did you mean ---- */

const char *
variable_nearest(struct slice name, struct arena *arena)
{
    unsigned n = atomic_load_explicit(&added_count, memory_order_acquire), i;
    const char *names[CORE_COUNT + MODULE_VARIABLES_MAX + 1], *near;
    char *word = arena_strndup(arena, name.p, name.n), *dot;

    for (i = 0; i < CORE_COUNT + n; i++)
        names[i] = i < CORE_COUNT ? core[i].name : added[i - CORE_COUNT].name;
    names[i] = NULL;
    near = conf_nearest(word, names);
    if (near && near[strlen(near) - 1] != '.')
        return near;
    /* request.headr.X-Foo: the prefix alone is misspelt. */
    dot = strrchr(word, '.');
    if (!dot)
        return NULL;
    word = arena_strndup(arena, word, (size_t)(dot + 1 - word));
    near = conf_nearest(word, names);
    if (!near || near[strlen(near) - 1] != '.')
        return near;
    return arena_printf(arena, "%s%.*s", near, SLICE_FMT(slice_from(name, strlen(word)))).p;
}

bool
variable_namespace_known(struct slice name)
{
    const char *dot = memchr(name.p, '.', name.n);
    size_t n = dot ? (size_t)(dot + 1 - name.p) : name.n;
    unsigned count = atomic_load_explicit(&added_count, memory_order_acquire);

    for (unsigned i = 0; i < CORE_COUNT + count; i++) {
        const char *known = i < CORE_COUNT ? core[i].name : added[i - CORE_COUNT].name;

        if (strncmp(known, name.p, n) == 0)
            return true;
    }
    return false;
}
