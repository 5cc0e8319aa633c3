/* matcher: one `match` line of a route: a condition on a header, query argument, cookie or the client's address. */
#ifndef PROXY_MATCHER_H
#define PROXY_MATCHER_H

#include "../conf/conf.h"
#include "../net/addr.h"
#include "../policy/exchange.h"

struct regex;

enum match_source { MATCH_HEADER, MATCH_QUERY, MATCH_COOKIE, MATCH_CLIENT, MATCH_CLIENT_CERT };
enum match_op { MATCH_EQUAL, MATCH_NOT_EQUAL, MATCH_REGEX, MATCH_NOT_REGEX, MATCH_PRESENT, MATCH_ABSENT };

struct matcher {
    enum match_source source;
    enum match_op op;
    struct slice name, value;
    struct regex *regex;
    struct cidr *cidrs;
    unsigned n_cidrs;
};

/* From a `match` line. -1 after a reported error. */
int matcher_build(struct matcher *m, const struct weir_conf *line, struct arena *arena);
bool matcher_holds(const struct matcher *m, struct weir_exchange *x);
bool matcher_same(const struct matcher *a, const struct matcher *b);

#endif
