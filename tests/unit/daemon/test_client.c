/* client_ask against an origin that says what the test wants. */
#include "../proxy/rig.h"

#include "../../../src/daemon/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int listening;
static char address[64], request[4096];
static const char *reply;

static void *
serve_one(void *arg)
{
    int fd = accept(listening, NULL, NULL);
    size_t n = 0;
    (void)arg;
    while (n < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
        ssize_t got = recv(fd, request + n, sizeof request - n - 1, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
        request[n] = '\0';
    }
    send(fd, reply, strlen(reply), MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

static int
ask(struct client_response *r, const char *answer, struct err *e)
{
    pthread_t t;
    reply = answer;
    memset(request, 0, sizeof request);
    assert_int_equal(pthread_create(&t, NULL, serve_one, NULL), 0);
    int status = client_ask(r, address, "POST", "/x", "A: b\r\n", e);
    pthread_join(t, NULL);
    return status;
}

static void
an_answer_is_read(void **state)
{
    struct client_response r;
    struct err e;
    (void)state;
    assert_int_equal(ask(&r, "HTTP/1.1 404 Not\r\nContent-Length: 4\r\nX: y\r\n\r\nbody", &e), 404);
    assert_true(slice_eq(r.body, SLICE("body")));
    assert_true(slice_eq(fields_find_name(&r.head.fields, SLICE("x"))->value, SLICE("y")));
    client_fini(&r);
    has(request, "POST /x HTTP/1.1\r\n");
    has(request, "\r\nA: b\r\n");
    assert_int_equal(ask(&r, "HTTP/1.1 204 No\r\n\r\n", &e), 204);
    assert_int_equal(r.body.n, 0);
    client_fini(&r);
}

static void
what_is_no_answer_is_said(void **state)
{
    static const struct {
        const char *answer, *message;
    } rows[] = {
        { "", "closed" },
        { "SSH-2.0-x\r\n\r\n", "not HTTP" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", "not HTTP" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nbody", "broke off" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client_response r;
        struct err e = { 0 };
        assert_int_equal(ask(&r, rows[i].answer, &e), -1);
        has(e.text, rows[i].message);
        client_fini(&r);
    }
}

static void
nobody_there(void **state)
{
    struct client_response r;
    struct err e = { 0 };
    (void)state;
    assert_int_equal(client_ask(&r, "unix:/nonexistent/sock", "GET", "/", NULL, &e), -1);
    has(e.text, "nothing answers at unix:/nonexistent/sock");
    client_fini(&r);
    assert_int_equal(client_ask(&r, "what?", "GET", "/", NULL, &e), -1);
    client_fini(&r);
}

static int
setup(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    (void)state;
    listening = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listening, (struct sockaddr *)&a, len) != 0 || listen(listening, 4) != 0)
        return -1;
    getsockname(listening, (struct sockaddr *)&a, &len);
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(a.sin_port));
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read),
        cmocka_unit_test(what_is_no_answer_is_said),
        cmocka_unit_test(nobody_there),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
