/*
 * Variables of a request as it came: a name is known or refused, and what it stands for is what the head says: all
 * lines of a field joined, the argument decoded once, path and query put together as they were. Input: a line with the
 * name, the head. (That cookies and arguments are found rightly is the matter of `find`.)
 */
#include "fuzz.h"

#include "../../src/net/addr.h"
#include "../../src/policy/template.h"

static const struct h1_limits limits = { .request_line = 1024, .field = 1024, .head = 4096, .fields = 32 };
static const struct weir_arg args[] = { { "TEXT", WEIR_T_STRING }, { NULL } };
static const struct weir_directive rows[] = { { "key", "main", args, .help = "of the test" }, { NULL } };

static bool
after(struct slice name, const char *prefix, struct slice *rest)
{
    *rest = slice_from(name, strlen(prefix));
    return rest->n && slice_starts(name, slice_str(prefix));
}

static struct slice
joined(const struct fields *f, struct slice name, struct arena *arena)
{
    struct slice all = SLICE_NONE;
    bool any = false;

    for (unsigned i = 0; i < f->n; i++) {
        if (!slice_ieq(f->v[i].name, name))
            continue;
        all = any ? arena_printf(arena, "%.*s, %.*s", SLICE_FMT(all), SLICE_FMT(f->v[i].value)) : f->v[i].value;
        any = true;
    }
    return all;
}

/* False: nothing is said of this one. */
static bool
expected(const struct http_request *r, struct slice name, struct arena *arena, struct slice *text)
{
    struct slice rest;

    *text = SLICE_NONE;
    if (after(name, "request.header.", &rest))
        *text = joined(&r->fields, rest, arena);
    else if (after(name, "request.arg.", &rest))
        query_find(r->query, rest, arena, text);
    else if (after(name, "request.cookie.", &rest))
        cookie_find(&r->fields, rest, text);
    else if (slice_eq(name, SLICE("request.method")))
        *text = r->method_text;
    else if (slice_eq(name, SLICE("request.host")))
        *text = r->host;
    else if (slice_eq(name, SLICE("request.path")))
        *text = r->path;
    else if (slice_eq(name, SLICE("request.query")))
        *text = r->query;
    else if (slice_eq(name, SLICE("request.uri")))
        *text = r->has_query ? arena_printf(arena, "%.*s?%.*s", SLICE_FMT(r->path), SLICE_FMT(r->query)) : r->path;
    else
        return false;
    return true;
}

static void
require_value(struct slice name, struct http_request *r, struct conf *c, struct arena *arena)
{
    struct slice source = arena_printf(arena, "<${%.*s}>", SLICE_FMT(name)), text, wanted;
    const struct template *t = template_compile(source, conf_find(conf_root(c), "key"), 0, arena);
    struct weir_exchange x = { .arena = arena, .req = r };
    struct addr client;

    FUZZ_REQUIRE((t == NULL) == (conf_errors(c) > 0));
    FUZZ_REQUIRE(addr_parse(SLICE("192.0.2.7:5311"), &client, NULL) == 0);
    x.client = &client;
    decision_init(&x.log, arena);
    if (!t)
        return;
    text = template_text(t, &x);
    FUZZ_REQUIRE(text.n >= 2 && text.p[0] == '<' && text.p[text.n - 1] == '>');
    if (expected(r, name, arena, &wanted))
        FUZZ_REQUIRE(slice_eq(slice_of(text.p + 1, text.n - 2), wanted));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    struct slice name = fuzz_line(&in), head = fuzz_rest(&in);
    struct http_request r = { .scheme = SLICE("http") };
    struct uri_rules rules = fuzz_uri_rules(0);
    struct h1_error err;
    struct arena arena;
    struct conf *c;

    if ((name.n && (memchr(name.p, '$', name.n) || memchr(name.p, '}', name.n) || memchr(name.p, '\0', name.n))))
        return 0; /* the matter of `template` */
    arena_init(&arena);
    if (h1_parse_request(&r, head.p ? head.p : "", head.n, &limits, &rules, &arena, &err) == H1_DONE) {
        c = conf_new();
        FUZZ_REQUIRE(conf_add_rows(c, rows, NULL, NULL) == 0);
        FUZZ_REQUIRE(conf_parse_text(c, "fuzz", SLICE("key x;")) == 0 && conf_check(c) == 0);
        require_value(name, &r, c, &arena);
        conf_free(c);
    }
    arena_fini(&arena);
    return 0;
}
