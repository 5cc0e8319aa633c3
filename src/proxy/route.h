/*
 * route: one `route` of a generation, and how a request finds it.
 *
 * Order of choice, see gateway.conf(5): the routes of the best-matching host (exact, then the longest *.suffix), then
 * those outside any host. Within one of these sets: exact paths, then regexes in file order, then the longest prefix on
 * a segment boundary; among routes of one pattern the one with more `match` lines, then file order. `methods` is a
 * gate: when every route of the best pattern whose matchers hold refuses the method, the answer is 405 and no lesser
 * pattern is tried.
 */
#ifndef PROXY_ROUTE_H
#define PROXY_ROUTE_H

#include "../conf/conf.h"
#include "../policy/filter.h"
#include "../policy/template.h"
#include "matcher.h"

enum route_pattern { ROUTE_PREFIX, ROUTE_EXACT, ROUTE_REGEX };
enum route_action { ROUTE_PROXY, ROUTE_TARGET_POLICY, ROUTE_RESPOND, ROUTE_REDIRECT };

struct target;
struct regex;
struct route_metrics;

struct route {
    struct slice name;
    const char *at;               /* "gateway.conf:30" */
    const struct weir_conf *conf;
    struct slice host;            /* the host pattern it was written in; empty: none */
    enum route_pattern kind;
    struct slice pattern;         /* without '=' or '~' */
    struct regex *regex;
    unsigned order;               /* in the file */

    uint32_t methods;             /* bit per enum http_method; 0: all */
    struct slice *other_methods;  /* names beyond the enum */
    unsigned n_other_methods;
    struct slice allow;           /* text for Allow: its own methods */

    struct matcher *matchers;
    unsigned n_matchers;

    enum route_action action;
    struct target *target;        /* ROUTE_PROXY */
    int status;                   /* RESPOND, REDIRECT */
    struct template *text;        /* body or URL */
    struct template *content_type;
    struct slice strip_prefix;
    struct slice hsts;            /* value of Strict-Transport-Security; empty: none */
    int https_status, https_port; /* plain requests are sent there with this status; 0: they are served */
    const char *https_at;

    nsec_t timeout, idle_timeout, max_duration; /* the last one 0: no bound */
    uint64_t max_body;
    /* where they are set: "default" when nowhere */
    const char *timeout_at, *idle_timeout_at, *max_duration_at, *max_body_at;
    struct filter_cap body_hold;
    bool access_log;

    struct chain *chain;
    struct route_metrics *stats;  /* a use: what is counted under its name */
};

struct route_table;

struct route_table *route_table_new(struct arena *arena);
/* hosts: patterns of the enclosing `host` block; none: a route for every host. Warns on the line of a route that can
 * never match. */
void route_table_add(struct route_table *t, struct route *r, const struct slice *hosts, unsigned n_hosts);
/* When all are there, before anything is found. */
void route_table_finish(struct route_table *t);
/* The routes are their owner's. */
void route_table_free(struct route_table *t);

struct route_match {
    const struct route *route;    /* found; or the one for which 405 is counted */
    bool method_refused;
    struct slice allow;           /* with method_refused: union over the pattern, in the exchange's arena */
};
/* false: no_route. x->req must hold host, path, query, fields; x->client is used by `match client`. */
bool route_find(const struct route_table *t, struct weir_exchange *x, struct route_match *out);

bool route_allows(const struct route *r, const struct http_request *req);

unsigned route_table_count(const struct route_table *t);
const struct route *route_table_get(const struct route_table *t, unsigned i); /* in file order */

#endif
