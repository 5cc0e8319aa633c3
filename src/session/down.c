#include "down_impl.h"

#include "../base/log.h"
#include "../base/xalloc.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ the set */

struct down_sessions *
down_sessions_new(struct loop *l)
{
    struct down_sessions *set = xcalloc(1, sizeof(*set));

    set->loop = l;
    TAILQ_INIT(&set->sessions);
    return set;
}

unsigned
down_sessions_count(const struct down_sessions *set)
{
    return set->count;
}

/* Calls fn once for each session there is now, whatever ends or begins meanwhile. */
static void
for_each(struct down_sessions *set, void (*fn)(struct down_session *d))
{
    for (unsigned n = set->count; n && set->count; n--) {
        struct down_session *d = TAILQ_FIRST(&set->sessions);

        TAILQ_REMOVE(&set->sessions, d, link);
        TAILQ_INSERT_TAIL(&set->sessions, d, link);
        fn(d);
    }
}

void
down_sessions_leave(struct down_sessions *set)
{
    struct down_session *d;

    set->leaving = true;
    TAILQ_FOREACH(d, &set->sessions, link)
    d->kind->leave(d);
}

static void
drain_one(struct down_session *d)
{
    d->kind->drain(d);
}

void
down_sessions_drain(struct down_sessions *set)
{
    down_sessions_leave(set);
    set->draining = true;
    for_each(set, drain_one);
}

static void
abort_one(struct down_session *d)
{
    d->kind->abort(d);
}

void
down_sessions_abort(struct down_sessions *set)
{
    set->leaving = set->draining = true;
    for_each(set, abort_one);
}

void
down_sessions_free(struct down_sessions *set)
{
    struct down_session *d;

    if (!set)
        return;
    down_sessions_abort(set);
    while ((d = TAILQ_FIRST(&set->sessions)))
        d->kind->finish(d);
    conn_linger_no_more(set->loop);
    down_h1_forget_spares(set);
    down_h2_forget_spares(set);
    free(set);
}

/* ------------------------------------------------------------------ one of it */

void
down_join(struct down_session *d, const struct down_kind *kind, struct down_sessions *set, struct conn *c,
          const struct down_source *source)
{
    d->kind = kind;
    d->set = set;
    d->c = c;
    d->source = *source;
    d->is_tls = c->tls != NULL;
    TAILQ_INSERT_TAIL(&set->sessions, d, link);
    set->count++;
}

void
down_part(struct down_session *d)
{
    TAILQ_REMOVE(&d->set->sessions, d, link);
    d->set->count--;
}

void
down_tell(struct down_session *d, int change)
{
    const struct down_handler *h = d->source.handler(d->source.arg);

    if (h->on_session)
        h->on_session(change, h->arg);
}

void
down_keep_addresses(struct down_stream *s)
{
    struct addr *both = arena_alloc(&s->arena, 2 * sizeof(*both));

    both[0] = *s->peer;
    both[1] = *s->local;
    s->peer = &both[0];
    s->local = &both[1];
}

static int64_t
limit_value(const struct down_conf *c, enum limit_id limit)
{
    switch (limit) {
    case LIMIT_REQUEST_LINE:
        return c->limits.request_line;
    case LIMIT_FIELD:
        return c->limits.field;
    case LIMIT_HEAD:
        return c->limits.head;
    case LIMIT_FIELDS:
        return c->limits.fields;
    case LIMIT_STREAMS:
        return c->streams;
    case LIMIT_REQUESTS:
        return (int64_t)c->keepalive_requests;
    case LIMIT_BODY_RATE:
        return (int64_t)c->body_rate;
    case LIMIT_RESPONSE_RATE:
        return (int64_t)c->response_rate;
    case LIMIT_HEAD_TIME:
        return c->head_timeout;
    case LIMIT_BODY_TIME:
        return c->body_timeout;
    case LIMIT_IDLE_TIME:
        return c->idle_timeout;
    case LIMIT_WRITE_TIME:
        return c->write_timeout;
    default:
        return 0;
    }
}

static const char *
limit_place(const struct down_session *d, enum limit_id limit)
{
    const struct down_handler *h = d->source.handler(d->source.arg);

    return h->limit_at ? h->limit_at(limit, h->arg) : NULL;
}

const char *
down_limit_hit(struct down_session *d, struct down_stream *s, const struct down_conf *conf, enum limit_id limit,
               const char *what)
{
    const char *at = limit_place(d, limit);

    s->limit = limit;
    s->limit_at = at ? arena_slice(&s->arena, slice_str(at)).p : NULL;
    return limit_detail(&s->arena, limit, limit_value(conf, limit), what).p;
}

void
down_tell_silence(const struct down_session *d, const char *what, enum limit_id limit)
{
    const struct down_conf *conf = d->source.conf(d->source.arg);
    const char *at = limit_place(d, limit);

    log_info(conn_subject(d->c), "%s within `%s %s` (%lld ms%s%s): closed", what, limit_block(limit), limit_name(limit),
             (long long)(limit_value(conf, limit) / NSEC_PER_MSEC), at ? ", " : "", at ? at : "");
}
