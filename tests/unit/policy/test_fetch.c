/* host->fetch against a small server on a thread of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/event/worker.h"
#include "../../../src/net/resolver.h"
#include "../../../src/policy/module.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over the next two */
static const char *the_answer;                           /* of the server to every connection; NULL: it says nothing */
static char asked[1024];                                 /* what the last one sent */
static int listening;
static unsigned short port;

static void
answer_with(const char *text)
{
    pthread_mutex_lock(&lock);
    the_answer = text;
    pthread_mutex_unlock(&lock);
}

static bool
was_asked(const char *part)
{
    bool found;

    pthread_mutex_lock(&lock);
    found = strstr(asked, part) != NULL;
    pthread_mutex_unlock(&lock);
    return found;
}

static void
serve(int fd)
{
    char text[sizeof(asked)];
    const char *answer;
    ssize_t n = read(fd, text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    pthread_mutex_lock(&lock);
    strcpy(asked, text);
    answer = the_answer;
    pthread_mutex_unlock(&lock);
    if (answer && write(fd, answer, strlen(answer)) < 0)
        perror("write");
    if (answer)
        shutdown(fd, SHUT_WR);
    while (read(fd, text, sizeof(text)) > 0) /* until the other side has enough */
        ;
    close(fd);
}

static void *
server(void *arg)
{
    int fd;

    while ((fd = accept(listening, NULL, NULL)) >= 0)
        serve(fd);
    return NULL;
}

static pthread_t thread;
static struct resolver *resolver;

static int
group_setup(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    struct err e;

    listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listening, (struct sockaddr *)&a, len) != 0 || listen(listening, 16) != 0)
        return -1;
    getsockname(listening, (struct sockaddr *)&a, &len);
    port = ntohs(a.sin_port);
    if (workers_init(1) != 0 || pthread_create(&thread, NULL, server, NULL) != 0)
        return -1;
    resolver = resolver_new(worker_get(WORKER_SERVICE)->loop, &e);
    return resolver ? workers_start(NULL, NULL) : -1;
}

static int
group_teardown(void **state)
{
    shutdown(listening, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listening);
    workers_stop();
    resolver_free(resolver);
    workers_fini();
    return 0;
}

/* ---- one fetch, on a worker of choice ---- */

struct asking {
    unsigned worker;
    struct weir_fetch_request req;
    bool cancel;
    char url[128];
    unsigned calls;
    bool inside; /* done came inside the call */
    unsigned done_on;
    int status;
    char error[128], body[256], type[64];
    int64_t max_age;
};

static void
stop_service(void *arg)
{
    loop_stop(worker_get(WORKER_SERVICE)->loop);
}

static void
post_stop(void *arg)
{
    host_table()->post(WORKER_SERVICE, stop_service, NULL);
}

static void
on_done(const struct weir_fetch_response *res, void *arg)
{
    struct asking *a = arg;

    a->calls++;
    a->done_on = worker_self_id();
    a->status = res->status;
    snprintf(a->error, sizeof(a->error), "%s", res->error ? res->error : "");
    snprintf(a->body, sizeof(a->body), "%.*s", (int)res->body.n, res->body.p ? res->body.p : "");
    snprintf(a->type, sizeof(a->type), "%.*s", (int)res->content_type.n,
             res->content_type.p ? res->content_type.p : "");
    a->max_age = res->max_age_s;
    post_stop(NULL);
}

static void
begin(void *arg)
{
    struct asking *a = arg;
    struct weir_call *c = host_table()->fetch(&a->req, on_done, a);

    a->inside = a->calls > 0;
    if (a->cancel) {
        host_table()->fetch_cancel(c);
        host_table()->timer_after(50000000, post_stop, NULL); /* time for a call that must not come */
    }
}

static void
fetch(struct asking *a)
{
    a->req.size = sizeof(a->req);
    a->req.url = a->url;
    a->req.timeout_ns = a->req.timeout_ns ? a->req.timeout_ns : 5000000000;
    a->req.max_body = 200;
    host_table()->post(a->worker, begin, a);
    loop_run(worker_get(WORKER_SERVICE)->loop);
    assert_int_equal(a->calls, a->cancel ? 0 : 1);
    assert_false(a->inside);
    if (!a->cancel)
        assert_int_equal(a->done_on, a->worker);
}

static void
ask(struct asking *a, unsigned worker, const char *host)
{
    *a = (struct asking){ .worker = worker };
    snprintf(a->url, sizeof(a->url), "http://%s:%u/keys?x=1", host, port);
}

static void
an_answer_comes_with_its_age(void **state)
{
    struct asking a;

    answer_with("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: application/json\r\nCache-Control: public, "
                "max-age=300\r\n"
                "Connection: close\r\n\r\nhello");
    ask(&a, 1, "127.0.0.1");
    fetch(&a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "hello");
    assert_string_equal(a.type, "application/json");
    assert_int_equal(a.max_age, 300);
    assert_true(was_asked("GET /keys?x=1 HTTP/1.1\r\n"));
}

static void
no_store_is_age_zero(void **state)
{
    struct asking a;

    answer_with("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
    ask(&a, 0, "127.0.0.1");
    fetch(&a);
    assert_int_equal(a.status, 404);
    assert_int_equal(a.max_age, 0);
}

static void
a_body_is_posted(void **state)
{
    struct asking a;

    answer_with("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    ask(&a, 1, "127.0.0.1");
    a.req.method = "POST";
    a.req.body = (struct weir_str){ "ping", 4 };
    fetch(&a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.max_age, -1);
    assert_true(was_asked("POST /keys?x=1 HTTP/1.1\r\n"));
    assert_true(was_asked("\r\n\r\nping"));
}

static void
names_are_resolved_on_the_service_loop(void **state)
{
    answer_with("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    host_set_resolver(resolver);
    for (unsigned worker = 0; worker < 2; worker++) {
        struct asking a;

        ask(&a, worker, "localhost");
        fetch(&a);
        assert_string_equal(a.error, "");
        assert_string_equal(a.body, "ok");
    }
    host_set_resolver(NULL);
}

static void
what_cannot_be_fetched_says_why(void **state)
{
    struct asking a;

    ask(&a, 1, "localhost"); /* nobody resolves */
    fetch(&a);
    assert_int_equal(a.status, 0);
    assert_non_null(strstr(a.error, "cannot resolve localhost"));

    ask(&a, 0, "127.0.0.1");
    strcpy(a.url, "ftp://127.0.0.1/x");
    fetch(&a);
    assert_string_equal(a.error, "not an http:// or https:// URL");

    ask(&a, 1, "127.0.0.1");
    strcpy(a.url, "http://127.0.0.1:1/");
    fetch(&a);
    assert_int_equal(a.status, 0);
    assert_true(strlen(a.error) > 0);
}

static void
the_deadline_holds(void **state)
{
    struct asking a;

    answer_with(NULL);
    ask(&a, 1, "127.0.0.1");
    a.req.timeout_ns = 50000000;
    fetch(&a);
    assert_int_equal(a.status, 0);
    assert_true(strlen(a.error) > 0);
}

static void
a_body_over_the_cap_is_an_error(void **state)
{
    static char big[600];
    struct asking a;

    snprintf(big, sizeof(big), "HTTP/1.1 200 OK\r\nContent-Length: 300\r\nConnection: close\r\n\r\n%0300d", 7);
    answer_with(big);
    ask(&a, 1, "127.0.0.1");
    fetch(&a);
    assert_int_equal(a.status, 0);
    assert_true(strlen(a.error) > 0);
}

static void
a_cancelled_fetch_never_answers(void **state)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost", "127.0.0.1" };

    answer_with("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    host_set_resolver(resolver);
    for (int i = 0; i < 6; i++) {
        struct asking a;

        ask(&a, (unsigned)i % 2, hosts[i / 2]);
        if (i / 2 == 2)
            memcpy(a.url, "ftp", 3); /* not a URL, which is told later too */
        a.cancel = true;
        fetch(&a);
    }
    host_set_resolver(NULL);
}

static void
count(void *arg)
{
    ++*(unsigned *)arg;
}

static void
posts_run_on_their_worker(void **state)
{
    unsigned n = 0;

    host_table()->post(WORKER_SERVICE, count, &n);
    host_table()->post(WORKER_SERVICE, stop_service, NULL);
    loop_run(worker_get(WORKER_SERVICE)->loop);
    assert_int_equal(n, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_with_its_age),
        cmocka_unit_test(no_store_is_age_zero),
        cmocka_unit_test(a_body_is_posted),
        cmocka_unit_test(names_are_resolved_on_the_service_loop),
        cmocka_unit_test(what_cannot_be_fetched_says_why),
        cmocka_unit_test(the_deadline_holds),
        cmocka_unit_test(a_body_over_the_cap_is_an_error),
        cmocka_unit_test(a_cancelled_fetch_never_answers),
        cmocka_unit_test(posts_run_on_their_worker),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
