#include "matcher.h"

#include "../http/uri.h"
#include "../net/client_cert.h"
#include "regex.h"

static int
build_client(struct matcher *m, const struct weir_conf *line, struct arena *arena)
{
    unsigned n = conf_args(line) - 1;
    if (n == 0) {
        conf_error(line, 0, "`match client` needs at least one address or network: match client 10.0.0.0/8");
        return -1;
    }
    m->source = MATCH_CLIENT;
    m->cidrs = arena_alloc(arena, n * sizeof *m->cidrs);
    for (unsigned i = 0; i < n; i++) {
        if (cidr_parse(conf_arg(line, i + 1), &m->cidrs[i]) != 0) {
            conf_error(line, (int)i + 1, "`%s` is not an address or network such as 10.0.0.0/8",
                       conf_arg(line, i + 1).p);
            return -1;
        }
    }
    m->n_cidrs = n;
    return 0;
}

static int
build_operator(struct matcher *m, const struct weir_conf *line, struct arena *arena)
{
    static const struct {
        const char *word;
        enum match_op op;
        unsigned args;
    } ops[] = {
        { "=", MATCH_EQUAL, 4 },      { "!=", MATCH_NOT_EQUAL, 4 },    { "~", MATCH_REGEX, 4 },
        { "!~", MATCH_NOT_REGEX, 4 }, { "present", MATCH_PRESENT, 3 }, { "absent", MATCH_ABSENT, 3 },
    };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (!slice_eq(conf_arg(line, 2), slice_str(ops[i].word)))
            continue;
        if (conf_args(line) != ops[i].args) {
            conf_error(line, 2, ops[i].args == 4 ? "`%s` needs one value behind it" : "nothing may follow `%s`",
                       ops[i].word);
            return -1;
        }
        m->op = ops[i].op;
        if (ops[i].args == 4)
            m->value = conf_arg(line, 3);
        if (m->op == MATCH_REGEX || m->op == MATCH_NOT_REGEX) {
            char error[200];
            m->regex = regex_new(m->value, arena, error, sizeof error);
            if (!m->regex) {
                conf_error(line, 3, "bad regular expression: %s", error);
                return -1;
            }
        }
        return 0;
    }
    conf_error(line, 2, "`%s` is no comparison: one of = != ~ !~ present absent", conf_arg(line, 2).p);
    return -1;
}

static const char *const san_kinds[] = {
    [CLIENT_SAN_DNS] = "dns", [CLIENT_SAN_URI] = "uri", [CLIENT_SAN_EMAIL] = "email", [CLIENT_SAN_IP] = "ip"
};

static bool
is_cert_part(struct slice name)
{
    static const char *const others[] = { "subject", "issuer", "san", "fingerprint" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (slice_eq(name, slice_str(others[i])))
            return true;
    for (size_t i = 0; i < sizeof san_kinds / sizeof *san_kinds; i++)
        if (slice_eq(name, slice_str(san_kinds[i])))
            return true;
    return false;
}

int
matcher_build(struct matcher *m, const struct weir_conf *line, struct arena *arena)
{
    static const char *const sources[] = { "header", "query", "cookie", "client", "client_cert", NULL };

    *m = (struct matcher){ 0 };
    struct slice source = conf_arg(line, 0);
    if (slice_eq(source, SLICE("client")))
        return build_client(m, line, arena);
    if (slice_eq(source, SLICE("header")))
        m->source = MATCH_HEADER;
    else if (slice_eq(source, SLICE("query")))
        m->source = MATCH_QUERY;
    else if (slice_eq(source, SLICE("cookie")))
        m->source = MATCH_COOKIE;
    else if (slice_eq(source, SLICE("client_cert")))
        m->source = MATCH_CLIENT_CERT;
    else {
        const char *near = conf_nearest(source.p, sources);
        conf_error(line, 0, "`%s` cannot be matched: one of header, query, cookie, client, client_cert%s%s%s", source.p,
                   near ? "\ndid you mean `" : "", near ? near : "", near ? "`?" : "");
        return -1;
    }
    if (conf_args(line) < 3) {
        conf_error(line, -1, "`match %s` needs a name and a comparison: match %s NAME = VALUE", source.p, source.p);
        return -1;
    }
    m->name = conf_arg(line, 1);
    if (m->source == MATCH_HEADER && !field_is_token(m->name)) {
        conf_error(line, 1, "`%s` is not a header name", m->name.p);
        return -1;
    }
    if (m->source == MATCH_CLIENT_CERT && !is_cert_part(m->name)) {
        conf_error(line, 1,
                   "`%s` is no part of a certificate: one of subject, issuer, san, dns, uri, email, ip, "
                   "fingerprint",
                   m->name.p);
        return -1;
    }
    return build_operator(m, line, arena);
}

/* What a value says: 1 yes, 0 no, -1 unknown (a regex whose limits were reached). */
static int
value_says(const struct matcher *m, struct slice v)
{
    switch (m->op) {
    case MATCH_EQUAL:
    case MATCH_NOT_EQUAL:
        return slice_eq(m->value, v);
    case MATCH_REGEX:
    case MATCH_NOT_REGEX:
        return regex_test(m->regex, v);
    case MATCH_PRESENT:
    case MATCH_ABSENT:
        break;
    }
    return 1;
}

/* Of alternative names each is asked. */
static int
cert_says(const struct matcher *m, const struct client_cert *c)
{
    bool any_kind = slice_eq(m->name, SLICE("san"));
    int says = 0;
    if (!c)
        return 0;
    if (slice_eq(m->name, SLICE("subject")))
        return value_says(m, c->subject);
    if (slice_eq(m->name, SLICE("issuer")))
        return value_says(m, c->issuer);
    if (slice_eq(m->name, SLICE("fingerprint")))
        return value_says(m, c->fingerprint);
    for (unsigned i = 0; i < c->n_sans && says == 0; i++)
        if (any_kind || slice_eq(m->name, slice_str(san_kinds[c->sans[i].kind])))
            says = value_says(m, c->sans[i].value);
    return says;
}

/* Does any value say yes? Every line of a header field is asked: a repeated one must not hide one that matches. */
static int
any_says(const struct matcher *m, struct weir_exchange *x)
{
    struct slice v;
    int says = 0;
    if (m->source == MATCH_CLIENT_CERT)
        return cert_says(m, x->client_cert);
    if (m->source == MATCH_COOKIE)
        return cookie_find(&x->req->fields, m->name, &v) ? value_says(m, v) : 0;
    if (m->source == MATCH_QUERY)
        return query_find(x->req->query, m->name, x->arena, &v) ? value_says(m, v) : 0;
    const struct field *f = fields_find_name(&x->req->fields, m->name);
    for (; f && says == 0; f = fields_next(&x->req->fields, f))
        says = value_says(m, f->value);
    return says;
}

/* Of a regex that could not be decided neither `~` nor `!~` holds: a value that exhausts it must open no door. */
bool
matcher_holds(const struct matcher *m, struct weir_exchange *x)
{
    if (m->source == MATCH_CLIENT)
        return x->client && cidr_match(m->cidrs, m->n_cidrs, x->client);
    bool negated = m->op == MATCH_NOT_EQUAL || m->op == MATCH_NOT_REGEX || m->op == MATCH_ABSENT;
    return any_says(m, x) == (negated ? 0 : 1);
}

bool
matcher_same(const struct matcher *a, const struct matcher *b)
{
    if (a->source != b->source || a->op != b->op)
        return false;
    if (a->source == MATCH_CLIENT)
        return a->n_cidrs == b->n_cidrs && memcmp(a->cidrs, b->cidrs, a->n_cidrs * sizeof *a->cidrs) == 0;
    bool names = a->source == MATCH_HEADER ? slice_ieq(a->name, b->name) : slice_eq(a->name, b->name);
    return names && slice_eq(a->value, b->value);
}
