/* pool_fixture: a pool on the service loop, a cluster of two endpoints, and requests as the exchange makes them. */
#ifndef TESTS_UPSTREAM_POOL_FIXTURE_H
#define TESTS_UPSTREAM_POOL_FIXTURE_H

#include "fixture.h"

#include "../../../src/upstream/pool_private.h"

static struct origin origin, second;
static struct pool *pool;
static struct fixture fixture;
static struct cluster *cluster;

/* ---- a request, as the exchange makes one ---- */

struct request {
    struct arena arena;
    struct endpoint_state *e;
    struct lease *lease;
    struct up_session *session;
    struct up_stream *stream;
    bool failed, ended, reused;
    enum reason_id reason;
    char detail[256];
    int status;
};

static inline void
on_head(struct up_stream *s)
{
    struct request *r = s->user;

    r->status = s->res.status;
    r->reused = s->reused;
    r->ended = s->in_end;
}

static inline void
on_body(struct up_stream *s)
{
    struct request *r = s->user;

    r->ended = s->in_end;
}

static inline void
on_writable(struct up_stream *s)
{
}

static inline void
on_error(struct up_stream *s, enum up_error error, const char *detail)
{
    struct request *r = s->user;

    r->failed = r->ended = true;
}

static const struct up_events up_events = {
    .on_head = on_head, .on_body = on_body, .on_writable = on_writable, .on_error = on_error
};

static inline void
on_ready(struct up_session *u, void *arg)
{
    struct request *r = arg;

    r->lease = NULL;
    r->session = u;
    r->stream = up_open(u, &r->arena, 65536);
    r->stream->events = &up_events;
    r->stream->user = r;
}

static inline void
on_failed(const struct lease_failure *f, void *arg)
{
    struct request *r = arg;

    r->lease = NULL;
    r->failed = true;
    r->reason = f->reason;
    snprintf(r->detail, sizeof(r->detail), "%s", f->detail ? f->detail : "");
}

static const struct lease_events lease_events = { .on_ready = on_ready, .on_failed = on_failed };

static inline void
ask_with(struct request *r, struct endpoint_state *e, bool fresh, nsec_t deadline)
{
    bool done = false;
    struct lease *l;

    memset(r, 0, sizeof(*r));
    arena_init(&r->arena);
    r->e = e;
    l = pool_lease(pool, cluster, e, &(struct lease_wish){ .fresh = fresh, .deadline = deadline }, &lease_events, r,
                   &done);
    assert_int_equal(done, l == NULL);
    assert_int_equal(done, r->stream || r->failed);
    r->lease = l;
}

static inline struct endpoint_state *
at(unsigned i)
{
    return cluster->priv->views[0].set->entries[i].e;
}

static inline void
ask(struct request *r)
{
    ask_with(r, at(0), false, 0);
}

static inline bool
is_answered(void *arg)
{
    const struct request *r = arg;

    return r->stream || r->failed;
}

static inline bool
is_ended(void *arg)
{
    return ((struct request *)arg)->ended;
}

static inline void
send_request(struct request *r)
{
    struct http_request req;

    memset(&req, 0, sizeof(req));
    req.method = METHOD_GET;
    req.method_text = SLICE("GET");
    req.version = HTTP_1_1;
    req.fields.arena = &r->arena;
    r->stream->ops->request(r->stream, &req, SLICE("/"), (struct body_framing){ BODY_NONE, 0 });
}

/* The rest of a request that has its connection. */
static inline void
finish(struct request *r)
{
    assert_true(run_until(is_answered, r));
    assert_non_null(r->stream);
    send_request(r);
    assert_true(run_until(is_ended, r));
    assert_true(r->status == 200 || r->status == 304);
    r->stream->ops->release(r->stream);
    r->stream = NULL;
    run_for(MS); /* it goes back at the end of a turn */
    arena_fini(&r->arena);
}

/* Gives the connection up unused: it is closed. */
static inline void
abandon(struct request *r)
{
    r->stream->ops->release(r->stream);
    r->stream = NULL;
    run_for(MS);
    arena_fini(&r->arena);
}

static inline void
open_all(const char *answer, const char *more)
{
    char body[800];

    origin_open(&origin, answer);
    origin_open(&second, answer);
    snprintf(body, sizeof(body), "endpoint %s; endpoint %s; %s", origin.text, second.text, more);
    cluster = fixture_cluster(&fixture, body);
    cluster_start(cluster, NULL);
    pool = pool_new(service_loop());
}

static inline void
close_all(void)
{
    assert_int_equal(atomic_load(&at(0)->active), 0);
    assert_int_equal(cluster_pending(cluster), 0);
    assert_int_equal(cluster_connections(cluster), pool_idle(pool));
    pool_free(pool);
    assert_int_equal(cluster_connections(cluster), 0);
    run_for(MS);
    cluster_stop(cluster);
    fixture_close(&fixture);
    origin_close(&origin);
    origin_close(&second);
    run_for(MS);
}

#endif
