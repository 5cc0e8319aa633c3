/* The admin listener: sockets on the service loop, sessions as for any client, requests collected whole and answered at
 * once. */
#include "admin.h"

#include "../base/log.h"
#include "../base/random.h"
#include "../base/xalloc.h"
#include "../http/uri.h"
#include "../net/acceptor.h"
#include "../net/addr.h"
#include "../proxy/reply.h"
#include "../session/down_h1.h"
#include "rate.h"
#include "request.h"

#include <stdio.h>
#include <stdlib.h>

/* clang-format off */
#define ONE(name_, type_) (const struct weir_arg[]){ { .name = name_, .type = type_ }, { 0 } }

const struct weir_directive admin_rows[] = {
    { .name = "admin", .in = "main", .block = "admin",
      .help = "Where the daemon is asked and ordered: health, metrics, views, reload. Never bind it to a public "
              "address." },
    { .name = "bind", .in = "admin", .args = ONE("ADDRESS", WEIR_T_ADDRESS), .flags = WEIR_D_REPEAT | WEIR_D_REQUIRED,
      .help = "An address for administrators: 127.0.0.1:9901 or unix:/run/weir/admin.sock." },
    { 0 },
};
/* clang-format on */

struct admin_socket {
    struct listener_socket *socket; /* a reference */
    struct acceptor *acceptor;
    bool wanted, fresh; /* by the generation that is being followed; opened for it */
    struct admin_socket *next;
};

static struct {
    struct admin_socket *sockets;
    struct down_sessions *sessions;
} admin;

const struct admin_services *admin_services;

/* ---- answers ---- */

static void
respond(struct admin_request *r, struct http_response *res, struct slice body)
{
    struct down_stream *ds = r->ds;
    r->answered = true;
    res->version = HTTP_1_1;
    res->reason_phrase = slice_str(status_phrase(res->status));
    fields_add_id(&res->fields, FIELD_X_REQUEST_ID, r->id);
    ds->ops->respond(ds, res, (struct body_framing){ BODY_LENGTH, body.n }, false);
    if (ds->req.method != METHOD_HEAD && body.n) {
        struct iobuf out;
        iobuf_init(&out, body.n);
        iobuf_adds(&out, body);
        ds->ops->send(ds, &out, body.n);
        iobuf_fini(&out);
    }
    ds->ops->end(ds, NULL);
}

static struct http_response
new_response(struct admin_request *r, int status, struct slice type)
{
    struct http_response res = { .status = status };
    fields_init(&res.fields, &r->ds->arena);
    fields_add_id(&res.fields, FIELD_CONTENT_TYPE, type);
    fields_add(&res.fields, SLICE("Cache-Control"), SLICE("no-store"));
    return res;
}

void
answer_text(struct admin_request *r, int status, const char *type, struct slice body)
{
    struct http_response res = new_response(r, status, slice_str(type));
    respond(r, &res, body);
}

void
answer_json(struct admin_request *r, int status, json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(1) | JSON_REAL_PRECISION(9) | JSON_ENCODE_ANY);
    json_decref(value);
    struct slice body = arena_printf(&r->ds->arena, "%s\n", text ? text : "null");
    free(text);
    answer_text(r, status, "application/json", body);
}

void
answer_problem(struct admin_request *r, int status, const char *code, const char *detail)
{
    struct reason reason = { .code = code, .status = status, .title = status_phrase(status) };
    struct http_response res = new_response(r, status, SLICE("application/problem+json"));
    respond(r, &res, reply_problem(&r->ds->arena, &reason, slice_str(detail), r->id));
}

void
answer_not_allowed(struct admin_request *r, const char *allow)
{
    struct reason reason = { .code = "method_not_allowed", .status = 405, .title = status_phrase(405) };
    struct http_response res = new_response(r, 405, SLICE("application/problem+json"));
    fields_add_id(&res.fields, FIELD_ALLOW, slice_str(allow));
    respond(r, &res, reply_problem(&r->ds->arena, &reason, SLICE("this resource does not take that method"), r->id));
}

/* ---- requests ---- */

static void
release(struct admin_request *r)
{
    struct down_stream *ds = r->ds;
    r->ds = NULL;
    ds->ops->release(ds);
}

/* Does it name this host whatever the DNS says? */
static bool
is_fixed(struct slice host)
{
    struct addr ip;
    return slice_ieq(host, SLICE("localhost")) || addr_parse_ip(host, &ip) == 0;
}

/* A page in a browser beside the daemon may post to loopback: nobody asked for what it orders (Fetch: the Origin of a
 * page of this listener itself is its Host). The page's own name may lead here by now (DNS rebinding): then both agree,
 * and prove nothing. */
static bool
cross_site(const struct admin_request *r)
{
    const struct http_request *req = &r->ds->req;
    const struct field *f = fields_find(&req->fields, FIELD_ORIGIN);
    if (!f || method_safe(req->method))
        return false;
    const char *host = memmem(f->value.p, f->value.n, "://", 3);
    return !host || !slice_ieq(slice_from(f->value, (size_t)(host + 3 - f->value.p)), req->authority) ||
           !is_fixed(req->host);
}

static void
handle(struct admin_request *r)
{
    struct down_stream *ds = r->ds;
    r->body = slice_of(iobuf_pullup(&ds->in, ds->in.len), ds->in.len);
    struct slice rest = slice_from(ds->req.path, 1);
    for (r->n = 0; rest.n && r->n < ADMIN_SEGMENTS_MAX;) {
        const char *slash = memchr(rest.p, '/', rest.n);
        size_t n = slash ? (size_t)(slash - rest.p) : rest.n;
        r->segment[r->n++] = uri_decode(slice_of(rest.p, n), false, &ds->arena);
        rest = slice_from(rest, n + 1);
    }
    admin_route(r);
}

/* What has come of the body: all of it, too much, or more is awaited. */
static void
look(struct admin_request *r)
{
    const struct down_stream *ds = r->ds;
    bool announced = ds->req.body.kind == BODY_LENGTH && ds->req.body.length > ADMIN_BODY_MAX;
    if (announced || ds->in.len > ADMIN_BODY_MAX)
        answer_problem(r, 413, "body_too_large", "an order is at most 32 KiB");
    else if (ds->in_end && cross_site(r))
        answer_problem(r, 403, "cross_site", "orders from pages of other sites are refused");
    else if (ds->in_end)
        handle(r);
}

static void
on_body(struct down_stream *ds)
{
    struct admin_request *r = ds->user;
    if (r->answered || r->waiting)
        return;
    look(r);
}

static void
on_writable(struct down_stream *ds)
{
    (void)ds;
}

static void
on_abort(struct down_stream *ds, enum reason_id reason, const char *detail)
{
    struct admin_request *r = ds->user;
    const struct reason *why = reason_get(reason);
    if (r->waiting)
        r->gone = true; /* released when what it waits for is done */
    else if (!r->answered && why->status >= 400 && why->status < 500)
        answer_problem(r, why->status, why->code, detail); /* its body is broken, but it still listens */
    else
        release(r);
}

static void
on_sent(struct down_stream *ds)
{
    release(ds->user);
}

static const struct down_events events = { on_body, on_writable, on_abort, on_sent };

static struct admin_request *
request_new(struct down_stream *ds)
{
    struct admin_request *r = arena_zalloc(&ds->arena, sizeof *r);
    r->ds = ds;
    r->id =
        arena_printf(&ds->arena, "%016llx%016llx", (unsigned long long)random_u64(), (unsigned long long)random_u64());
    ds->events = &events;
    ds->user = r;
    return r;
}

static void
on_request(struct down_stream *ds, void *arg)
{
    struct admin_request *r = request_new(ds);
    (void)arg;
    ds->ops->want_body(ds);
    look(r);
}

static void
on_bad_request(struct down_stream *ds, enum reason_id reason, const char *detail, void *arg)
{
    (void)arg;
    const struct reason *why = reason_get(reason);
    answer_problem(request_new(ds), why->status, why->code, detail);
}

static const struct down_handler handler = { .on_request = on_request, .on_bad_request = on_bad_request };

static const struct down_conf limits = {
    .limits = { .request_line = 8192, .field = 8192, .head = 32768, .fields = 100 },
    .head_timeout = 10 * NSEC_PER_SEC,
    .body_timeout = 10 * NSEC_PER_SEC,
    .idle_timeout = 60 * NSEC_PER_SEC,
    .write_timeout = 30 * NSEC_PER_SEC,
    .uri = { .encoded_slashes = URI_SLASHES_KEEP }, /* route names hold slashes */
};

static const struct down_conf *
conf_of_sessions(void *arg)
{
    (void)arg;
    return &limits;
}

static const struct down_handler *
handler_of_sessions(void *arg)
{
    (void)arg;
    return &handler;
}

#define ADMIN_SESSIONS_MAX 256

static void
on_accept(int fd, const struct addr *peer, const struct addr *local, void *arg)
{
    static const struct down_source source = { conf_of_sessions, handler_of_sessions, NULL };
    (void)arg;
    struct conn *c = conn_accepted(worker_get(WORKER_SERVICE)->loop, fd, peer, local, NULL);
    if (!c)
        return;
    if (down_sessions_count(admin.sessions) >= ADMIN_SESSIONS_MAX) {
        log_warning(NULL, "admin: %d connections are open; closing a new one", ADMIN_SESSIONS_MAX);
        conn_close(c);
        return;
    }
    down_h1_start(admin.sessions, c, &source);
}

/* ---- sockets ---- */

static struct admin_socket *
socket_of(struct listener_socket *s)
{
    for (struct admin_socket *a = admin.sockets; a; a = a->next)
        if (a->socket == s)
            return a;
    return NULL;
}

static int
open_socket(const struct weir_conf *line)
{
    struct addr a;
    struct err e = { 0 };
    struct listener_socket *s = NULL;
    if (addr_parse(conf_arg(line, 0), &a, &e) != 0 ||
        !(s = listener_open(&a, WORKER_SERVICE, WORKER_SERVICE, 64, &e))) {
        conf_error(line, 0, "%s", e.text);
        return -1;
    }
    struct admin_socket *known = socket_of(s);
    if (known) {
        listener_put(s);
        known->wanted = true;
        return 0;
    }
    struct admin_socket *n = xcalloc(1, sizeof *n);
    *n = (struct admin_socket){ .socket = s, .wanted = true, .fresh = true, .next = admin.sockets };
    n->acceptor = acceptor_start(worker_get(WORKER_SERVICE), s, on_accept, NULL);
    admin.sockets = n;
    return 0;
}

static void
close_unwanted(void)
{
    for (struct admin_socket **at = &admin.sockets; *at;) {
        struct admin_socket *s = *at;
        if (s->wanted) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        if (s->acceptor)
            acceptor_stop(s->acceptor);
        listener_put(s->socket);
        free(s);
    }
}

int
admin_follow(struct generation *g)
{
    int rc = 0;
    for (struct admin_socket *s = admin.sockets; s; s = s->next)
        s->wanted = s->fresh = false;
    const struct weir_conf *block = conf_find(conf_root(g->conf), "admin");
    for (const struct weir_conf *l = block ? conf_find(block, "bind") : NULL; l; l = conf_next(l))
        rc |= open_socket(l);
    /* A failed load leaves what is open as it was. */
    for (struct admin_socket *s = admin.sockets; s && rc != 0; s = s->next)
        s->wanted = !s->fresh;
    close_unwanted();
    return rc;
}

void
admin_leave(void)
{
    for (struct admin_socket *s = admin.sockets; s; s = s->next)
        s->wanted = false;
    close_unwanted();
}

void
admin_init(const struct admin_services *services)
{
    admin_services = services;
    admin.sessions = down_sessions_new(worker_get(WORKER_SERVICE)->loop);
    rate_start(worker_get(WORKER_SERVICE)->loop);
}

void
admin_fini(void)
{
    admin_leave();
    rate_stop();
    if (admin.sessions)
        down_sessions_free(admin.sessions);
    admin.sessions = NULL;
}
