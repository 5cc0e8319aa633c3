/* The part of the host table for bodies and trailers. */
#include "filter_call.h"
#include "host.h"
#include "run.h"

/* Who has no body in hand calls from the wrong phase: that is said in the record, and nothing happens. */
static struct filter_call *
call_of(struct weir_exchange *x)
{
    if (!x->run->body_call)
        run_record(x->run, VERDICT_ERROR, "policy_error")->detail = SLICE("it asked for a body outside a body phase");
    return x->run->body_call;
}

static bool
in_time(enum phase phase, enum weir_body_of which)
{
    return phase == PHASE_REQUEST || phase == PHASE_TARGET || phase == PHASE_ATTEMPT ||
           (phase == PHASE_RESPONSE && which == WEIR_BODY_RESPONSE);
}

static void
host_body_use(struct weir_exchange *x, enum weir_body_of which, enum weir_body_use use)
{
    struct policy_run *run = x->run;

    if (in_time(run->phase, which))
        run->current->use[which] = (unsigned char)use;
    else
        run_record(run, VERDICT_ERROR, "policy_error")->detail = SLICE("it said too late what it does with a body");
}

static void
host_body_write(struct weir_exchange *x, struct weir_str bytes)
{
    struct filter_call *call = call_of(x);

    if (!call)
        return;
    if (!call->changes)
        call->wrong = "it changes a body without having said so";
    else if (bytes.n > FILTER_MADE_MAX - call->made)
        call->wrong = "it makes more than 1 MiB out of one piece";
    if (call->wrong)
        return;
    call->wrote = true;
    call->made += bytes.n;
    if (!call->shadow)
        iobuf_add(call->passed, bytes.p, bytes.n);
}

static void
host_body_hold(struct weir_exchange *x, size_t n)
{
    struct filter_call *call = call_of(x);

    if (!call)
        return;
    if (n > call->piece)
        call->wrong = "it holds more than there is";
    else
        call->hold = n;
}

/* The trailers, where they are there. */
static struct fields *
trailers_of(struct weir_exchange *x)
{
    struct filter_call *call = call_of(x);

    return call && call->end ? call->trailers : NULL;
}

static bool
host_trailer(struct weir_exchange *x, unsigned i, struct weir_str *name, struct weir_str *value)
{
    const struct fields *f = trailers_of(x);

    if (!f || i >= f->n)
        return false;
    *name = str_of_slice(f->v[i].name);
    *value = str_of_slice(f->v[i].value);
    return true;
}

static void
host_trailer_add(struct weir_exchange *x, const char *name, struct weir_str value)
{
    struct fields *f = trailers_of(x);
    enum field_id id;
    struct slice n;

    if (!f)
        return;
    n = host_acceptable(x, name, slice_of_str(value), &id);
    if (n.n)
        fields_add(f, n, arena_slice(x->arena, slice_of_str(value)));
}

static void
host_trailer_remove(struct weir_exchange *x, const char *name)
{
    struct fields *f = trailers_of(x);

    if (!f || run_in_shadow(x->run))
        return;
    if (name)
        fields_remove_name(f, slice_str(name));
    else
        f->n = 0;
}

void
host_fill_body(struct weir_host *h)
{
    h->body_use = host_body_use;
    h->body_write = host_body_write;
    h->body_hold = host_body_hold;
    h->trailer = host_trailer;
    h->trailer_add = host_trailer_add;
    h->trailer_remove = host_trailer_remove;
}
