#include "fetch.h"
#include "../base/strbuf.h"
#include "../base/xalloc.h"
#include "../http/uri.h"
#include "up_h1.h"
#include "up_h2.h"

#include <stddef.h>
#include <stdlib.h>

#define IN_CAP 65536u

static const struct h1_limits limits = { .request_line = 8192, .field = 16384, .head = 65536, .fields = 200 };

struct fetch {
    struct loop *loop;
    fetch_done done;
    void *arg;
    struct arena arena; /* the request's copies and the response's head */
    struct url url;
    struct slice host, body, announce;
    const char *method;
    const struct tls_client *tls; /* held while not NULL */
    size_t max_body;
    struct timer timer;
    struct task failed; /* what failed at once is told later */
    const char *error;
    struct conn *c;             /* until the session takes it */
    struct up_session *session; /* while a stream is open */
    struct up_stream *stream;
    struct strbuf got;
    bool http2, grpc;
    bool resolving; /* the resolver will call once more: f must live until then */
    bool lack;      /* it failed for want of a descriptor */
    bool over;
};

/* ------------------------------------------------------------------ ends */

static void
fetch_free(void *p)
{
    struct fetch *f = p;

    strbuf_fini(&f->got);
    arena_fini(&f->arena);
    if (f->tls)
        tls_client_put(f->tls);
    free(f);
}

/* Lets go of everything but the memory that a result points to. */
static void
stop(struct fetch *f)
{
    f->over = true;
    timer_fini(&f->timer);
    task_cancel(f->loop, &f->failed);
    if (f->stream)
        f->stream->ops->release(f->stream);
    else if (f->c)
        conn_close(f->c);
    f->stream = NULL;
    f->c = NULL;
    if (!f->resolving)
        loop_defer_free(f->loop, fetch_free, f);
}

static void
finish(struct fetch *f, const struct fetch_result *r)
{
    if (f->over)
        return;
    f->over = true;
    f->done(r, f->arg);
    stop(f);
}

static void
fail(struct fetch *f, const char *error)
{
    finish(f, &(struct fetch_result){ .error = error, .lack = f->lack });
}

static void
on_failed(struct task *t)
{
    struct fetch *f = (struct fetch *)((char *)t - offsetof(struct fetch, failed));

    fail(f, f->error);
}

static void
fail_later(struct fetch *f, const char *error)
{
    f->error = arena_strndup(&f->arena, error, strlen(error));
    loop_at_turn_end(f->loop, &f->failed);
}

static void
on_timer(struct timer *t)
{
    fail((struct fetch *)((char *)t - offsetof(struct fetch, timer)), "no complete answer in time");
}

void
fetch_cancel(struct fetch *f)
{
    if (f && !f->over)
        stop(f);
}

/* ------------------------------------------------------------------ the exchange */

static void
on_body(struct up_stream *s)
{
    struct fetch *f = s->user;
    struct slice part;

    if (f->got.n + s->in.len > f->max_body) {
        fail(f, "the answer is larger than allowed");
        return;
    }
    while ((part = iobuf_front(&s->in)).n) {
        strbuf_addslice(&f->got, part);
        iobuf_consume(&s->in, part.n);
    }
    if (s->in_end)
        finish(f, &(struct fetch_result){ .status = s->res.status,
                                          .body = strbuf_slice(&f->got),
                                          .fields = &s->res.fields,
                                          .trailers = &s->trailers });
    else
        s->ops->consumed(s);
}

static void
on_head(struct up_stream *s)
{
    if (s->in.len || s->in_end)
        on_body(s);
}

/* The body is as large as the caller made it: it goes piece by piece. */
static void
on_writable(struct up_stream *s)
{
    struct fetch *f = s->user;
    size_t n = s->ops->room(s);
    struct iobuf piece;

    if (n > f->body.n)
        n = f->body.n;
    iobuf_init(&piece, SIZE_MAX);
    iobuf_add(&piece, f->body.p, n);
    f->body = slice_from(f->body, n);
    if (n)
        s->ops->send(s, &piece, n);
    if (!f->body.n)
        s->ops->end(s, NULL);
}

static void
on_error(struct up_stream *s, enum up_error error, const char *detail)
{
    fail(s->user, detail);
}

static const struct up_events stream_events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_writable = on_writable,
    .on_error = on_error,
};

static void
make_request(struct fetch *f, struct http_request *r)
{
    *r = (struct http_request){ .version = HTTP_1_1, .method_text = slice_str(f->method), .authority = f->host };
    r->method = method_lookup(r->method_text);
    fields_init(&r->fields, &f->arena);
    fields_add_id(&r->fields, FIELD_HOST, f->host);
    fields_add_id(&r->fields, FIELD_USER_AGENT, SLICE("weir"));
    if (f->grpc) {
        fields_add_id(&r->fields, FIELD_TE, SLICE("trailers"));
        fields_add_id(&r->fields, FIELD_CONTENT_TYPE, SLICE("application/grpc"));
        return;
    }
    fields_add(&r->fields, SLICE("Accept"), SLICE("*/*"));
    fields_add_id(&r->fields, FIELD_CONNECTION, SLICE("close"));
}

static void
send_request(struct fetch *f)
{
    struct body_framing body = { .kind = f->body.n ? BODY_LENGTH : BODY_NONE, .length = f->body.n };
    bool h2 = up_carries_h2(f->c, f->http2);
    struct http_request r;
    struct up_stream *s;

    if (f->http2 && !h2) {
        fail(f, UP_NO_H2);
        return;
    }
    f->session = h2 ? up_h2_new(f->c, &limits, 0, NULL, NULL) : up_h1_new(f->c, &limits, NULL, NULL);
    f->c = NULL;
    s = f->stream = up_open(f->session, &f->arena, IN_CAP);
    s->events = &stream_events;
    s->user = f;
    make_request(f, &r);
    s->ops->request(s, &r, f->url.path_query, body);
    if (f->body.n)
        on_writable(s);
}

/* ------------------------------------------------------------------ the connection */

static void
on_connected(struct conn *c, unsigned events)
{
    struct fetch *f = c->owner;

    if (c->broken)
        fail(f, conn_error(c));
    else if (!c->connecting && !c->handshaking)
        send_request(f);
}

/* NULL, or why not. */
static const char *
connect_to(struct fetch *f, const struct addr *to)
{
    struct err e;

    err_clear(&e);
    f->c = conn_connect(f->loop, to, f->url.tls ? f->tls : NULL, f->url.tls ? f->url.host : SLICE_NONE, &e);
    if (!f->c) {
        f->lack = e.kind == ERR_LIMIT;
        return arena_strndup(&f->arena, e.text, strlen(e.text));
    }
    if (f->announce.n)
        conn_announce(f->c, f->announce);
    conn_attach(f->c, on_connected, f);
    return NULL;
}

static void
on_resolved(const struct addr *addrs, unsigned n, const char *error, void *arg)
{
    struct fetch *f = arg;
    const char *why;

    f->resolving = false;
    if (f->over) {
        loop_defer_free(f->loop, fetch_free, f);
        return;
    }
    why = n ? connect_to(f, &addrs[0]) : error ? error : "the name has no address";
    if (why)
        fail_later(f, why);
}

static void
start(struct fetch *f, const struct fetch_request *r)
{
    struct addr to = r->to;
    const char *why = NULL;

    if (f->url.tls && !f->tls) {
        why = "https without TLS settings";
    } else if (to.len) {
        why = connect_to(f, &to);
    } else if (addr_parse_ip(f->url.host, &to) == 0) {
        addr_set_port(&to, f->url.port);
        why = connect_to(f, &to);
    } else if (r->resolver) {
        f->resolving = true;
        resolver_lookup(r->resolver, f->url.host, f->url.port, r->timeout, on_resolved, f);
    } else {
        why = "a name where only an address can be used";
    }
    if (why)
        fail_later(f, why);
}

struct fetch *
fetch_start(struct loop *l, const struct fetch_request *r, fetch_done done, void *arg)
{
    struct fetch *f = xcalloc(1, sizeof(*f));

    arena_init(&f->arena);
    if (!url_parse(arena_slice(&f->arena, r->url), &f->url)) {
        arena_fini(&f->arena);
        free(f);
        return NULL;
    }
    f->loop = l;
    f->done = done;
    f->arg = arg;
    f->method = r->method ? r->method : r->grpc ? "POST" : "GET";
    f->http2 = r->http2;
    f->grpc = r->grpc;
    f->host = r->host.n ? arena_slice(&f->arena, r->host) : f->url.authority;
    f->body = arena_slice(&f->arena, r->body);
    f->announce = arena_slice(&f->arena, r->announce);
    f->max_body = r->max_body;
    f->tls = r->tls;
    if (f->tls)
        tls_client_hold(f->tls);
    strbuf_init(&f->got, r->max_body + 1);
    f->failed.run = on_failed;
    timer_init(&f->timer, l, on_timer);
    timer_after(&f->timer, r->timeout);
    start(f, r);
    return f;
}
