/* request: one request to the admin listener and its answer. Lives in the stream's arena; released when the answer is
 * out. */
#ifndef ADMIN_REQUEST_H
#define ADMIN_REQUEST_H

#include "../session/stream.h"
#include "admin.h"

#include <jansson.h>

#define ADMIN_BODY_MAX 32768 /* below what a session holds back, so that reaching it is seen */
#define ADMIN_SEGMENTS_MAX 8

struct admin_request {
    struct down_stream *ds;
    struct slice segment[ADMIN_SEGMENTS_MAX]; /* of the path, percent-decoded */
    unsigned n;
    struct slice body;          /* complete when it is handled */
    struct slice id;
    bool waiting, gone, answered; /* for a reload; the client left meanwhile */
};

extern const struct admin_services *admin_services;

/* Each answers once. */
void answer_text(struct admin_request *r, int status, const char *type, struct slice body);
void answer_json(struct admin_request *r, int status, json_t *value); /* takes value over */
/* problem+json with a reason of admin's own: "not_found", "bad_body", "conflict" ... */
void answer_problem(struct admin_request *r, int status, const char *code, const char *detail);
void answer_not_allowed(struct admin_request *r, const char *allow);

/* Takes a request whose head and body are complete to its answer. router.c */
void admin_route(struct admin_request *r);

/* views.c: what can be read */
json_t *view_config(struct generation *g);
json_t *view_routes(struct generation *g);
json_t *view_upstreams(struct generation *g);
json_t *view_endpoint(struct endpoint_state *e);
json_t *view_stores(struct generation *g);
json_t *view_modules(void);
json_t *view_generations(struct generation *g);
json_t *view_status(struct generation *g);
json_t *view_policy(const struct weir_policy *p); /* what the policy's module shows of itself; null: nothing */
json_t *view_ready(bool *ready);
void view_metrics(struct strbuf *out);

/* operations.c: what can be ordered */
void order_reload(struct admin_request *r);
void order_drain(struct admin_request *r);
void order_endpoint(struct admin_request *r, struct slice upstream, struct slice address);
/* kind: "routes" or "upstreams"; view: the policy's view_name ("breaker", "canary"). */
void order_policy(struct admin_request *r, struct slice kind, struct slice name, struct slice view);

#endif
