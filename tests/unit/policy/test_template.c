#include "fixture.h"

#include "../../../src/policy/module.h"

#include <string.h>

/* The text of a template compiled at the route's `key` line. */
static struct slice
render(struct fixture *f, const char *text)
{
    struct template *t = template_compile(slice_str(text), fixture_block(f, "route", "/r"), -1, &f->arena);

    if (!t)
        fail_msg("%s", fixture_errors(f));
    return template_text(t, &f->x);
}

#define assert_text(f, template_, want)                                                                                \
    do {                                                                                                               \
        struct slice got_ = render(f, template_);                                                                      \
        if (!slice_eq(got_, slice_str(want)))                                                                          \
            fail_msg("%s gives \"%.*s\", not \"%s\"", template_, SLICE_FMT(got_), want);                               \
    } while (0)

static void
core_variables_have_their_values(void **state)
{
    struct fixture *f = *state;

    fixture_load(f, "route /r { }");
    fields_add(&f->req.fields, SLICE("X-One"), SLICE("1"));
    fields_add(&f->req.fields, SLICE("X-Two"), SLICE("a"));
    fields_add(&f->req.fields, SLICE("x-two"), SLICE("b"));
    fields_add_id(&f->req.fields, FIELD_COOKIE, SLICE("c=d; e=f"));
    f->x.upstream_name = SLICE("orders");
    f->x.endpoint_address = SLICE("127.0.0.1:9001");
    assert_text(f, "${client.ip}", "192.0.2.7");
    assert_text(f, "${client.port}", "5311");
    assert_text(f, "${request.method} ${request.host}${request.path}", "GET api.example.com/r/7");
    assert_text(f, "${request.query}", "a=1&b=x%20y");
    assert_text(f, "${request.uri}", "/r/7?a=1&b=x%20y");
    assert_text(f, "${request.id}", "0123456789abcdef");
    assert_text(f, "${request.header.x-one}", "1");
    assert_text(f, "${request.header.X-Two}", "a, b");
    assert_text(f, "${request.cookie.e}", "f");
    assert_text(f, "${request.arg.b}", "x y");
    assert_text(f, "${request.scheme}", "http");
    assert_text(f, "${request.authority}", "api.example.com:8080");
    assert_text(f, "${request.protocol}", "HTTP/1.1");
    assert_text(f, "${route.name} ${upstream.name} ${endpoint.address}", "/r orders 127.0.0.1:9001");
    assert_text(f, "${response.status}${response.header.X}", "");
    fixture_respond(f, 204);
    fields_add(&f->res.fields, SLICE("X"), SLICE("y"));
    assert_text(f, "${response.status}${response.header.X}", "204y");
    assert_text(f, "${grpc.status}", "");
    f->x.grpc.known = true;
    assert_text(f, "${grpc.status}", "OK");
    f->x.grpc.status = 14;
    assert_text(f, "${grpc.status}", "UNAVAILABLE");
    assert_int_equal(render(f, "${time.iso}").n, 24);
    assert_true(render(f, "${time.unix}").n >= 10);
}

static void
a_uri_is_not_copied_where_it_is_whole(void **state)
{
    struct fixture *f = *state;
    static const char received[] = "/r/7?a=1";

    fixture_load(f, "route /r { }");
    f->req.path = slice_of(received, 4);
    f->req.query = slice_of(received + 5, 3);
    assert_ptr_equal(render(f, "${request.uri}").p, received);
    assert_text(f, "${request.uri}", "/r/7?a=1");
    f->req.has_query = false;
    assert_text(f, "${request.uri}", "/r/7");
    f->req.has_query = true;
    f->req.query = SLICE("");
    assert_text(f, "${request.uri}", "/r/7?");
}

static void
control_bytes_do_not_reach_a_field(void **state)
{
    struct fixture *f = *state;

    fixture_load(f, "route /r { }");
    f->req.query = SLICE("a=1%0d%0aX:%20y%7f&b=plain");
    struct template *t = template_compile(SLICE("<${request.arg.a}>"), fixture_block(f, "route", "/r"), -1, &f->arena);
    assert_true(slice_eq(template_field(t, &f->x), SLICE("<1%0D%0AX: y%7F>")));
    t = template_compile(SLICE("${request.arg.b}"), fixture_block(f, "route", "/r"), -1, &f->arena);
    assert_true(slice_eq(template_field(t, &f->x), SLICE("plain")));
}

static void
absent_is_empty(void **state)
{
    struct fixture *f = *state;
    struct slice v;

    fixture_load(f, "route /r { }");
    assert_text(f, "${request.header.none}", "");
    assert_non_null(render(f, "${request.header.none}").p);
    assert_text(f, "<${request.cookie.none}${request.arg.none}>", "<>");
    assert_text(f, "", "");
    assert_true(variable_text(&f->x, SLICE("request.header.none"), &v));
    assert_null(v.p);
    assert_false(variable_text(&f->x, SLICE("request.nothing"), &v));
}

static void
literals_stay_as_they_are(void **state)
{
    struct fixture *f = *state;
    const struct weir_conf *at;

    fixture_load(f, "route /r { }");
    at = fixture_block(f, "route", "/r");
    assert_text(f, "a $b {c} $", "a $b {c} $");
    assert_true(template_is_literal(template_compile(SLICE("a $b"), at, -1, &f->arena)));
    assert_true(template_is_literal(template_compile(SLICE(""), at, -1, &f->arena)));
    assert_false(template_is_literal(template_compile(SLICE("${client.ip}"), at, -1, &f->arena)));
}

static void
unknown_variables_are_errors_with_a_hint(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        { "${client.ipp}", "did you mean `${client.ip}`?" },
        { "${request.headr.X-Foo}", "did you mean `${request.header.X-Foo}`?" },
        { "${jwt.sub}", "no module in `use` provides `jwt.*`" },
        { "a ${client.ip", "`${` without its `}`" },
        { "${}", "`${}` names no variable" },
        { "${request.header.}", "unknown variable `${request.header.}`" },
        { "${nothing}", "unknown variable `${nothing}`" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f;

        fixture_setup((void **)&f);
        fixture_load(f, "route /r { }");
        assert_null(template_compile(slice_str(rows[i].text), fixture_block(f, "route", "/r"), -1, &f->arena));
        assert_int_equal(conf_errors(f->conf), 1);
        assert_has(fixture_errors(f), rows[i].says);
        fixture_teardown((void **)&f);
    }
}

static void
the_caret_stands_under_the_argument(void **state)
{
    struct fixture *f = *state;

    fixture_load(f, "route /r {\nprobe_a { key \"${client.nowhere}\"; } }");
    assert_null(chain_build(&f->scope, fixture_block(f, "route", "/r"), SLICE("/r")));
    assert_has(fixture_errors(f), "test.conf:3:15: error: unknown variable");
}

static void
modules_provide_variables(void **state)
{
    struct fixture *f = *state;

    fixture_route(f, "probe_a { name alice; }");
    assert_text(f, "${probe.name}", ""); /* nothing has run yet */
    assert_int_equal(chain_request(&f->x), CHAIN_PASS);
    assert_text(f, "${probe.name}/${probe.rest}", "alice/rest");
    assert_true(slice_eq(slice_of(host_table()->variable(&f->x, "probe.name").p, 5), SLICE("alice")));
}

/* Modules stay loaded; a configuration that does not `use` one does not see its variables all the same. */
static void
variables_of_an_unused_module_are_unknown(void **state)
{
    struct fixture *f = *state;
    struct conf *other = conf_new();

    fixture_load(f, "route /r { }");
    assert_text(f, "${probe.name}", "");
    conf_add_rows(other, policy_rows, "policy", NULL);
    assert_int_equal(conf_parse_text(other, "other.conf", SLICE("modules /x;")), 0);
    assert_int_equal(modules_use(other), 0);
    assert_null(template_compile(SLICE("${probe.name}"), conf_find(conf_root(other), "modules"), 0, &f->arena));
    assert_int_equal(conf_errors(other), 1);
    conf_free(other);
}

static void
the_list_for_the_manual_has_them_all(void **state)
{
    struct strbuf b;

    strbuf_init(&b, 65536);
    variable_list(&b);
    assert_has(b.p, "${client.ip}\t");
    assert_has(b.p, "${request.header.NAME}\t");
    assert_has(b.p, "${probe.NAME}\ttest\n");
    strbuf_fini(&b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(core_variables_have_their_values),
        T(a_uri_is_not_copied_where_it_is_whole),
        T(control_bytes_do_not_reach_a_field),
        T(absent_is_empty),
        T(literals_stay_as_they_are),
        cmocka_unit_test(unknown_variables_are_errors_with_a_hint),
        T(the_caret_stands_under_the_argument),
        T(modules_provide_variables),
        T(variables_of_an_unused_module_are_unknown),
        T(the_list_for_the_manual_has_them_all),
    };

    return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
