/* The part of the host table that phases use: the heads, variables, verdicts. What a policy in shadow mode changes does
 * not happen. */
#include "host.h"
#include "run.h"
#include "template.h"

#include "../base/log.h"

#include <stdarg.h>

/* ---- reading ---- */

static struct weir_str
host_request_method(struct weir_exchange *x)
{
    return str_of_slice(x->req->method_text);
}

static struct weir_str
host_request_path(struct weir_exchange *x)
{
    return str_of_slice(x->req->path);
}

static struct weir_str
nth(const struct fields *fields, const char *name, unsigned i)
{
    const struct field *f = fields_find_name(fields, slice_str(name));

    while (f && i--)
        f = fields_next(fields, f);
    if (!f)
        return (struct weir_str){ NULL, 0 };
    return f->value.p ? str_of_slice(f->value) : (struct weir_str){ "", 0 }; /* p NULL says: none */
}

static struct weir_str
host_request_header(struct weir_exchange *x, const char *name, unsigned i)
{
    return nth(&x->req->fields, name, i);
}

static struct weir_str
host_cookie(struct weir_exchange *x, const char *name)
{
    struct slice value;

    return str_of_slice(cookie_find(&x->req->fields, slice_str(name), &value) ? value : SLICE_NONE);
}

static int
host_response_status(struct weir_exchange *x)
{
    return x->res ? x->res->status : 0;
}

static struct weir_str
host_response_header(struct weir_exchange *x, const char *name, unsigned i)
{
    return x->res ? nth(&x->res->fields, name, i) : (struct weir_str){ NULL, 0 };
}

static struct weir_str
host_template_text(struct weir_exchange *x, const struct weir_template *t)
{
    return str_of_slice(template_text((const struct template *)t, x));
}

static struct weir_str
host_variable(struct weir_exchange *x, const char *name)
{
    struct slice value;

    variable_text(x, slice_str(name), &value);
    return str_of_slice(value);
}

static void *
host_exchange_alloc(struct weir_exchange *x, size_t size)
{
    return arena_zalloc(x->arena, size);
}

static void **
host_exchange_slot(struct weir_exchange *x)
{
    return &x->run->current->slot;
}

static void **
host_exchange_shared(struct weir_exchange *x)
{
    return &x->run->shared[x->run->current->link->policy->module->index];
}

static bool
host_client_is_tls(struct weir_exchange *x)
{
    return x->client_tls;
}

static bool
host_explaining(struct weir_exchange *x)
{
    return x->explaining;
}

static struct weir_str
host_explain_claims(struct weir_exchange *x)
{
    return str_of_slice(x->explain_claims);
}

/* ---- changing heads ---- */

/* May a policy write this field? Framing and connection fields are the session's (RFC 9110 7.6.1): a policy that set
 * one would break the message. */
static bool
may_write(enum field_id id)
{
    switch (id) {
    case FIELD_CONTENT_LENGTH:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_CONNECTION:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_TE:
    case FIELD_TRAILER:
    case FIELD_UPGRADE:
    case FIELD_EXPECT:
        return false;
    default:
        return true;
    }
}

/* The value is not shown, it may be a secret. */
struct slice
host_acceptable(struct weir_exchange *x, const char *name, struct slice value, enum field_id *found)
{
    struct slice n = slice_str(name);
    enum field_id id = *found = field_lookup(n);
    const char *wrong = NULL;

    if (run_in_shadow(x->run))
        return SLICE_NONE;
    if (id == FIELD_OTHER && !field_is_token(n))
        wrong = "this is not a field name";
    else if (!may_write(id))
        wrong = "the framing of a message is not a policy's to change";
    else if (!field_is_value(value))
        wrong = "control bytes in the value";
    if (wrong) {
        run_record(x->run, VERDICT_ERROR, "header_refused")->detail =
            arena_printf(x->arena, "header `%s`: %s", name, wrong);
        return SLICE_NONE;
    }
    return id == FIELD_OTHER ? arena_slice(x->arena, n) : field_name_slice(id);
}

/* What many origins take for the field of this name, though it is written otherwise. */
static void
drop_lookalikes(struct fields *f, struct slice name)
{
    for (unsigned i = f->n; i-- > 0;) {
        struct slice other = f->v[i].name;

        if (!field_names_alike(other, name) || slice_ieq(other, name))
            continue;
        fields_remove_name(f, other);
        i = f->n;
    }
}

/* HTTP/2 has trailers behind a body of a known length too (RFC 9113 8.1). */
static bool
can_trail(const struct http_request *r)
{
    return r->body.kind == BODY_CHUNKED || (r->body.kind == BODY_LENGTH && r->version == HTTP_2);
}

/* The name of a request field that the policy is about to decide on. */
static struct slice
own(struct weir_exchange *x, const char *name, struct slice value)
{
    enum field_id id;
    struct slice n = host_acceptable(x, name, value, &id);
    struct field_names *o;

    if (n.n && x->underscores)
        drop_lookalikes(&x->req->fields, n);
    if (!n.n || !can_trail(x->req))
        return n;
    for (o = x->settled; o; o = o->next)
        if (slice_ieq(o->name, n))
            return n;
    x->settled = field_names_add(x->settled, n, x->arena);
    return n;
}

/* The one thing that a policy may say of the connection: that the answer's trailers will be read (RFC 9110 10.1.4). */
static bool
asks_for_trailers(struct slice name, struct slice value)
{
    return field_lookup(name) == FIELD_TE && slice_ieq(value, SLICE("trailers"));
}

static void
take_trailers(struct weir_exchange *x)
{
    struct fields *f = &x->req->fields;

    if (run_in_shadow(x->run) || x->req->upgrade.n) /* whose Connection names nothing else */
        return;
    fields_set_id(f, FIELD_TE, SLICE("trailers"));
    if (!fields_list_has(f, FIELD_CONNECTION, SLICE("TE")))
        fields_add_id(f, FIELD_CONNECTION, SLICE("TE"));
}

static void
host_request_header_set(struct weir_exchange *x, const char *name, struct weir_str value)
{
    struct slice n;

    if (asks_for_trailers(slice_str(name), slice_of_str(value))) {
        take_trailers(x);
        return;
    }
    n = own(x, name, slice_of_str(value));
    if (n.n)
        fields_set(&x->req->fields, n, arena_slice(x->arena, slice_of_str(value)));
}

static void
host_request_header_add(struct weir_exchange *x, const char *name, struct weir_str value)
{
    struct slice n = own(x, name, slice_of_str(value));

    if (n.n)
        fields_add(&x->req->fields, n, arena_slice(x->arena, slice_of_str(value)));
}

static void
host_request_header_remove(struct weir_exchange *x, const char *name)
{
    struct slice n = own(x, name, SLICE(""));

    if (n.n)
        fields_remove_name(&x->req->fields, n);
}

static void
edit(struct weir_exchange *x, int op, const char *name, struct slice value)
{
    enum field_id id;
    struct slice n = host_acceptable(x, name, value, &id);
    struct header_edit *e;

    if (!n.n)
        return;
    e = arena_alloc(x->arena, sizeof(*e));
    e->op = op;
    e->id = id;
    e->name = n;
    e->value = arena_slice(x->arena, value);
    e->next = NULL;
    if (!x->edits)
        x->edits_end = &x->edits;
    *x->edits_end = e;
    x->edits_end = &e->next;
}

static void
host_response_header_set(struct weir_exchange *x, const char *name, struct weir_str value)
{
    edit(x, EDIT_SET, name, slice_of_str(value));
}

static void
host_response_header_add(struct weir_exchange *x, const char *name, struct weir_str value)
{
    edit(x, EDIT_ADD, name, slice_of_str(value));
}

static void
host_response_header_remove(struct weir_exchange *x, const char *name)
{
    edit(x, EDIT_REMOVE, name, SLICE(""));
}

/* ---- verdicts ---- */

/* Refusing is for phases whose verdict counts; elsewhere it is too late, which is said in the record. */
static bool
may_refuse(struct policy_run *run)
{
    if (run->phase == PHASE_REQUEST || run->phase == PHASE_TARGET || run->phase == PHASE_ATTEMPT || run->body_call)
        return !run->decided; /* the first word holds */
    run_record(run, VERDICT_ERROR, "policy_error")->detail = SLICE("it refused where nothing can be refused any more");
    return false;
}

static enum weir_verdict
conclude(struct policy_run *run, const struct reason *reason, struct slice detail)
{
    struct weir_exchange *x = run->x;
    const struct weir_policy *p = run->current->link->policy;

    run->decided = true;
    if (p->mode != POLICY_ENFORCE)
        return WEIR_CONTINUE;
    run->refused = true;
    x->refusal.reason = reason;
    x->refusal.detail = detail;
    x->refusal.policy = p->name;
    x->refusal.at = p->at;
    return WEIR_REFUSED;
}

static enum weir_verdict __attribute__((format(printf, 3, 4)))
host_refuse(struct weir_exchange *x, const char *reason, const char *detail_fmt, ...)
{
    const struct reason *row = reason_find(reason);
    struct policy_run *run = x->run;
    struct slice detail = SLICE_NONE;
    va_list ap;

    if (!may_refuse(run))
        return run->refused ? WEIR_REFUSED : WEIR_CONTINUE;
    if (!row) {
        log_error(run->current->link->policy->def->name,
                  "refused for the unknown reason `%s`: is it in the module's table of reasons?", reason);
        row = reason_get(REASON_POLICY_ERROR);
    }
    if (detail_fmt && *detail_fmt) {
        va_start(ap, detail_fmt);
        detail = arena_vprintf(x->arena, detail_fmt, ap);
        va_end(ap);
    }
    run_record(run, VERDICT_REFUSE, row->code)->detail = detail;
    return conclude(run, row, detail);
}

/* A reply below 400 (a redirect to a login, a preflight) is no refusal, and is not counted as one. */
static enum weir_verdict
host_reply(struct weir_exchange *x, int status, struct weir_str content_type, struct weir_str body)
{
    struct policy_run *run = x->run;
    struct slice type = slice_of_str(content_type);
    enum weir_verdict v;

    if (run->phase == PHASE_RESPONSE_BODY)
        return WEIR_FAILED; /* there is an answer already */
    if (!may_refuse(run))
        return run->refused ? WEIR_REFUSED : WEIR_CONTINUE;
    if (status < 200 || status > 599 || !field_is_value(type)) {
        log_error(run->current->link->policy->def->name, "replied with status %d or a content type that cannot be sent",
                  status);
        return WEIR_FAILED;
    }
    run_record(run, status < 400 ? VERDICT_PASS : VERDICT_REFUSE, "reply")->detail =
        arena_printf(x->arena, "status %d", status);
    v = conclude(run, NULL, SLICE_NONE);
    if (v == WEIR_REFUSED) {
        x->refusal.status = status;
        x->refusal.content_type = arena_slice(x->arena, type);
        x->refusal.body = arena_slice(x->arena, slice_of_str(body));
    }
    return v;
}

static void __attribute__((format(printf, 3, 4)))
host_note(struct weir_exchange *x, const char *reason, const char *detail_fmt, ...)
{
    struct link_run *lr = x->run->current;
    struct slice detail = SLICE_NONE;
    enum phase phase = x->run->phase;
    va_list ap;

    if (detail_fmt && *detail_fmt) {
        va_start(ap, detail_fmt);
        detail = arena_vprintf(x->arena, detail_fmt, ap);
        va_end(ap);
    }
    if (lr->row >= 0 && phase != PHASE_REQUEST && phase != PHASE_TARGET && phase != PHASE_ATTEMPT) {
        struct decision *d = &x->log.rows[lr->row]; /* said later about the verdict that it gave */

        d->detail = detail.n ? detail : d->detail;
        d->reason = d->verdict == VERDICT_PASS && reason ? reason : d->reason;
        return;
    }
    lr->note_reason = reason;
    lr->note_detail = detail;
}

static void
host_set_target(struct weir_exchange *x, struct weir_str upstream)
{
    if (!run_in_shadow(x->run))
        x->target = arena_slice(x->arena, slice_of_str(upstream));
}

static void
host_explain_variant(struct weir_exchange *x, struct weir_str upstream, double share)
{
    struct explain_variant *v, **end = &x->variants;

    if (!x->explaining || run_in_shadow(x->run))
        return;
    while (*end)
        end = &(*end)->next;
    v = arena_zalloc(x->arena, sizeof(*v));
    v->upstream = arena_slice(x->arena, slice_of_str(upstream));
    v->share = share;
    *end = v;
}

static bool
host_upstream_healthy(struct weir_exchange *x, struct weir_str upstream)
{
    return !x->services || !x->services->upstream_healthy || x->services->upstream_healthy(x, slice_of_str(upstream));
}

void
host_fill_exchange(struct weir_host *h)
{
    h->request_method = host_request_method;
    h->request_path = host_request_path;
    h->request_header = host_request_header;
    h->request_header_set = host_request_header_set;
    h->request_header_add = host_request_header_add;
    h->request_header_remove = host_request_header_remove;
    h->cookie = host_cookie;
    h->response_status = host_response_status;
    h->response_header = host_response_header;
    h->response_header_set = host_response_header_set;
    h->response_header_add = host_response_header_add;
    h->response_header_remove = host_response_header_remove;
    h->template_text = host_template_text;
    h->variable = host_variable;
    h->exchange_alloc = host_exchange_alloc;
    h->exchange_slot = host_exchange_slot;
    h->exchange_shared = host_exchange_shared;
    h->client_is_tls = host_client_is_tls;
    h->explaining = host_explaining;
    h->explain_claims = host_explain_claims;
    h->refuse = host_refuse;
    h->reply = host_reply;
    h->note = host_note;
    h->set_target = host_set_target;
    h->explain_variant = host_explain_variant;
    h->upstream_healthy = host_upstream_healthy;
    h->resume = run_resume;
}
