#include "retry.h"

/* An answer of gRPC counts by its own status, not by what stands for it in HTTP. */
static bool
grpc_listed(const struct retry_conf *c, const struct retry_facts *f)
{
    return c->grpc >> f->grpc & 1;
}

/* An origin that goes on leaving takes no requests. */
#define LEFT_OUT_ATTEMPTS 5

static bool
listed(const struct retry_conf *c, const struct retry_facts *f)
{
    switch (f->result) {
    case WEIR_RESULT_CONNECT_FAILED:
    case WEIR_RESULT_CONNECT_TIMEOUT:
        return c->on & RETRY_ON_CONNECT_FAILURE;
    case WEIR_RESULT_RESET:
    case WEIR_RESULT_BAD_RESPONSE:
        return c->on & RETRY_ON_RESET;
    case WEIR_RESULT_TIMEOUT:
        return c->on & RETRY_ON_TIMEOUT;
    default:
        if (f->grpc)
            return grpc_listed(c, f);
        return f->status >= 100 && f->status < 900 && (c->status[(f->status - 100) / 8] >> ((f->status - 100) % 8) & 1);
    }
}

/*
 * A request that may have been delivered is repeated only when its method is idempotent (RFC 9110 9.2.2): a POST that
 * reached the origin is never sent twice, whatever `on` lists. The one exception is a call of gRPC, all of which are
 * POSTs: whoever lists a status of it says that calls that end so may be made again.
 */
struct retry_answer
retry_decide(const struct retry_conf *c, const struct retry_facts *f)
{
    struct retry_answer no = { .why = "not_retried" };

    if (f->responded)
        return (no.why = "response_begun", no);
    if (f->left <= 0)
        return (no.why = "deadline", no);
    if (!f->body_replayable)
        return (no.why = "body_too_large_to_replay", no);
    if (f->wrote && !method_idempotent(f->method) && !grpc_listed(c, f))
        return (no.why = "not_idempotent", no);
    /* The keep-alive race costs nobody an error: once, on a fresh connection, outside any budget. Who is left out by an
     * origin's GOAWAY may find the next connection leaving, too, when many share one. */
    if (f->stale && (!f->stale_used || (f->left_out && f->attempts < LEFT_OUT_ATTEMPTS)))
        return (struct retry_answer){ .again = true, .fresh = true, .why = "stale_connection" };
    if (!listed(c, f))
        return (no.why = "not_listed", no);
    if (f->told_to_wait)
        return (no.why = "pushback", no);
    if (f->attempts >= c->attempts)
        return (no.why = "attempts_used", no);
    return (struct retry_answer){ .again = true, .budget = true, .why = "retry" };
}
