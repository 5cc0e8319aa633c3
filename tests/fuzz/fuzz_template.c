/* Text with variables: compiled or refused with a reason, and what is rendered for a header field holds no control
 * byte. Input: a line with the text, then what a client sends (query, cookie, header value). */
#include "fuzz.h"

#include "../../src/net/addr.h"
#include "../../src/policy/template.h"

static const struct weir_arg args[] = { { "TEXT", WEIR_T_STRING }, { NULL } };
static const struct weir_directive rows[] = { { "key", "main", args, .help = "of the test" }, { NULL } };

static bool
is_target_byte(char c)
{
    return c > 0x20 && c < 0x7f && c != '#';
}

static bool
is_value_byte(char c)
{
    return c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f);
}

struct sample {
    struct http_request req;
    struct http_response res;
    struct addr client;
    struct weir_exchange x;
};

static void
sample_init(struct sample *s, struct slice sent, struct arena *arena)
{
    struct slice value = slice_trim(fuzz_only(sent, is_value_byte, ' ', arena));

    memset(s, 0, sizeof(*s));
    s->req = (struct http_request){ .method = METHOD_GET,
                                    .method_text = SLICE("GET"),
                                    .version = HTTP_1_1,
                                    .host = SLICE("a.example"),
                                    .authority = SLICE("a.example:80"),
                                    .path = SLICE("/r"),
                                    .query = fuzz_only(sent, is_target_byte, '+', arena),
                                    .has_query = true };
    fields_init(&s->req.fields, arena);
    fields_add(&s->req.fields, SLICE("X-A"), value);
    fields_add(&s->req.fields, SLICE("x-a"), value);
    fields_add_id(&s->req.fields, FIELD_COOKIE, value);
    s->res.status = 200;
    fields_init(&s->res.fields, arena);
    fields_add(&s->res.fields, SLICE("X-B"), value);
    FUZZ_REQUIRE(addr_parse(SLICE("192.0.2.7:5311"), &s->client, NULL) == 0);
    s->x = (struct weir_exchange){ .arena = arena, .req = &s->req, .res = &s->res, .client = &s->client };
    decision_init(&s->x.log, arena);
}

static void
require_rendered(const struct template *t, struct slice source, struct weir_exchange *x)
{
    struct slice text = template_text(t, x), field = template_field(t, x);

    FUZZ_REQUIRE(text.p && field.p && field.n >= text.n && field.n <= 3 * text.n);
    for (size_t i = 0; i < field.n; i++)
        FUZZ_REQUIRE((unsigned char)field.p[i] >= 0x20 && field.p[i] != 0x7f);
    if (template_is_literal(t))
        FUZZ_REQUIRE(slice_eq(text, source));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    struct slice source = fuzz_line(&in), sent = fuzz_rest(&in);
    struct conf *c = conf_new();
    char *copy = fuzz_exact(source);
    const struct template *t;
    struct sample s;
    struct arena arena;

    arena_init(&arena);
    FUZZ_REQUIRE(conf_add_rows(c, rows, NULL, NULL) == 0);
    FUZZ_REQUIRE(conf_parse_text(c, "fuzz", SLICE("key x;")) == 0 && conf_check(c) == 0);
    sample_init(&s, sent, &arena);
    t = template_compile(slice_of(copy, source.n), conf_find(conf_root(c), "key"), 0, &arena);
    free(copy); /* it is copied */
    FUZZ_REQUIRE((t == NULL) == (conf_errors(c) > 0));
    if (t)
        require_rendered(t, source, &s.x);
    arena_fini(&arena);
    conf_free(c);
    return 0;
}
