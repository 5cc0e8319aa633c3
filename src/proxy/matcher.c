#define PCRE2_CODE_UNIT_WIDTH 8
#include "matcher.h"

#include "../http/uri.h"

#include <pcre2.h>
#include <stdio.h>

/* A request may make a pattern backtrack this much before it counts as no match. */
#define REGEX_MATCH_LIMIT 100000
#define REGEX_DEPTH_LIMIT 1000

struct regex {
    pcre2_code *code;
};

static _Thread_local pcre2_match_data *match_data;
static _Thread_local pcre2_match_context *match_context;

static void
regex_free(void *arg)
{
    pcre2_code_free(((struct regex *)arg)->code);
}

struct regex *
regex_new(struct slice pattern, struct arena *arena, char *error, size_t error_room)
{
    int code;
    PCRE2_SIZE offset;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, PCRE2_DOTALL, &code, &offset, NULL);
    if (!re) {
        char text[160];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof text);
        snprintf(error, error_room, "%s (at character %zu)", text, (size_t)offset + 1);
        return NULL;
    }
    /* Without JIT (a hardened kernel may forbid it) the interpreter serves; the limits hold for both. */
    pcre2_jit_compile(re, PCRE2_JIT_COMPLETE);
    struct regex *r = arena_alloc(arena, sizeof *r);
    r->code = re;
    arena_on_fini(arena, regex_free, r);
    return r;
}

bool
regex_match(const struct regex *r, struct slice subject)
{
    if (!match_data) {
        match_data = pcre2_match_data_create(1, NULL);
        match_context = pcre2_match_context_create(NULL);
        if (!match_data || !match_context)
            return false;
        pcre2_set_match_limit(match_context, REGEX_MATCH_LIMIT);
        pcre2_set_depth_limit(match_context, REGEX_DEPTH_LIMIT);
    }
    return pcre2_match(r->code, (PCRE2_SPTR)(subject.p ? subject.p : ""), subject.n, 0, 0, match_data, match_context) >=
           0;
}

void
regex_thread_fini(void)
{
    pcre2_match_data_free(match_data);
    pcre2_match_context_free(match_context);
    match_data = NULL;
    match_context = NULL;
}

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

int
matcher_build(struct matcher *m, const struct weir_conf *line, struct arena *arena)
{
    static const char *const sources[] = { "header", "query", "cookie", "client", NULL };

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
    else {
        const char *near = conf_nearest(source.p, sources);
        conf_error(line, 0, "`%s` cannot be matched: one of header, query, cookie, client%s%s%s", source.p,
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
    return build_operator(m, line, arena);
}

/* Every value the source has under that name is tried: a repeated header field must not hide one that matches. */
static bool
any_value(const struct matcher *m, struct weir_exchange *x, bool (*test)(const struct matcher *, struct slice))
{
    struct slice v;
    if (m->source == MATCH_COOKIE)
        return cookie_find(&x->req->fields, m->name, &v) && test(m, v);
    if (m->source == MATCH_QUERY)
        return query_find(x->req->query, m->name, x->arena, &v) && test(m, v);
    for (const struct field *f = fields_find_name(&x->req->fields, m->name); f; f = fields_next(&x->req->fields, f))
        if (test(m, f->value))
            return true;
    return false;
}

static bool
test_equal(const struct matcher *m, struct slice v)
{
    return slice_eq(m->value, v);
}

static bool
test_regex(const struct matcher *m, struct slice v)
{
    return regex_match(m->regex, v);
}

static bool
test_present(const struct matcher *m, struct slice v)
{
    (void)m;
    (void)v;
    return true;
}

bool
matcher_holds(const struct matcher *m, struct weir_exchange *x)
{
    if (m->source == MATCH_CLIENT)
        return x->client && cidr_match(m->cidrs, m->n_cidrs, x->client);
    switch (m->op) {
    case MATCH_EQUAL:
        return any_value(m, x, test_equal);
    case MATCH_NOT_EQUAL:
        return !any_value(m, x, test_equal);
    case MATCH_REGEX:
        return any_value(m, x, test_regex);
    case MATCH_NOT_REGEX:
        return !any_value(m, x, test_regex);
    case MATCH_PRESENT:
        return any_value(m, x, test_present);
    case MATCH_ABSENT:
        return !any_value(m, x, test_present);
    }
    return false;
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
