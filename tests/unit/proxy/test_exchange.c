/* Exchanges over real sockets: what happens when something goes wrong at each step. */
#include "rig.h"

#include "../../../src/proxy/generation.h"
#include "../../../src/upstream/cluster_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define RETRY "retry { attempts 3; on reset 503 429; }"

/* One upstream `up` with what is given, and a route to it. */
#define ROUTE_TO(upstream, route) \
    "upstream up { endpoint @ORIGIN; " upstream " }\nroute / { proxy up; " route " }\n"

static struct rig rig;

static int
stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

static int
plain(void **state)
{
    (void)state;
    rig_start(&rig, ROUTE_TO("", ""));
    return 0;
}

static int
with_retry(void **state)
{
    (void)state;
    rig_start(&rig, ROUTE_TO(RETRY, "gate; timeout 3s;"));
    return 0;
}

static int
gated(void **state)
{
    (void)state;
    rig_start(&rig, ROUTE_TO("", "gate; timeout 300ms; max_body 10;"));
    return 0;
}

static void
one_more_works(void)
{
    int c = rig_client(&rig), o;
    put(c, GET);
    o = rig_accept(&rig);
    until(o, "\r\n\r\n");
    put(o, OK);
    has(until(c, "\r\n\r\nok"), "HTTP/1.1 200");
    close(c);
    close(o);
}

/* ---- the client leaves ---- */

static void
reset_it(int fd)
{
    struct linger l = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    close(fd);
}

static void
client_leaves_before_the_answer(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, GET);
    int o = rig_accept(&rig);
    until(o, "\r\n\r\n");
    close(c);
    assert_string_equal(rest(o), ""); /* the attempt is cancelled */
    close(o);
    one_more_works();
}

static void
client_leaves_in_the_middle_of_the_answer(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, GET);
    int o = rig_accept(&rig);
    until(o, "\r\n\r\n");
    put(o, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
    until(c, "begin");
    reset_it(c);
    put(o, "more");
    assert_string_equal(rest(o), "");
    close(o);
    one_more_works();
}

static void
client_leaves_in_the_middle_of_its_body(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nbegin");
    int o = rig_accept(&rig);
    until(o, "begin");
    close(c);
    assert_string_equal(rest(o), "");
    close(o);
    one_more_works();
}

static void
client_leaves_while_its_request_waits_for_a_connection(void **state)
{
    (void)state;
    rig_publish(&rig, ROUTE_TO("limits connections=1 pending=5 requests=10;", ""));
    int first = rig_client(&rig), second = rig_client(&rig);
    put(first, GET);
    int o = rig_accept(&rig);
    until(o, "\r\n\r\n");
    put(second, GET);
    assert_true(rig_nobody(&rig));
    close(second);
    put(o, OK);
    until(first, "\r\n\r\nok");
    close(first);
    close(o);
    one_more_works();
}

static void
client_leaves_while_a_policy_waits(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, "GET /x HTTP/1.1\r\nHost: h\r\nX-Gate: park\r\n\r\n");
    assert_true(rig_nobody(&rig));
    close(c);
    one_more_works();
}

/* ---- policies that wait ---- */

static void
a_broken_body_ends_the_wait_of_a_policy(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, "POST /x HTTP/1.1\r\nHost: h\r\nX-Gate: park\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_true(rig_nobody(&rig));
    put(c, "nonsense\r\n");
    has(rest(c), "HTTP/1.1 400");
    assert_true(rig_nobody(&rig)); /* the policy's timer would have gone on by now */
    close(c);
    one_more_works();
}

static void
a_large_body_ends_the_wait_of_a_policy(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, "POST /x HTTP/1.1\r\nHost: h\r\nX-Gate: park\r\nTransfer-Encoding: chunked\r\n\r\n");
    put(c, "b\r\n0123456789a\r\n");
    has(until(c, "}\n"), "\"reason\":\"body_too_large\"");
    assert_true(rig_nobody(&rig));
    close(c);
    one_more_works();
}

static void
the_deadline_ends_the_wait_of_a_policy(void **state)
{
    (void)state;
    rig_publish(&rig, ROUTE_TO("", "gate; timeout 20ms;"));
    int c = rig_client(&rig);
    put(c, "GET /x HTTP/1.1\r\nHost: h\r\nX-Gate: park\r\n\r\n");
    has(until(c, "}\n"), "HTTP/1.1 504");
    assert_true(rig_nobody(&rig));
    rig_publish(&rig, ROUTE_TO("", ""));
    put(c, GET); /* the connection is good */
    int o = rig_accept(&rig);
    until(o, "\r\n\r\n");
    put(o, OK);
    until(c, "\r\n\r\nok");
    close(c);
    close(o);
}

static void
a_policy_that_waited_goes_on(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, "POST /x HTTP/1.1\r\nHost: h\r\nX-Gate: nap\r\nContent-Length: 4\r\n\r\nbody");
    int o = rig_accept(&rig);
    has(until(o, "body"), "POST /x");
    put(o, OK);
    has(until(c, "\r\n\r\nok"), "X-Gate: seen");
    close(c);
    close(o);
}

static void
policies_decorate_every_refusal_of_their_route(void **state)
{
    (void)state;
    rig_publish(&rig, "upstream up { endpoint @ORIGIN; }\nroute / { proxy up; gate; methods GET; max_body 1; }\n");
    int c = rig_client(&rig);
    put(c, "PUT /x HTTP/1.1\r\nHost: h\r\n\r\n");
    const char *answer = until(c, "}\n");
    has(answer, "HTTP/1.1 405");
    has(answer, "Allow: GET, HEAD\r\n");
    has(answer, "X-Gate: seen");
    put(c, "GET /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
    answer = until(c, "}\n");
    has(answer, "HTTP/1.1 413");
    has(answer, "X-Gate: seen");
    close(c);
}

/* ---- bodies and caps ---- */

static void
a_body_that_grows_too_large_is_refused(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n");
    int o = rig_accept(&rig);
    until(o, "01234");
    put(c, "6\r\n56789a\r\n");
    has(until(c, "}\n"), "HTTP/1.1 413");
    rest(o);
    close(c);
    close(o);
}

static void
an_early_answer_goes_through_while_the_body_comes(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n01234");
    int o = rig_accept(&rig);
    until(o, "01234");
    put(o, "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno");
    has(until(c, "\r\n\r\nno"), "HTTP/1.1 401");
    assert_string_equal(rest(o), ""); /* what was not sent is not wanted */
    put(c, "56789");
    close(o);
    put(c, GET);
    o = rig_accept(&rig);
    until(o, "\r\n\r\n");
    put(o, OK);
    until(c, "\r\n\r\nok");
    close(c);
    close(o);
}

static void
an_answer_that_breaks_off_is_no_whole_one(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, GET);
    int o = rig_accept(&rig);
    until(o, "\r\n\r\n");
    put(o, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n");
    until(c, "begin");
    close(o);
    has_not(rest(c), "0\r\n\r\n");
    close(c);
    one_more_works();
}

static void
interim_answers_lose_their_hop_by_hop_fields(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, GET);
    int o = rig_accept(&rig);
    until(o, "\r\n\r\n");
    put(o, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n" OK);
    const char *answer = until(c, "\r\n\r\n");
    has(answer, "Link: </a>");
    has_not(answer, "X-Hop");
    until(c, "\r\n\r\nok");
    close(c);
    close(o);
}

/* ---- retries ---- */

static void
a_stale_connection_costs_nobody_an_error(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, GET);
    int o = rig_accept(&rig);
    until(o, "\r\n\r\n");
    put(o, OK);
    until(c, "\r\n\r\nok");
    put(c, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    until(o, "body"); /* on the same connection */
    close(o);
    o = rig_accept(&rig);
    has(until(o, "body"), "Content-Length: 4\r\n");
    put(o, OK);
    has(until(c, "\r\n\r\nok"), "HTTP/1.1 200");
    close(c);
    close(o);
}

static void
a_post_that_arrived_is_not_sent_again(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    int o = rig_accept(&rig);
    until(o, "body");
    close(o);
    has(until(c, "}\n"), "HTTP/1.1 502");
    assert_true(rig_nobody(&rig));
    close(c);
}

static void
a_body_that_still_comes_is_sent_again_from_its_start(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n");
    int o = rig_accept(&rig);
    until(o, "01234");
    close(o);
    o = rig_accept(&rig);
    has(until(o, "01234"), "PUT /x");
    put(c, "5\r\n56789\r\n0\r\n\r\n");
    until(o, "56789\r\n0\r\n\r\n");
    put(o, OK);
    has(until(c, "\r\n\r\nok"), "HTTP/1.1 200");
    close(c);
    close(o);
}

static void
a_body_beyond_the_replay_buffer_is_not_repeated(void **state)
{
    (void)state;
    static char body[70001];
    int c = rig_client(&rig);
    memset(body, 'b', 70000);
    put(c, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n");
    put(c, body);
    int o = rig_accept(&rig);
    until(o, body);
    close(o);
    has(until(c, "}\n"), "\"reason\":\"upstream_reset\"");
    assert_true(rig_nobody(&rig));
    close(c);
}

static void
a_body_that_fills_the_replay_buffer_is_repeated_whole(void **state)
{
    (void)state;
    static char body[65537];
    int c = rig_client(&rig);
    for (int i = 0; i < 65536; i++)
        body[i] = (char)('a' + i * 7 % 26);
    put(c, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n");
    /* In pieces of odd sizes, so that it lies in more than a few chunks. */
    for (size_t at = 0, n = 4097; at < 65536; at += n) {
        n = n < 65536 - at ? n : 65536 - at;
        assert_int_equal(send(c, body + at, n, MSG_NOSIGNAL), n);
    }
    int o = rig_accept(&rig);
    until(o, body);
    close(o);
    o = rig_accept(&rig);
    until(o, body);
    put(o, OK);
    has(until(c, "\r\n\r\nok"), "HTTP/1.1 200");
    close(c);
    close(o);
}

static void
a_listed_status_is_tried_again_also_below_500(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, GET);
    int o = rig_accept(&rig);
    until(o, "\r\n\r\n");
    put(o, "HTTP/1.1 429 Later\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    close(o);
    o = rig_accept(&rig);
    until(o, "\r\n\r\n");
    put(o, OK);
    has(until(c, "\r\n\r\nok"), "HTTP/1.1 200");
    close(c);
    close(o);
}

static void
a_retry_that_a_policy_refuses_gives_its_budget_back(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        int c = rig_client(&rig);
        put(c, "GET /x HTTP/1.1\r\nHost: h\r\nX-Gate: once\r\n\r\n");
        int o = rig_accept(&rig);
        until(o, "\r\n\r\n");
        put(o, "HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        has(until(c, "}\n"), "\"reason\":\"gate_closed\"");
        close(c);
        close(o);
    }
    /* The client has its answer a moment before the worker has done with the exchange. */
    struct cluster_state *st = rig.g->targets[0]->cluster->state;
    for (int i = 0; i < 5000 && (st->retries || st->requests); i++)
        usleep(1000);
    assert_int_equal(st->retries, 0);
    assert_int_equal(st->requests, 0);
}

/* ---- tunnels ---- */

#define UPGRADE "GET /x HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: first, second\r\n\r\n"
#define SWITCH "HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: second\r\n\r\n"

static void
open_tunnel(int *c, int *o)
{
    *c = rig_client(&rig);
    put(*c, UPGRADE);
    *o = rig_accept(&rig);
    has(until(*o, "\r\n\r\n"), "Upgrade: first, second\r\n");
    put(*o, SWITCH "along");
    has(until(*c, "along"), "Upgrade: second\r\n");
}

static void
a_tunnel_carries_bytes_both_ways(void **state)
{
    (void)state;
    int c, o;
    open_tunnel(&c, &o);
    put(c, "hello");
    until(o, "hello");
    put(o, "world");
    until(c, "world");
    close(c);
    assert_string_equal(rest(o), "");
    close(o);
}

static void
a_client_may_end_its_side_of_a_tunnel(void **state)
{
    (void)state;
    int c, o;
    open_tunnel(&c, &o);
    put(c, "last");
    shutdown(c, SHUT_WR);
    assert_string_equal(rest(o), "last");
    put(o, "still there");
    close(o);
    assert_string_equal(rest(c), "still there");
    close(c);
}

static void
an_origin_may_end_its_side_of_a_tunnel(void **state)
{
    (void)state;
    int c, o;
    open_tunnel(&c, &o);
    put(o, "last");
    shutdown(o, SHUT_WR);
    assert_string_equal(rest(c), "last");
    put(c, "still ");
    until(o, "still ");
    put(c, "there");
    shutdown(c, SHUT_WR); /* with its end in the same turn */
    assert_string_equal(rest(o), "there");
    close(c);
    close(o);
    one_more_works();
}

static void
a_switch_before_the_end_of_the_request_is_none(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, "POST /x HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: u\r\nContent-Length: 9\r\n\r\nbegin");
    int o = rig_accept(&rig);
    until(o, "begin");
    put(o, "HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: u\r\n\r\n");
    has(until(c, "}\n"), "\"reason\":\"upstream_bad_response\"");
    close(c);
    close(o);
}

static void
an_origin_switches_to_what_was_offered_or_not_at_all(void **state)
{
    (void)state;
    int c = rig_client(&rig), o;
    put(c, UPGRADE);
    o = rig_accept(&rig);
    until(o, "\r\n\r\n");
    put(o, "HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: second, h2c\r\n\r\n");
    has(until(c, "}\n"), "\"reason\":\"upstream_bad_response\"");
    close(c);
    close(o);
}

static void
http2_is_not_reached_by_upgrade(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: foo, H2C\r\n\r\n");
    int o = rig_accept(&rig);
    has_not(until(o, "\r\n\r\n"), "pgrade");
    put(o, OK);
    until(c, "\r\n\r\nok");
    close(c);
    close(o);
}

/* ---- answers of weir's own ---- */

static void
options_for_the_gateway_are_answered_by_it(void **state)
{
    (void)state;
    int c = rig_client(&rig);
    put(c, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    const char *answer = until(c, "\r\n\r\n");
    has(answer, "HTTP/1.1 204");
    has(answer, "Allow: GET, HEAD, POST");
    put(c, "OPTIONS /x HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n");
    has(until(c, "\r\n\r\n"), "HTTP/1.1 204");
    put(c, "OPTIONS /x HTTP/1.1\r\nHost: h\r\nMax-Forwards: 3\r\n\r\n");
    int o = rig_accept(&rig);
    has(until(o, "\r\n\r\n"), "Max-Forwards: 2\r\n");
    put(o, OK);
    until(c, "\r\n\r\nok");
    put(c, "TRACE /x HTTP/1.1\r\nHost: h\r\n\r\n");
    answer = until(c, "}\n");
    has(answer, "HTTP/1.1 405");
    has(answer, "Allow: GET");
    close(c);
    close(o);
}

static void
a_full_upstream_says_when_to_come_again(void **state)
{
    (void)state;
    rig_publish(&rig, ROUTE_TO("limits requests=1;", ""));
    int first = rig_client(&rig), second = rig_client(&rig);
    put(first, GET);
    int o = rig_accept(&rig);
    until(o, "\r\n\r\n");
    put(second, GET);
    const char *answer = until(second, "}\n");
    has(answer, "\"reason\":\"overflow_requests\"");
    has(answer, "Retry-After: 1\r\n");
    close(first);
    close(second);
    close(o);
}

static void
head_gets_the_head_alone(void **state)
{
    (void)state;
    static const struct {
        const char *ask, *answer, *has, *has_not;
    } cases[] = {
        { "HEAD", "200 OK\r\nTransfer-Encoding: chunked", "200", "Content-Length" },
        { "HEAD", "200 OK\r\nContent-Length: 7", "Content-Length: 7\r\n", "chunked" },
        { "GET", "304 Same\r\nContent-Length: 9", "Content-Length: 9\r\n", "chunked" },
    };
    int c = rig_client(&rig);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put(c, cases[i].ask);
        put(c, " /x HTTP/1.1\r\nHost: h\r\n\r\n");
        int o = rig_accept(&rig);
        until(o, "\r\n\r\n");
        put(o, "HTTP/1.1 ");
        put(o, cases[i].answer);
        put(o, "\r\n\r\n");
        const char *got = until(c, "\r\n\r\n");
        has(got, cases[i].has);
        has_not(got, cases[i].has_not);
        close(o); /* it rests for a while: the next one comes on another */
    }
    close(c);
}

/* ---- generations ---- */

static void
an_exchange_keeps_its_generation(void **state)
{
    (void)state;
    int c = rig_client(&rig), idle = rig_client(&rig);
    put(c, GET);
    int o = rig_accept(&rig);
    until(o, "\r\n\r\n");
    for (int i = 0; i < 20; i++)
        rig_publish(&rig, i % 2 ? ROUTE_TO("", "") : "route / { respond 200 new; }\n");
    for (int i = 0; i < 1000 && rig.freed < 19; i++)
        rig_turn(&rig);
    assert_int_equal(rig.freed, 19); /* all but the one that is used */
    put(idle, GET); /* a connection that was there before follows */
    int o2 = rig_accept(&rig);
    until(o2, "\r\n\r\n");
    put(o2, OK);
    until(idle, "\r\n\r\nok");
    put(o, OK);
    until(c, "\r\n\r\nok");
    for (int i = 0; i < 1000 && rig.freed < 20; i++)
        rig_turn(&rig);
    assert_int_equal(rig.freed, 20);
    assert_null(generation_retired());
    close(c);
    close(idle);
    close(o);
    close(o2);
}

#define ON(setup, test) cmocka_unit_test_setup_teardown(test, setup, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON(plain, client_leaves_before_the_answer),
        ON(plain, client_leaves_in_the_middle_of_the_answer),
        ON(plain, client_leaves_in_the_middle_of_its_body),
        ON(plain, client_leaves_while_its_request_waits_for_a_connection),
        ON(gated, client_leaves_while_a_policy_waits),
        ON(gated, a_broken_body_ends_the_wait_of_a_policy),
        ON(gated, a_large_body_ends_the_wait_of_a_policy),
        ON(gated, the_deadline_ends_the_wait_of_a_policy),
        ON(gated, a_policy_that_waited_goes_on),
        ON(gated, policies_decorate_every_refusal_of_their_route),
        ON(gated, a_body_that_grows_too_large_is_refused),
        ON(plain, an_early_answer_goes_through_while_the_body_comes),
        ON(plain, an_answer_that_breaks_off_is_no_whole_one),
        ON(plain, interim_answers_lose_their_hop_by_hop_fields),
        ON(plain, a_stale_connection_costs_nobody_an_error),
        ON(with_retry, a_post_that_arrived_is_not_sent_again),
        ON(with_retry, a_body_that_still_comes_is_sent_again_from_its_start),
        ON(with_retry, a_body_beyond_the_replay_buffer_is_not_repeated),
        ON(with_retry, a_body_that_fills_the_replay_buffer_is_repeated_whole),
        ON(with_retry, a_listed_status_is_tried_again_also_below_500),
        ON(with_retry, a_retry_that_a_policy_refuses_gives_its_budget_back),
        ON(plain, a_tunnel_carries_bytes_both_ways),
        ON(plain, a_client_may_end_its_side_of_a_tunnel),
        ON(plain, an_origin_may_end_its_side_of_a_tunnel),
        ON(plain, a_switch_before_the_end_of_the_request_is_none),
        ON(plain, an_origin_switches_to_what_was_offered_or_not_at_all),
        ON(plain, http2_is_not_reached_by_upgrade),
        ON(plain, options_for_the_gateway_are_answered_by_it),
        ON(plain, a_full_upstream_says_when_to_come_again),
        ON(plain, head_gets_the_head_alone),
        ON(plain, an_exchange_keeps_its_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
