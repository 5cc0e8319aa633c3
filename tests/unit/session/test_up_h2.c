#include "../../../src/session/up_h2_impl.h"
#include "frames.h"

#define STREAMS 4 /* at a time, as the origin says */
#define MOST 700  /* in a test */

struct owner {
    struct up_stream *s; /* NULL: released */
    unsigned got;        /* bytes of its body */
    unsigned writable;
};

struct fx {
    struct loop *loop;
    struct up_session *u; /* NULL once on_closed came */
    struct arena arena;
    struct owner owners[MOST];
    unsigned n;
    struct strbuf log;  /* "0 head 200;0 end;" ..., by the number of the owner */
    bool lazy;          /* nothing is taken of bodies */
    bool hold;          /* a stream that has ended is not released */
    bool again;         /* a request that fails goes again, from where its owner hears of it */
    bool close_at_last; /* the session is closed when the last stream is released */
    unsigned released, closed;
};

static struct fx *fx;

/* ------------------------------------------------------------------ owners of streams */

static unsigned
number(const struct owner *o)
{
    return (unsigned)(o - fx->owners);
}

static void
release(unsigned i)
{
    struct up_stream *s = fx->owners[i].s;

    fx->owners[i].s = NULL;
    s->ops->release(s);
}

static void
on_interim(struct up_stream *s, const struct http_response *r)
{
    strbuf_addf(&fx->log, "%u interim %d;", number(s->user), r->status);
}

static void
on_body(struct up_stream *s)
{
    struct owner *o = s->user;

    assert_true(s->in.len <= s->in.cap);
    if (fx->lazy && !s->in_end)
        return;
    o->got += (unsigned)s->in.len;
    iobuf_consume(&s->in, s->in.len);
    s->ops->consumed(s);
    if (!s->in_end)
        return;
    strbuf_addf(&fx->log, "%u end %u;", number(o), o->got);
    for (unsigned i = 0; i < s->trailers.n; i++)
        strbuf_addf(&fx->log, "%.*s=%.*s;", SLICE_FMT(s->trailers.v[i].name), SLICE_FMT(s->trailers.v[i].value));
    if (!fx->hold)
        release(number(o));
}

static void
on_head(struct up_stream *s)
{
    strbuf_addf(&fx->log, "%u head %d;", number(s->user), s->res.status);
    if (s->res.status == 101)
        s->ops->upgraded(s);
    else if (s->in.len || s->in_end)
        on_body(s);
}

static void
on_writable(struct up_stream *s)
{
    assert_true(s->ops->room(s) > 0);
    ((struct owner *)s->user)->writable++;
}

static void get(const char *path);

static void
on_error(struct up_stream *s, enum up_error error, const char *detail)
{
    static const char *const names[] = { "closed_early", "reset", "bad_response", "head_too_large" };

    assert_non_null(detail);
    strbuf_addf(&fx->log, "%u error %s%s%s;", number(s->user), names[error], s->reused ? " reused" : "",
                s->wrote ? "" : " unwritten");
    release(number(s->user));
    if (fx->again && up_room(fx->u)) {
        fx->again = false;
        get("/again");
    }
}

static const struct up_events events = { on_interim, on_head, on_body, on_writable, on_error };

/* ------------------------------------------------------------------ the owner of the session */

static void
on_released(struct up_session *u, unsigned n, void *arg)
{
    fx->released += n;
    assert_int_equal(fx->released + up_streams(u), fx->n);
    if (fx->close_at_last && !up_streams(u)) {
        up_close(u);
        fx->u = NULL;
    }
}

static void
on_closed(struct up_session *u, void *arg)
{
    assert_int_equal(fx->released, fx->n);
    fx->closed++;
    fx->u = NULL;
}

static const struct up_session_events session_events = { on_released, on_closed };

/* ------------------------------------------------------------------ requests */

static struct owner *
ask(enum http_method method, const char *path, struct body_framing body, struct slice upgrade)
{
    struct http_request r = { .version = HTTP_1_1, .method = method, .upgrade = upgrade };
    struct owner *o = &fx->owners[fx->n++];

    r.method_text = slice_str(method_name(method));
    fields_init(&r.fields, &fx->arena);
    fields_add_id(&r.fields, FIELD_HOST, SLICE("o.example"));
    if (upgrade.n)
        fields_add_id(&r.fields, FIELD_SEC_WEBSOCKET_KEY, SLICE("dGhlIHNhbXBsZSBub25jZQ=="));
    o->s = up_open(fx->u, &fx->arena, 65536);
    o->s->events = &events;
    o->s->user = o;
    o->s->ops->request(o->s, &r, slice_str(path), body);
    return o;
}

static void
get(const char *path)
{
    ask(METHOD_GET, path, (struct body_framing){ BODY_NONE, 0 }, SLICE_NONE);
}

static struct owner *
post(const char *path)
{
    return ask(METHOD_POST, path, (struct body_framing){ BODY_CHUNKED, 0 }, SLICE_NONE);
}

static struct owner *
websocket(const char *path)
{
    return ask(METHOD_GET, path, (struct body_framing){ BODY_NONE, 0 }, SLICE("websocket"));
}

static void
send_bytes(struct owner *o, size_t n)
{
    char *some = xcalloc(1, n);
    struct iobuf b;

    iobuf_init(&b, SIZE_MAX);
    iobuf_add(&b, some, n);
    o->s->ops->send(o->s, &b, n);
    free(some);
}

/* ------------------------------------------------------------------ the origin */

static void
answer(int stream, const char *status, bool end)
{
    const char *pairs[] = { ":status", status, NULL };

    head_frame(stream, end, pairs);
}

static void
setting(int id, unsigned value)
{
    const char bytes[6] = { 0, (char)id, (char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value };

    frame(NGHTTP2_SETTINGS, 0, 0, bytes, sizeof(bytes));
}

static void
goaway(unsigned last, unsigned code)
{
    const char bytes[8] = {
        (char)(last >> 24), (char)(last >> 16), (char)(last >> 8), (char)last, 0, 0, 0, (char)code
    };

    frame(NGHTTP2_GOAWAY, 0, 0, bytes, sizeof(bytes));
}

static void
expect_log(const char *text)
{
    expect_in(fx->loop, &fx->log, text);
}

static void
assert_log(const char *text)
{
    assert_string_equal(fx->log.p ? fx->log.p : "", text);
}

static unsigned
count_got(const char *text)
{
    unsigned n = 0;

    for (const char *p = far.got.p; p && (p = strstr(p, text)); p++)
        n++;
    return n;
}

static bool
is_settled(void *arg)
{
    parse();
    return count_got("SETTINGS 0 ack;") == *(unsigned *)arg;
}

/* So many SETTINGS of the origin are acknowledged. */
static void
expect_settled(unsigned n)
{
    assert_true(run_until(fx->loop, is_settled, &n));
}

static bool
is_closed(void *arg)
{
    return !fx->u;
}

/* ------------------------------------------------------------------ fixture */

static const struct h1_limits limits = { 1024, 100000, 200000, 50 };

static void
open_session(unsigned untold)
{
    fx->u = up_h2_new(far_open(fx->loop), &limits, untold, &session_events, NULL);
    far.parsed = 24; /* the preface */
}

static int
setup(void **state)
{
    fx = xcalloc(1, sizeof(*fx));
    fx->loop = loop_new("test");
    strbuf_init(&fx->log, 1 << 20);
    arena_init(&fx->arena);
    return 0;
}

/* Its origin's SETTINGS are known. */
static int
setup_settled(void **state)
{
    setup(state);
    open_session(0);
    setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS);
    frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "", 0);
    flush();
    expect("SETTINGS 0 ack;");
    return 0;
}

static int
teardown(void **state)
{
    for (unsigned i = 0; i < fx->n; i++)
        if (fx->owners[i].s)
            release(i);
    run_for(fx->loop, NSEC_PER_MSEC);
    if (fx->u)
        up_close(fx->u);
    assert_int_equal(fx->released, fx->n);
    run_for(fx->loop, NSEC_PER_MSEC);
    far_close();
    run_for(fx->loop, NSEC_PER_MSEC);
    strbuf_fini(&fx->log);
    arena_fini(&fx->arena);
    loop_free(fx->loop);
    free(fx);
    arena_thread_fini();
    iobuf_thread_fini();
    return 0;
}

/* ------------------------------------------------------------------ exchanges */

static void
many_at_a_time(void **state)
{
    assert_int_equal(up_room(fx->u), STREAMS);
    get("/a");
    get("/b");
    assert_int_equal(up_room(fx->u), STREAMS - 2);
    expect("HEADERS 1 end :method=GET :scheme=http :authority=o.example :path=/a;");
    expect("HEADERS 3 end :method=GET :scheme=http :authority=o.example :path=/b;");
    answer(3, "200", false);
    answer(1, "204", true);
    frame(NGHTTP2_DATA, 1, 3, "hello", 5);
    flush();
    expect_log("0 end 0;");
    assert_log("1 head 200;1 end 5;0 head 204;0 end 0;");
    assert_false(fx->closed);
    get("/c");
    assert_true(fx->owners[2].s->reused);
    expect("HEADERS 5 end");
    assert_null(strstr(far.got.p, "RST"));
}

static void
interims_bodies_and_trailers(void **state)
{
    static const char *const sum[] = { "x-sum", "7", NULL };
    struct owner *o = post("/");
    struct fields trailers;

    fields_init(&trailers, &fx->arena);
    fields_add(&trailers, SLICE("X-Check"), SLICE("1"));
    send_bytes(o, 5);
    o->s->ops->end(o->s, &trailers);
    expect("HEADERS 1 :method=POST");
    expect("DATA 1 5;HEADERS 1 end x-check=1;");
    answer(1, "103", false);
    answer(1, "103", false);
    answer(1, "200", false);
    frame(NGHTTP2_DATA, 0, 1, "ok", 2);
    head_frame(1, true, sum);
    flush();
    expect_log("x-sum=7;");
    assert_log("0 interim 103;0 interim 103;0 head 200;0 end 2;x-sum=7;");
}

/* What its reader does not take stays within its window; the others go on. */
static void
a_reader_that_takes_nothing_stops_its_stream_alone(void **state)
{
    static const char some[16384];

    fx->lazy = true;
    get("/lazy");
    expect("HEADERS 1");
    answer(1, "200", false);
    for (int i = 0; i < 4; i++)
        frame(NGHTTP2_DATA, 0, 1, some, sizeof(some));
    flush();
    expect_log("0 head 200;");
    fx->lazy = false;
    get("/b");
    expect("HEADERS 3");
    answer(3, "200", false);
    frame(NGHTTP2_DATA, 1, 3, some, sizeof(some));
    flush();
    expect_log("1 end 16384;");
    assert_null(strstr(far.got.p, "WINDOW 1;"));
    on_body(fx->owners[0].s);
    assert_int_equal(fx->owners[0].got, 65536);
    expect("WINDOW 1;");
}

static void
an_origin_without_window_stops_its_writer(void **state)
{
    struct owner *o = post("/");

    send_bytes(o, 65535);
    send_bytes(o, 65536);
    assert_int_equal(o->s->ops->room(o->s), 0);
    expect("HEADERS 1");
    run_for(fx->loop, 5 * NSEC_PER_MSEC);
    assert_int_equal(o->writable, 0);
    number_frame(NGHTTP2_WINDOW_UPDATE, 0, 40000);
    number_frame(NGHTTP2_WINDOW_UPDATE, 1, 40000);
    flush();
    run_for(fx->loop, 5 * NSEC_PER_MSEC);
    assert_int_equal(o->writable, 1);
}

static void
get_with_a_large_head(void)
{
    struct http_request r = { .version = HTTP_1_1, .method = METHOD_GET, .method_text = SLICE("GET") };
    struct owner *o = &fx->owners[fx->n++];
    char *value = xcalloc(1, 60001);

    memset(value, '~', 60000);
    fields_init(&r.fields, &fx->arena);
    fields_add_id(&r.fields, FIELD_HOST, SLICE("o.example"));
    fields_add(&r.fields, SLICE("X-A"), slice_str(value));
    fields_add(&r.fields, SLICE("X-B"), slice_str(value));
    o->s = up_open(fx->u, &fx->arena, 65536);
    o->s->events = &events;
    o->s->user = o;
    o->s->ops->request(o->s, &r, SLICE("/"), (struct body_framing){ BODY_NONE, 0 });
    free(value);
}

/* Nothing on the wire says how large it may be but the origin itself. */
static void
a_large_head_goes(void **state)
{
    get_with_a_large_head();
    expect("~~~;");
    answer(1, "204", true);
    flush();
    expect_log("0 end 0;");
}

/* ------------------------------------------------------------------ how many */

static void
fewer_than_are_open(void **state)
{
    for (int i = 0; i < 3; i++)
        get("/");
    expect("HEADERS 5");
    setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
    flush();
    expect_settled(2);
    assert_int_equal(up_most(fx->u), 1);
    assert_int_equal(up_room(fx->u), 0);
    answer(1, "204", true);
    answer(3, "204", true);
    flush();
    expect_log("1 end 0;");
    assert_int_equal(up_room(fx->u), 0);
    answer(5, "204", true);
    flush();
    expect_log("2 end 0;");
    run_for(fx->loop, NSEC_PER_MSEC);
    assert_int_equal(up_room(fx->u), 1);
    assert_false(fx->closed);
}

/* Those that it does not take may go elsewhere. */
static void
more_than_the_origin_wants_of_a_new_connection(void **state)
{
    open_session(600);
    for (int i = 0; i < 600; i++)
        get("/");
    setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
    flush();
    expect("SETTINGS 0 ack;");
    expect("HEADERS 1 ");
    expect_log("599 error closed_early reused unwritten;");
    assert_int_equal(up_streams(fx->u), 1);
    answer(1, "204", true);
    flush();
    expect_log("0 end 0;");
    assert_int_equal(count_got("HEADERS"), 1);
    run_for(fx->loop, NSEC_PER_MSEC);
    assert_int_equal(up_room(fx->u), 1);
    get("/");
    expect("HEADERS 1201 ");
}

/* Nor is one that is half in frames: the origin gets it. */
static void
what_has_gone_does_not_go_elsewhere(void **state)
{
    char told[60], gone[20];
    unsigned both = 0, away = 0;

    open_session(0);
    strbuf_addc(&fx->log, ';');
    far.w.paused = true;
    for (int i = 0; i < 12; i++)
        get_with_a_large_head();
    run_for(fx->loop, 5 * NSEC_PER_MSEC);
    setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
    flush();
    run_for(fx->loop, 5 * NSEC_PER_MSEC);
    far.w.paused = false;
    expect("SETTINGS 0 ack;");
    run_for(fx->loop, 20 * NSEC_PER_MSEC);
    parse();
    for (unsigned i = 0; i < 12; i++) {
        snprintf(told, sizeof(told), ";%u error closed_early reused unwritten;", i);
        snprintf(gone, sizeof(gone), "HEADERS %u ", 2 * i + 1);
        away += strstr(fx->log.p, told) != NULL;
        both += strstr(fx->log.p, told) && strstr(far.got.p, gone);
    }
    assert_true(away > 0);
    assert_int_equal(both, 0);
}

static void
goaway_instead_of_settings_that_admit(void **state)
{
    open_session(0);
    frame(NGHTTP2_SETTINGS, 0, 0, "", 0);
    goaway(0, 0);
    flush();
    get("/");
    websocket("/");
    expect_log("1 error closed_early reused unwritten;");
    assert_true(fx->owners[0].s == NULL && fx->n == 2);
    assert_true(run_until(fx->loop, is_closed, NULL));
}

static void
ids_run_out(void **state)
{
    struct up_h2 *u = (struct up_h2 *)fx->u;

    assert_int_equal(nghttp2_session_set_next_stream_id(u->ng, INT32_MAX), 0);
    get("/last");
    expect("HEADERS 65535 end");
    assert_int_equal(up_room(fx->u), 0);
    get("/one-more"); /* by an owner who did not ask for room */
    expect_log("1 error closed_early reused unwritten;");
    answer(INT32_MAX, "204", true);
    flush();
    expect_log("0 end 0;");
    assert_true(run_until(fx->loop, is_closed, NULL));
}

/* ------------------------------------------------------------------ ends */

/* In any order, between turns and inside callbacks. */
static void
released_in_any_order(void **state)
{
    for (int i = 0; i < 4; i++)
        get("/");
    expect("HEADERS 7");
    release(2);
    release(0);
    expect("RST 5 8;");
    expect("RST 1 8;");
    answer(1, "200", true); /* crossed the reset */
    answer(7, "204", true);
    answer(3, "204", true);
    flush();
    expect_log("1 end 0;");
    assert_log("3 head 204;3 end 0;1 head 204;1 end 0;");
    run_for(fx->loop, NSEC_PER_MSEC);
    assert_int_equal(fx->released, 4);
    assert_int_equal(up_room(fx->u), STREAMS);
}

static void
closed_from_where_its_owner_hears_of_the_last(void **state)
{
    fx->close_at_last = true;
    get("/");
    get("/");
    expect("HEADERS 3");
    release(1);
    answer(1, "204", true);
    flush();
    assert_true(run_until(fx->loop, is_closed, NULL));
    assert_int_equal(fx->closed, 0);
    run_for(fx->loop, NSEC_PER_MSEC);
}

static void
a_refused_request_goes_again_from_inside(void **state)
{
    fx->again = true;
    get("/first");
    expect("HEADERS 1");
    number_frame(NGHTTP2_RST_STREAM, 1, NGHTTP2_REFUSED_STREAM);
    flush();
    expect("HEADERS 3 end :method=GET :scheme=http :authority=o.example :path=/again;");
    assert_log("0 error closed_early reused unwritten;");
    answer(3, "204", true);
    flush();
    expect_log("1 end 0;");
}

static void
a_lost_connection(void **state)
{
    struct owner *o;

    fx->again = true; /* there is no room to do so */
    get("/a");
    get("/b");
    o = post("/c");
    expect("HEADERS 5");
    answer(1, "200", false);
    answer(3, "204", true);
    flush();
    expect_log("1 end 0;");
    wire_fin(&far.w);
    expect_log("2 error closed_early;");
    assert_true(run_until(fx->loop, is_closed, NULL));
    assert_log("0 head 200;1 head 204;1 end 0;0 error reset;2 error closed_early;");
    assert_null(o->s);
    assert_int_equal(fx->closed, 1);
}

static void
a_lost_connection_whose_answers_are_complete(void **state)
{
    fx->lazy = true;
    get("/a");
    expect("HEADERS 1");
    answer(1, "200", false);
    frame(NGHTTP2_DATA, 1, 1, "all", 3);
    flush();
    fx->lazy = false;
    expect_log("0 head 200;");
    wire_fin(&far.w);
    assert_true(run_until(fx->loop, is_closed, NULL));
    assert_log("0 head 200;0 end 3;");
}

static void
goaway_tells_which_went_unseen(void **state)
{
    for (int i = 0; i < 3; i++)
        get("/");
    expect("HEADERS 5");
    goaway(3, 0);
    flush();
    expect_log("2 error closed_early reused unwritten;");
    assert_int_equal(up_room(fx->u), 0);
    answer(1, "204", true);
    flush();
    expect_log("0 end 0;");
    assert_false(fx->closed);
    goaway(1, 0); /* it has changed its mind */
    flush();
    expect_log("1 error closed_early reused unwritten;");
    assert_true(run_until(fx->loop, is_closed, NULL));
}

static void
goaway_before_any_request(void **state)
{
    goaway(0, 0);
    flush();
    assert_true(run_until(fx->loop, is_closed, NULL));
    assert_int_equal(fx->closed, 1);
}

/* Of one who promised what does not come, the origin learns that it is not the end. */
static void
less_than_was_promised(void **state)
{
    struct owner *o = ask(METHOD_POST, "/", (struct body_framing){ BODY_LENGTH, 5 }, SLICE_NONE);

    send_bytes(o, 3);
    expect("DATA 1 3;");
    o->s->ops->end(o->s, NULL);
    expect("RST 1 2;");
    expect_log("0 error reset;");
    assert_int_equal(count_got("end"), 0);
    o = ask(METHOD_POST, "/", (struct body_framing){ BODY_LENGTH, 5 }, SLICE_NONE);
    send_bytes(o, 6);
    expect_log("1 error reset");
}

/* ------------------------------------------------------------------ tunnels */

static void
a_tunnel_waits_for_settings(void **state)
{
    struct owner *o;

    open_session(0);
    o = websocket("/chat");
    get("/beside");
    expect("HEADERS 1 end :method=GET :scheme=http :authority=o.example :path=/beside;");
    assert_int_equal(count_got("CONNECT"), 0);
    setting(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
    flush();
    expect("HEADERS 3 :method=CONNECT :scheme=http :authority=o.example :path=/chat :protocol=websocket;");
    answer(3, "200", false);
    frame(NGHTTP2_DATA, 0, 3, "hi", 2);
    flush();
    expect_log("0 head 101;");
    assert_string_equal(fields_value(&o->s->res.fields, FIELD_SEC_WEBSOCKET_ACCEPT).p, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    send_bytes(o, 3);
    expect("DATA 3 3;");
    frame(NGHTTP2_DATA, 1, 3, "", 0);
    flush();
    expect_log("0 end 2;");
}

static void
a_tunnel_is_given_up_before_settings(void **state)
{
    open_session(0);
    websocket("/a");
    websocket("/b");
    release(0);
    run_for(fx->loop, NSEC_PER_MSEC);
    setting(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
    flush();
    expect("HEADERS 1 :method=CONNECT");
    assert_int_equal(count_got("HEADERS"), 1);
    assert_int_equal(fx->released, 1);
}

static void
a_tunnel_whose_connection_is_lost_before_settings(void **state)
{
    open_session(0);
    websocket("/a");
    run_for(fx->loop, NSEC_PER_MSEC);
    wire_fin(&far.w);
    expect_log("0 error closed_early unwritten;");
    assert_true(run_until(fx->loop, is_closed, NULL));
}

/* Those that the origin does not take at the same time may go elsewhere. */
static void
more_tunnels_than_the_origin_takes(void **state)
{
    open_session(0);
    for (int i = 0; i < 3; i++)
        websocket("/");
    setting(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
    setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2);
    flush();
    expect("HEADERS 3 ");
    expect_log("2 error closed_early reused unwritten;");
    assert_log("2 error closed_early reused unwritten;");
}

/* As servers do that want nothing more after their own end: what came before the reset is not lost. */
static void
a_tunnel_that_is_reset_behind_its_end(void **state)
{
    struct owner *o;

    setting(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
    flush();
    expect_settled(2);
    fx->hold = true;
    o = websocket("/");
    expect("HEADERS 1 ");
    answer(1, "200", false);
    flush();
    expect_log("0 head 101;");
    frame(NGHTTP2_DATA, 1, 1, "bye", 3);
    number_frame(NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
    flush();
    expect_log("0 head 101;0 end 3;");
    send_bytes(o, 100000); /* goes nowhere */
    assert_true(o->s->ops->room(o->s) > 0);
    o->s->ops->end(o->s, NULL);
    run_for(fx->loop, NSEC_PER_MSEC);
    assert_log("0 head 101;0 end 3;");
}

static void
a_request_without_a_host(void **state)
{
    struct http_request r = { .version = HTTP_1_0, .method = METHOD_GET, .method_text = SLICE("GET") };
    struct owner *o = &fx->owners[fx->n++];

    fields_init(&r.fields, &fx->arena);
    o->s = up_open(fx->u, &fx->arena, 65536);
    o->s->events = &events;
    o->s->user = o;
    o->s->ops->request(o->s, &r, SLICE("/"), (struct body_framing){ BODY_NONE, 0 });
    expect("HEADERS 1 end :method=GET :scheme=http :path=/;");
}

static void
a_request_with_a_body_is_no_handshake(void **state)
{
    struct owner *o;

    setting(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
    flush();
    expect_settled(2);
    o = ask(METHOD_GET, "/", (struct body_framing){ BODY_LENGTH, 3 }, SLICE("websocket"));
    send_bytes(o, 3);
    o->s->ops->end(o->s, NULL);
    expect("DATA 1 3 end;");
    assert_int_equal(count_got("CONNECT"), 0);
}

/* ------------------------------------------------------------------ origins that do not read, and silent ones */

/* As if it had waited for two seconds, in which nothing was heard. */
static void
wait_in_vain(unsigned i)
{
    ((struct up_h2 *)fx->u)->heard = 0;
    ((struct up_h2_stream *)fx->owners[i].s)->asked_at -= 2 * NSEC_PER_SEC;
}

static void
a_silent_origin_is_asked(void **state)
{

    get("/a");
    get("/b");
    expect("HEADERS 3");
    run_for(fx->loop, NSEC_PER_MSEC);
    wait_in_vain(0);
    release(0);
    expect("PING 0;");
    assert_int_equal(up_room(fx->u), 0);
    frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "are you?", 8);
    flush();
    run_for(fx->loop, NSEC_PER_MSEC);
    assert_int_equal(up_room(fx->u), STREAMS - 1);
    wait_in_vain(1);
    get("/c");
    expect("HEADERS 5");
    release(1);
    expect_log("2 error closed_early reused;"); /* a second later */
    assert_true(run_until(fx->loop, is_closed, NULL));
}

static void
settings_that_never_come(void **state)
{
    open_session(0);
    websocket("/");
    run_for(fx->loop, NSEC_PER_MSEC);
    wait_in_vain(0);
    release(0);
    assert_true(run_until(fx->loop, is_closed, NULL));
    assert_int_equal(fx->closed, 1);
}

/* All buffers up to it are full of a request's body. */
static void
stop_reading(void)
{
    struct owner *o;

    setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 8 << 20);
    number_frame(NGHTTP2_WINDOW_UPDATE, 0, 8 << 20);
    flush();
    expect_settled(2);
    o = post("/");
    expect("HEADERS 1");
    far.w.paused = true;
    while (o->s->ops->room(o->s)) {
        send_bytes(o, o->s->ops->room(o->s));
        run_for(fx->loop, NSEC_PER_MSEC);
    }
}

/* Also one that has taken some of a request, and of later ones not a byte. */
static void
an_origin_that_is_stuck_is_asked(void **state)
{
    stop_reading();
    get("/b");
    run_for(fx->loop, NSEC_PER_MSEC);
    wait_in_vain(1);
    release(1);
    assert_int_equal(up_room(fx->u), 0);
    expect_log("0 error closed_early;"); /* a second later */
    assert_true(run_until(fx->loop, is_closed, NULL));
}

/* It may be waiting, as we do, until what it sends is read. */
static void
an_origin_that_takes_nothing_is_still_read(void **state)
{
    stop_reading();
    answer(1, "200", false);
    frame(NGHTTP2_DATA, 1, 1, "ok", 2);
    flush();
    expect_log("0 end 2;");
}

/* Requests that nobody waits for any more do not pile up behind it. */
static void
an_origin_that_takes_nothing_gets_no_more_requests(void **state)
{
    int i;

    stop_reading();
    for (i = 1; i < MOST && up_room(fx->u); i++) {
        get("/");
        run_for(fx->loop, 1);
        release((unsigned)i);
        run_for(fx->loop, 1);
    }
    assert_in_range(i, 1, MOST - 1);
}

/* An origin counts resets, and a connection is shared by many clients: no client's habits end it for the others. */
static void
a_connection_with_many_resets_takes_no_more_requests(void **state)
{
    unsigned i;

    get("/slow");
    for (i = 1; i < MOST && up_room(fx->u); i++) {
        get("/");
        run_for(fx->loop, 1);
        release(i);
    }
    assert_in_range(i, 100, MOST - 1);
    expect("HEADERS 1 ");
    answer(1, "204", true);
    flush();
    expect_log("0 end 0;");
    assert_true(run_until(fx->loop, is_closed, NULL));
}

#define SETTLED(f) cmocka_unit_test_setup_teardown(f, setup_settled, teardown)
#define BEFORE_SETTINGS(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SETTLED(many_at_a_time),
        SETTLED(interims_bodies_and_trailers),
        SETTLED(a_reader_that_takes_nothing_stops_its_stream_alone),
        SETTLED(an_origin_without_window_stops_its_writer),
        SETTLED(a_large_head_goes),
        SETTLED(fewer_than_are_open),
        BEFORE_SETTINGS(more_than_the_origin_wants_of_a_new_connection),
        BEFORE_SETTINGS(what_has_gone_does_not_go_elsewhere),
        BEFORE_SETTINGS(goaway_instead_of_settings_that_admit),
        SETTLED(ids_run_out),
        SETTLED(released_in_any_order),
        SETTLED(closed_from_where_its_owner_hears_of_the_last),
        SETTLED(a_refused_request_goes_again_from_inside),
        SETTLED(a_lost_connection),
        SETTLED(a_lost_connection_whose_answers_are_complete),
        SETTLED(goaway_tells_which_went_unseen),
        SETTLED(goaway_before_any_request),
        SETTLED(less_than_was_promised),
        BEFORE_SETTINGS(a_tunnel_waits_for_settings),
        BEFORE_SETTINGS(a_tunnel_is_given_up_before_settings),
        BEFORE_SETTINGS(a_tunnel_whose_connection_is_lost_before_settings),
        BEFORE_SETTINGS(more_tunnels_than_the_origin_takes),
        SETTLED(a_tunnel_that_is_reset_behind_its_end),
        SETTLED(a_request_without_a_host),
        SETTLED(a_request_with_a_body_is_no_handshake),
        SETTLED(a_silent_origin_is_asked),
        BEFORE_SETTINGS(settings_that_never_come),
        SETTLED(an_origin_that_is_stuck_is_asked),
        SETTLED(an_origin_that_takes_nothing_is_still_read),
        SETTLED(an_origin_that_takes_nothing_gets_no_more_requests),
        SETTLED(a_connection_with_many_resets_takes_no_more_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
