#include "../../../src/net/resolver.h"
#include "../../../src/session/fetch.h"
#include "wire.h"

/* A server that answers each connection with `answer` and closes when `close_after`. */
struct fx {
    struct loop *loop;
    int listener;
    struct watch watch;
    struct addr addr;
    char url[64];
    const char *answer;
    bool hold; /* the connection stays open and the answer is all there is */
    int fd;    /* of the latest connection */
    struct watch conn;
    char request[4096];
    size_t n;
    /* what came of it */
    unsigned calls;
    int status;
    char error[256], body[4096], type[64];
};

static struct fx *fx;

static void
on_bytes(struct watch *w, unsigned events)
{
    ssize_t n;

    while ((n = recv(fx->fd, fx->request + fx->n, sizeof(fx->request) - 1 - fx->n, 0)) > 0)
        fx->n += (size_t)n;
    fx->request[fx->n] = '\0';
    if (!strstr(fx->request, "\r\n\r\n") || !fx->answer)
        return;
    send(fx->fd, fx->answer, strlen(fx->answer), MSG_NOSIGNAL);
    fx->answer = NULL;
    if (!fx->hold)
        shutdown(fx->fd, SHUT_WR);
}

static void
on_accept(struct watch *w, unsigned events)
{
    int fd;

    while ((fd = accept4(fx->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        watch_close(&fx->conn);
        if (fx->fd >= 0)
            close(fx->fd);
        fx->fd = fd;
        assert_int_equal(watch_open(&fx->conn, fx->loop, fx->fd, on_bytes), 0);
    }
}

static int
setup(void **state)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(sin);

    fx = xcalloc(1, sizeof(*fx));
    fx->loop = loop_new("test");
    fx->fd = -1;
    fx->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fx->listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
    assert_int_equal(listen(fx->listener, 8), 0);
    getsockname(fx->listener, (struct sockaddr *)&sin, &len);
    addr_from_sockaddr(&fx->addr, (struct sockaddr *)&sin, len);
    snprintf(fx->url, sizeof(fx->url), "http://127.0.0.1:%d/health?x=1", ntohs(sin.sin_port));
    assert_int_equal(watch_open(&fx->watch, fx->loop, fx->listener, on_accept), 0);
    return 0;
}

static int
teardown(void **state)
{
    run_for(fx->loop, 1);
    watch_close(&fx->watch);
    watch_close(&fx->conn);
    close(fx->listener);
    if (fx->fd >= 0)
        close(fx->fd);
    loop_free(fx->loop);
    free(fx);
    arena_thread_fini();
    iobuf_thread_fini();
    return 0;
}

static void
on_done(const struct fetch_result *r, void *arg)
{
    const struct field *f;

    fx->calls++;
    fx->status = r->status;
    snprintf(fx->error, sizeof(fx->error), "%s", r->error ? r->error : "");
    snprintf(fx->body, sizeof(fx->body), "%.*s", SLICE_FMT(r->body));
    assert_true((r->status != 0) == (r->fields != NULL));
    f = r->fields ? fields_find(r->fields, FIELD_CONTENT_TYPE) : NULL;
    snprintf(fx->type, sizeof(fx->type), "%.*s", f ? (int)f->value.n : 0, f ? f->value.p : "");
}

static bool
is_done(void *arg)
{
    return fx->calls > 0;
}

static struct fetch_request
request(void)
{
    return (struct fetch_request){ .url = slice_str(fx->url), .timeout = 5 * NSEC_PER_SEC, .max_body = 1000 };
}

static void
run(const struct fetch_request *r)
{
    assert_non_null(fetch_start(fx->loop, r, on_done, NULL));
    assert_int_equal(fx->calls, 0); /* never from inside */
    assert_true(run_until(fx->loop, is_done, NULL));
    run_for(fx->loop, NSEC_PER_MSEC);
    assert_int_equal(fx->calls, 1);
}

static void
test_get(void **state)
{
    struct fetch_request r = request();

    fx->answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
    fx->hold = true;
    run(&r);
    assert_int_equal(fx->status, 200);
    assert_string_equal(fx->body, "hello");
    assert_string_equal(fx->type, "text/plain");
    assert_non_null(strstr(fx->request, "GET /health?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
}

static void
test_post_with_host(void **state)
{
    struct fetch_request r = request();

    r.method = "POST";
    r.host = SLICE("api.example");
    r.body = SLICE("{\"a\":1}");
    r.to = fx->addr;
    r.url = SLICE("http://api.internal/x");
    fx->answer = "HTTP/1.1 204 No Content\r\n\r\n";
    run(&r);
    assert_int_equal(fx->status, 204);
    assert_non_null(strstr(fx->request, "POST /x HTTP/1.1\r\nHost: api.example\r\n"));
    assert_non_null(strstr(fx->request, "Content-Length: 7\r\n"));
    assert_non_null(strstr(fx->request, "\r\n\r\n{\"a\":1}"));
}

static void
test_body_until_close(void **state)
{
    struct fetch_request r = request();

    fx->answer = "HTTP/1.0 500 No\r\n\r\nsome text";
    run(&r);
    assert_int_equal(fx->status, 500);
    assert_string_equal(fx->body, "some text");
}

static void
test_chunked_with_interim(void **state)
{
    struct fetch_request r = request();

    fx->answer = "HTTP/1.1 103 Early Hints\r\n\r\n"
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    run(&r);
    assert_int_equal(fx->status, 200);
    assert_string_equal(fx->body, "abc");
}

static void
test_body_cap(void **state)
{
    struct fetch_request r = request();

    r.max_body = 4;
    fx->answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    run(&r);
    assert_int_equal(fx->status, 0);
    assert_string_equal(fx->error, "the answer is larger than allowed");
}

static void
test_body_of_exactly_the_cap(void **state)
{
    struct fetch_request r = request();

    r.max_body = 5;
    fx->answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    run(&r);
    assert_int_equal(fx->status, 200);
    assert_string_equal(fx->body, "hello");
}

static void
test_truncated_answer(void **state)
{
    struct fetch_request r = request();

    fx->answer = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello";
    run(&r);
    assert_int_equal(fx->status, 0);
    assert_true(fx->error[0] != '\0');
}

static void
test_deadline(void **state)
{
    struct fetch_request r = request();

    r.timeout = 20 * NSEC_PER_MSEC;
    run(&r);
    assert_int_equal(fx->status, 0);
    assert_string_equal(fx->error, "no complete answer in time");
}

static void
test_refused_connection(void **state)
{
    struct fetch_request r = request();

    watch_close(&fx->watch);
    close(fx->listener);
    run(&r);
    assert_int_equal(fx->status, 0);
    assert_non_null(strstr(fx->error, "refused"));
    fx->listener = -1;
}

static void
test_by_name(void **state)
{
    struct fetch_request r = request();
    struct resolver *resolver = resolver_new(fx->loop, NULL);
    char url[64], hosts[] = "/tmp/test_fetch.XXXXXX";
    int fd = mkstemp(hosts);

    assert_non_null(resolver);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "127.0.0.1 svc.test\n", 19), 19);
    close(fd);
    setenv("CARES_HOSTS", hosts, 1);
    snprintf(url, sizeof(url), "http://svc.test:%d/", addr_port(&fx->addr));
    r.url = slice_str(url);
    r.resolver = resolver;
    fx->answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    run(&r);
    resolver_free(resolver);
    unsetenv("CARES_HOSTS");
    unlink(hosts);
    assert_int_equal(fx->status, 200);
}

static void
test_name_without_resolver(void **state)
{
    struct fetch_request r = request();

    r.url = SLICE("http://name.example/");
    run(&r);
    assert_int_equal(fx->status, 0);
    r.url = SLICE("https://127.0.0.1/");
    fx->calls = 0;
    run(&r);
    assert_string_equal(fx->error, "https without TLS settings");
}

static void
test_not_a_url(void **state)
{
    struct fetch_request r = request();

    r.url = SLICE("ftp://x/");
    assert_null(fetch_start(fx->loop, &r, on_done, NULL));
}

static void
test_cancel(void **state)
{
    struct fetch_request r = request();
    struct fetch *f;

    fetch_cancel(fetch_start(fx->loop, &r, on_done, NULL)); /* at once */
    f = fetch_start(fx->loop, &r, on_done, NULL);
    while (fx->n == 0) /* with the request on its way */
        run_for(fx->loop, NSEC_PER_MSEC);
    fetch_cancel(f);
    run_for(fx->loop, 2 * NSEC_PER_MSEC);
    assert_int_equal(fx->calls, 0);
    fetch_cancel(NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_get),
        T(test_post_with_host),
        T(test_body_until_close),
        T(test_chunked_with_interim),
        T(test_body_cap),
        T(test_body_of_exactly_the_cap),
        T(test_truncated_answer),
        T(test_deadline),
        T(test_refused_connection),
        T(test_by_name),
        T(test_name_without_resolver),
        T(test_not_a_url),
        T(test_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
