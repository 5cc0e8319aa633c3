#include "grpc.h"

#include "../base/number.h"
#include "../base/parse.h"
#include "exchange.h"
#include "metrics.h"

/* What a policy or a `respond` says may be long: no more than this becomes a message. */
#define MESSAGE_MAX 1024

/* Pieces of a body that are looked at in one go; what lies in further ones is looked at the next time. */
#define IOVECS 64

#define STATUS SLICE("grpc-status")
#define MESSAGE SLICE("grpc-message")
#define TIMEOUT SLICE("grpc-timeout")
#define PUSHBACK SLICE("grpc-retry-pushback-ms")

/* ---- the request ---- */

void
grpc_receive(struct weir_exchange *x)
{
    const struct http_request *r = x->req;

    if (r->method == METHOD_POST)
        x->grpc.is = grpc_content_type(fields_value(&r->fields, FIELD_CONTENT_TYPE));
}

void
grpc_note_claim(struct weir_exchange *x)
{
    const struct http_request *r = x->req;

    if (r->method == METHOD_POST && r->version != HTTP_2)
        x->grpc.claimed = grpc_content_type(fields_value(&r->fields, FIELD_CONTENT_TYPE));
}

const char *
grpc_refuses_timeout(struct weir_exchange *x)
{
    const struct fields *fields = &x->req->fields;
    const struct field *f = fields_find_name(fields, TIMEOUT);

    x->grpc.timeout = -1;
    if (!f)
        return NULL;
    if (fields_next(fields, f) || grpc_timeout_parse(f->value, &x->grpc.timeout) != 0)
        return "grpc-timeout is not 1 to 8 digits and one of H M S m u n";
    return NULL;
}

bool
grpc_begin(struct exchange *x)
{
    if (x->px.grpc.timeout < 0)
        return true;
    x->grpc_deadline = clock_now() + x->px.grpc.timeout;
    if (x->grpc_deadline < x->deadline)
        x->deadline = x->grpc_deadline;
    return x->px.grpc.timeout > 0;
}

bool
grpc_gave_up(const struct exchange *x)
{
    return x->grpc_deadline && x->grpc_deadline <= clock_now();
}

const char *
grpc_record_timeout(struct exchange *x, const char *reason, const char *what)
{
    struct decision *d = decision_add(&x->px.log, "grpc_timeout", x->px.route_name, VERDICT_REFUSE);
    d->reason = reason;
    d->detail = limit_words(x->px.arena, "grpc-timeout", LIMIT_TIME, x->px.grpc.timeout, what);
    return d->detail.p;
}

void
grpc_shorten(struct exchange *x)
{
    char *text = arena_alloc(x->px.arena, GRPC_TIMEOUT_MAX);
    size_t n = grpc_timeout_write(text, x->grpc_deadline - clock_now());

    fields_set(&x->ds->req.fields, TIMEOUT, slice_of(text, n));
}

/* What has come since the last look is at the end of what waits. */
bool
grpc_within_cap(struct exchange *x)
{
    struct iovec iov[IOVECS];
    uint64_t skip = x->grpc_framing.seen - x->body_seen;
    int n = iobuf_iov(&x->ds->in, iov, IOVECS);

    for (int i = 0; i < n; i++) {
        struct slice bytes = slice_of(iov[i].iov_base, iov[i].iov_len);
        size_t old = skip < bytes.n ? (size_t)skip : bytes.n;

        skip -= old;
        if (!grpc_framing_within(&x->grpc_framing, slice_from(bytes, old), x->route->max_body))
            return false;
    }
    return true;
}

/* ---- answers of weir's own ---- */

static void
add_status(struct fields *f, enum grpc_status status, struct slice message)
{
    char *text = arena_alloc(f->arena, NUMBER_DIGITS_MAX);

    fields_add(f, STATUS, slice_of(text, (size_t)(number_put(text, status) - text)));
    while (message.n && (message.p[message.n - 1] == '\n' || message.p[message.n - 1] == '\r'))
        message.n--;
    if (message.n > MESSAGE_MAX)
        message.n = MESSAGE_MAX;
    if (message.n)
        fields_add(f, MESSAGE, grpc_message(f->arena, message));
}

static void
know(struct weir_exchange *x, enum grpc_status status)
{
    x->grpc.known = true;
    x->grpc.status = (unsigned char)status;
}

void
grpc_reply(struct http_response *r, struct weir_exchange *x, enum grpc_status status, struct slice message)
{
    know(x, status);
    x->grpc.http = (short)r->status;
    r->status = 200;
    r->reason_phrase = slice_str(status_phrase(200));
    fields_add_id(&r->fields, FIELD_CONTENT_TYPE, SLICE("application/grpc"));
    add_status(&r->fields, status, message);
}

void
grpc_pushback(struct weir_exchange *x)
{
    uint64_t seconds;

    if (parse_u64(fields_value(&x->res->fields, FIELD_RETRY_AFTER), INT32_MAX / 1000, &seconds) != 0)
        return;
    fields_add(&x->res->fields, PUSHBACK, arena_printf(x->arena, "%u", (unsigned)seconds * 1000));
}

/* ---- the origin's answer ---- */

bool
grpc_trailers_only(const struct exchange *x)
{
    const struct up_stream *us = x->us;

    return x->px.grpc.is && us->in_end && !us->in.len && !us->trailers.n && us->res.status == 200 &&
           fields_find_name(&us->res.fields, STATUS);
}

bool
grpc_told_to_wait(const struct exchange *x)
{
    const struct field *f = fields_find_name(&x->us->res.fields, PUSHBACK);

    return f && !slice_eq(f->value, SLICE("0"));
}

/* What the origin has said of the call, as a row for `why`. Returns the HTTP status for it. */
static int
learn(struct exchange *x, const struct field *said)
{
    enum grpc_status status = said ? grpc_status_parse(said->value) : GRPC_UNKNOWN;
    int http = grpc_to_http(status);
    struct decision *d =
        decision_add(&x->px.log, "grpc", x->px.upstream_name, http >= 500 ? VERDICT_ERROR : VERDICT_PASS);

    know(&x->px, status);
    d->reason = said ? grpc_status_word(status) : "no_grpc_status";
    d->at = x->target->cluster->at;
    return http;
}

bool
grpc_settled(struct exchange *x, int *status)
{
    const struct http_response *r = &x->us->res;

    x->ends_by_status = r->status == 200 && grpc_content_type(fields_value(&r->fields, FIELD_CONTENT_TYPE));
    if (r->status != 200) { /* no gRPC: what clients make of that */
        know(&x->px, grpc_of_http(r->status));
        return true;
    }
    if (!grpc_trailers_only(x))
        return false;
    *status = learn(x, fields_find_name(&r->fields, STATUS));
    return true;
}

void
grpc_ended(struct exchange *x)
{
    const struct field *said = fields_find_name(&x->us->trailers, STATUS);
    int http;

    if (!said) /* a head that was meant to be all of it, and an empty end behind that */
        said = fields_find_name(&x->us->res.fields, STATUS);
    http = learn(x, said);
    attempt_settle(x, http >= 500 ? WEIR_RESULT_ERROR_STATUS : WEIR_RESULT_OK, http);
}

bool
grpc_cut(struct exchange *x, enum grpc_status status, struct slice message)
{
    struct fields trailers;

    if (!x->ends_by_status || x->response_done)
        return false;
    fields_init(&trailers, x->px.arena);
    add_status(&trailers, status, message);
    if (x->response_way && !filtered_end(x, &trailers))
        return false;
    know(&x->px, status);
    x->ds->ops->end(x->ds, &trailers);
    pump_finish_response(x);
    return true;
}

bool
grpc_cut_refused(struct exchange *x)
{
    return grpc_cut(x, x->reason ? grpc_of_reason(x->reason) : GRPC_INTERNAL, x->reason_detail);
}

void
grpc_count(struct exchange *x)
{
    enum grpc_status status = GRPC_UNKNOWN;

    if (x->px.grpc.known)
        status = (enum grpc_status)x->px.grpc.status;
    else if (x->reason) /* nobody was told */
        status = grpc_gave_up(x) ? GRPC_DEADLINE_EXCEEDED : grpc_of_reason(x->reason);
    know(&x->px, status);
    metrics_grpc(x->route ? x->route->stats : NULL, status);
}
