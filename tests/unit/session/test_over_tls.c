/* Both sessions against each other over TLS: what they need of it is that ends are told from cuts. */
#include "../net/tls_lab.h"

#include "../../../src/session/down_h1.h"
#include "../../../src/session/up_h1.h"
#include "wire.h"

static struct lab_cert ca, cert;

struct fx {
    struct loop *loop;
    struct down_sessions *set;
    struct down_conf conf;
    struct down_handler handler;
    struct tls_server *server;
    struct tls_client *client;
    struct conn *c; /* the client's, until it is up */
    struct up_session *u;
    struct up_stream *s;
    struct arena arena;
    struct strbuf body;
    struct strbuf log;
    bool cut; /* the server breaks off in the middle of its answer */
    int raw;  /* a client that does not speak TLS */
};

static struct fx *fx;

/* ------------------------------------------------------------------ the server */

static void
send_text(struct down_stream *s, const char *text)
{
    struct iobuf b;

    iobuf_init(&b, SIZE_MAX);
    iobuf_add(&b, text, strlen(text));
    s->ops->send(s, &b, b.len);
}

static void
on_sent(struct down_stream *s)
{
    s->ops->release(s);
}

static void
on_abort(struct down_stream *s, enum reason_id reason, const char *detail)
{
    s->ops->release(s);
}

static void
on_down_body(struct down_stream *s)
{
}

static const struct down_events down_events = { on_down_body, on_down_body, on_abort, on_sent };

static void
on_request(struct down_stream *s, void *arg)
{
    struct http_response r = { .status = 200 };

    assert_true(s->is_tls);
    assert_true(slice_eq(s->req.scheme, SLICE("https")));
    s->events = &down_events;
    fields_init(&r.fields, &s->arena);
    s->ops->respond(s, &r, (struct body_framing){ .kind = BODY_CHUNKED }, false);
    send_text(s, "hello");
    if (!fx->cut)
        s->ops->end(s, NULL);
}

static const struct down_conf *
get_conf(void *arg)
{
    return &fx->conf;
}

static const struct down_handler *
get_handler(void *arg)
{
    return &fx->handler;
}

/* ------------------------------------------------------------------ the client */

static void
release(void)
{
    struct up_stream *s = fx->s;

    fx->s = NULL;
    s->ops->release(s);
}

static void
on_up_body(struct up_stream *s)
{
    struct slice part;

    while ((part = iobuf_front(&s->in)).n) {
        strbuf_addslice(&fx->body, part);
        iobuf_consume(&s->in, part.n);
    }
    s->ops->consumed(s);
    if (s->in_end) {
        strbuf_adds(&fx->log, "end;");
        release();
    }
}

static void
on_head(struct up_stream *s)
{
    strbuf_addf(&fx->log, "head %d;", s->res.status);
    if (s->in.len || s->in_end)
        on_up_body(s);
}

static void
on_writable(struct up_stream *s)
{
}

static void
on_error(struct up_stream *s, enum up_error error, const char *detail)
{
    strbuf_addf(&fx->log, "error %d;", (int)error);
    release();
}

static const struct up_events up_events = { NULL, on_head, on_up_body, on_writable, on_error };

static void
on_released(struct up_session *u, unsigned n, void *arg)
{
    if (up_room(u))
        strbuf_adds(&fx->log, "idle;");
}

static void
on_closed(struct up_session *u, void *arg)
{
    strbuf_adds(&fx->log, "closed;");
    fx->u = NULL;
}

static const struct up_session_events session_events = { on_released, on_closed };

static void
on_connected(struct conn *c, unsigned events)
{
    assert_false(c->broken);
    fx->c = NULL;
    fx->u = up_h1_new(c, &fx->conf.limits, &session_events, NULL);
}

static bool
is_connected(void *arg)
{
    return fx->u != NULL;
}

static void
ask(void)
{
    struct http_request r = { .method = METHOD_GET, .method_text = SLICE("GET"), .version = HTTP_1_1 };

    strbuf_clear(&fx->log);
    strbuf_clear(&fx->body);
    fields_init(&r.fields, &fx->arena);
    fields_add_id(&r.fields, FIELD_HOST, SLICE("a.test"));
    fx->s = up_open(fx->u, &fx->arena, 65536);
    fx->s->events = &up_events;
    fx->s->ops->request(fx->s, &r, SLICE("/"), (struct body_framing){ .kind = BODY_NONE });
}

static void
expect_log(const char *text)
{
    expect_in(fx->loop, &fx->log, text);
}

/* ------------------------------------------------------------------ both */

/* The server's end of a new connection becomes a session. The client's end: TLS, or bare. */
static void
open_pair(bool bare)
{
    static const struct down_source source = { get_conf, get_handler, NULL };
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(sin);
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
    struct addr to;

    assert_int_equal(bind(l, (struct sockaddr *)&sin, sizeof(sin)), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_int_equal(getsockname(l, (struct sockaddr *)&sin, &len), 0);
    addr_from_sockaddr(&to, (struct sockaddr *)&sin, len);
    if (bare) {
        fx->raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fx->raw, (struct sockaddr *)&sin, sizeof(sin)), 0);
    } else {
        fx->c = conn_connect(fx->loop, &to, fx->client, SLICE("a.test"), NULL);
        assert_non_null(fx->c);
        conn_attach(fx->c, on_connected, NULL);
    }
    fd = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    close(l);
    down_h1_start(fx->set, conn_accepted(fx->loop, fd, &to, &to, fx->server), &source);
    if (!bare)
        assert_true(run_until(fx->loop, is_connected, NULL));
}

static int
setup(void **state)
{
    struct err e;

    fx = xcalloc(1, sizeof(*fx));
    fx->loop = loop_new("test");
    fx->set = down_sessions_new(fx->loop);
    fx->conf = (struct down_conf){ .limits = { 8192, 8192, 32768, 100 }, .head_timeout = 10 * NSEC_PER_SEC };
    fx->handler = (struct down_handler){ .on_request = on_request };
    fx->server = lab_server_one(cert.cert_file, cert.key_file, &e);
    fx->client = lab_client(ca.cert_file, true, &e);
    fx->raw = -1;
    assert_non_null(fx->server);
    assert_non_null(fx->client);
    strbuf_init(&fx->body, 65536);
    strbuf_init(&fx->log, 65536);
    arena_init(&fx->arena);
    return 0;
}

static int
teardown(void **state)
{
    if (fx->u)
        up_close(fx->u);
    if (fx->raw >= 0)
        close(fx->raw);
    down_sessions_free(fx->set);
    run_for(fx->loop, 3 * NSEC_PER_MSEC);
    tls_server_put(fx->server);
    tls_client_put(fx->client);
    strbuf_fini(&fx->body);
    strbuf_fini(&fx->log);
    arena_fini(&fx->arena);
    loop_free(fx->loop);
    free(fx);
    arena_thread_fini();
    iobuf_thread_fini();
    return 0;
}

static void
test_keep_alive(void **state)
{
    open_pair(false);
    for (int i = 0; i < 3; i++) {
        ask();
        assert_int_equal(fx->s->reused, i > 0);
        expect_log("head 200;end;idle;");
        assert_string_equal(fx->body.p, "hello");
    }
    assert_int_equal(down_sessions_count(fx->set), 1);
}

static bool
got_hello(void *arg)
{
    return fx->body.n == 5;
}

static void
test_a_cut_is_no_end(void **state)
{
    fx->cut = true;
    open_pair(false);
    ask();
    assert_true(run_until(fx->loop, got_hello, NULL));
    down_sessions_abort(fx->set);
    expect_log("error 1;closed;"); /* UP_RESET */
}

static bool
none_left(void *arg)
{
    return down_sessions_count(fx->set) == 0;
}

static void
test_a_handshake_has_a_deadline(void **state)
{
    fx->conf.head_timeout = 20 * NSEC_PER_MSEC;
    open_pair(true);
    assert_int_equal(down_sessions_count(fx->set), 1);
    assert_true(run_until(fx->loop, none_left, NULL));
}

static void
test_the_deadline_of_the_handshake_ends_with_it(void **state)
{
    fx->conf.head_timeout = 300 * NSEC_PER_MSEC;
    open_pair(false);
    run_for(fx->loop, 350 * NSEC_PER_MSEC);
    assert_int_equal(down_sessions_count(fx->set), 1);
}

static int
group_setup(void **state)
{
    lab_dir_make();
    lab_cert_make(&ca, "ca", NULL, NULL, 10);
    lab_cert_make(&cert, "a", "DNS:a.test", &ca, 10);
    return tls_init();
}

static int
group_teardown(void **state)
{
    lab_cert_drop(&ca);
    lab_cert_drop(&cert);
    return rmdir(lab_dir);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_keep_alive),
        T(test_a_cut_is_no_end),
        T(test_a_handshake_has_a_deadline),
        T(test_the_deadline_of_the_handshake_ends_with_it),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
