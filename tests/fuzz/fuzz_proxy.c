/*
 * The whole proxy between clients that send anything and an origin that answers anything. What the origin gets is
 * exactly the requests that the access log says were sent, each written in one way only; each client gets well-formed
 * answers to its own requests, in order, or sees that one breaks off; and no byte of an answer reaches another request.
 *
 * Input: a seed for the pieces, then actions, each up to a byte FE: a letter that chooses, and what is sent.
 */
#include "gateway.h"
#include "strict.h"

#include <ctype.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACTION_END '\xfe'
#define CLIENTS 3 /* at a time */
#define CONNECTIONS_MAX 12
#define ORIGINS_MAX 48
#define REQUESTS_MAX 64
#define ANSWERS_MAX 16
#define STREAM_MAX (1u << 20)

/* Bytes of an answer that say which request it was sent for: these of an input become MARK and the request's number. */
#define MARK 0x80
#define MARKS 64

static const char conf[] =
    "max_body 1k;\n"
    "upstream o { endpoint @ORIGIN; connect_timeout 1h; keepalive 4 idle=1h;\n"
    "  retry { attempts 2; on connect_failure reset 502; budget 100%; } }\n"
    "upstream one { endpoint @ORIGIN; connect_timeout 1h; limits connections=1 pending=4; keepalive 1 idle=1h; }\n"
    "route / { proxy o; }\n"
    "route /one { proxy one; }\n"
    "route /s/ { proxy o; strip_prefix /s; max_body 64; }\n"
    "route /p { proxy one; methods POST PUT; }\n"
    "route = /here { respond 200 \"here\"; }\n"
    "route = /gone { redirect 308 \"https://${request.host}/new?${request.query}\"; }\n";

struct client { /* one connection */
    int fd;     /* -1: closed */
    bool half_closed, left, ended;
    struct strbuf sent, got;
};

struct seen { /* a request at the origin */
    unsigned origin;
    char id[64];
    bool whole;
};

struct origin { /* a connection to it */
    int fd;
    struct strbuf got;
    size_t parsed;  /* of got: whole requests */
    int last;       /* the number of its latest request; -1: none */
    bool head_seen; /* of the request that goes on at `parsed` */
    bool tunnel;
};

static struct {
    struct client clients[CONNECTIONS_MAX];
    unsigned n_clients;
    unsigned current[CLIENTS]; /* their connections, from 1; 0: none yet */
    struct origin origins[ORIGINS_MAX];
    unsigned n_origins;
    struct seen seen[REQUESTS_MAX];
    unsigned n_seen;
    struct slice answers[ANSWERS_MAX];
    unsigned n_answers, next_answer;
    bool early; /* the origin answers as soon as it has the head */
    struct fuzz_random random;
    json_t *log;
} t;

/* ------------------------------------------------------------------ the origin */

static void
origin_close(struct origin *o)
{
    if (o->fd >= 0)
        close(o->fd);
    o->fd = -1;
}

/* Bytes of the input that look like a mark become that of the request. */
static void
origin_send(struct origin *o, struct slice s)
{
    char *copy = fuzz_exact(s);

    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)copy[i] & 0xc0) == MARK)
            copy[i] = (char)(MARK + (o->last < 0 ? MARKS - 1 : o->last % MARKS));
    if (o->fd >= 0 && s.n)
        send(o->fd, copy, s.n, MSG_NOSIGNAL);
    free(copy);
}

/* The next answer of the input, or a good one. One that begins with ! is the connection's last. */
static void
origin_answer(struct origin *o, const struct strict_message *m)
{
    struct slice s;

    if (t.next_answer < t.n_answers) {
        s = t.answers[t.next_answer++];
        origin_send(o, s.n && s.p[0] == '!' ? slice_from(s, 1) : s);
        if (s.n && s.p[0] == '!')
            origin_close(o);
        return;
    }
    origin_send(o, SLICE("HTTP/1.1 200 OK\r\nX: \x80\r\nContent-Length: 3\r\n\r\n"));
    if (!slice_eq(m->method, SLICE("HEAD")))
        origin_send(o, SLICE("a\x80z"));
}

static void
note_request(struct origin *o, const struct strict_message *m)
{
    struct slice id = strict_field(m, "x-request-id");
    struct seen *s = &t.seen[t.n_seen];

    FUZZ_REQUIRE(id.n && id.n < sizeof(s->id));
    *s = (struct seen){ .origin = (unsigned)(o - t.origins) };
    memcpy(s->id, id.p, id.n);
    o->last = (int)t.n_seen++;
    o->head_seen = true;
    if (t.early)
        origin_answer(o, m);
}

/* True: a whole request was there. */
static bool
origin_parse(struct origin *o)
{
    struct slice s = slice_from(strbuf_slice(&o->got), o->parsed);
    struct strict_message m;
    enum strict_result r;

    if (o->tunnel || s.n == 0 || t.n_seen == REQUESTS_MAX)
        return false;
    r = strict_request(s, &m);
    if (r == STRICT_BAD)
        fprintf(stderr, "%s in: %.*s\n", m.why, SLICE_FMT(s));
    FUZZ_REQUIRE(r != STRICT_BAD && !m.http10);
    if (m.head && !o->head_seen)
        note_request(o, &m);
    if (r == STRICT_DONE) {
        t.seen[o->last].whole = true;
        o->parsed += m.all.n;
        o->head_seen = false;
        o->tunnel = strict_count(&m, "upgrade") > 0; /* what follows may be anything */
        if (!t.early)
            origin_answer(o, &m);
    }
    strict_fini(&m);
    return r == STRICT_DONE;
}

static void
origin_read(struct origin *o)
{
    char buf[65536];
    ssize_t n;

    while (o->fd >= 0 && (n = recv(o->fd, buf, sizeof(buf), 0)) >= 0) {
        if (n == 0) {
            origin_close(o);
            break;
        }
        strbuf_add(&o->got, buf, (size_t)n);
    }
    while (origin_parse(o))
        ;
}

static void
origins_serve(void)
{
    int fd;

    while (t.n_origins < ORIGINS_MAX && (fd = gateway_accept()) >= 0) {
        t.origins[t.n_origins] = (struct origin){ .fd = fd, .last = -1 };
        strbuf_init(&t.origins[t.n_origins++].got, STREAM_MAX);
    }
    for (unsigned i = 0; i < t.n_origins; i++)
        origin_read(&t.origins[i]);
}

/* ------------------------------------------------------------------ clients */

static void
client_read(struct client *c)
{
    char buf[65536];
    ssize_t n;

    while (c->fd >= 0 && !c->ended && ((n = recv(c->fd, buf, sizeof(buf), 0)) >= 0 || errno != EAGAIN)) {
        if (n <= 0)
            c->ended = true;
        else
            strbuf_add(&c->got, buf, (size_t)n);
    }
}

static void
turns(unsigned n)
{
    while (n--) {
        gateway_turn();
        origins_serve();
        for (unsigned i = 0; i < t.n_clients; i++)
            client_read(&t.clients[i]);
    }
}

static struct client *
client_of(unsigned number)
{
    unsigned *at = &t.current[number];

    if (!*at) {
        struct client *c = &t.clients[t.n_clients++];

        *c = (struct client){ .fd = gateway_connect(t.n_clients) };
        strbuf_init(&c->sent, STREAM_MAX);
        strbuf_init(&c->got, STREAM_MAX);
        *at = t.n_clients;
    }
    return &t.clients[*at - 1];
}

static void
client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->left = true;
}

/* In pieces, or all at once. */
static void
client_send(struct client *c, struct slice s, bool pieces)
{
    char *copy = fuzz_exact(s);
    size_t n;

    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)copy[i] & 0xc0) == MARK) /* only answers have marks */
            copy[i] = '.';
    for (size_t at = 0; at < s.n && c->fd >= 0 && !c->half_closed; at += n) {
        n = pieces ? 1 + fuzz_random(&t.random, 40) : s.n;
        n = n < s.n - at ? n : s.n - at;
        if (send(c->fd, copy + at, n, MSG_NOSIGNAL) != (ssize_t)n)
            break;
        strbuf_add(&c->sent, copy + at, n);
        turns(1);
    }
    free(copy);
}

/* ------------------------------------------------------------------ actions */

static void
act_on_client(char what, unsigned number, struct slice s)
{
    struct client *c;

    if (t.n_clients == CONNECTIONS_MAX && !t.current[number])
        return;
    c = client_of(number);
    switch (what) {
    case 'h':
        client_send(c, s, false);
        if (c->fd >= 0)
            shutdown(c->fd, SHUT_WR);
        c->half_closed = true;
        break;
    case 'x':
        client_close(c);
        t.current[number] = 0;
        break;
    default:
        client_send(c, s, what == 'p');
    }
}

/* On the connection that had a request last, or the newest. */
static void
act_on_origin(char what, struct slice s)
{
    struct origin *o = t.n_seen ? &t.origins[t.seen[t.n_seen - 1].origin] : NULL;

    if (!o)
        return;
    origin_send(o, s);
    if (what == 'C')
        origin_close(o);
}

/* Answers are known before anything is sent. */
static void
collect_answers(struct fuzz_input in)
{
    while (in.n) {
        const char *end = memchr(in.p, ACTION_END, in.n);
        size_t n = end ? (size_t)(end - in.p) : in.n;

        if (n && in.p[0] == 'A' && t.n_answers < ANSWERS_MAX)
            t.answers[t.n_answers++] = slice_of(in.p + 1, n - 1);
        in.p += end ? n + 1 : n;
        in.n -= end ? n + 1 : n;
    }
}

static void
act(struct slice s)
{
    char what = s.n ? s.p[0] : 0;

    s = slice_from(s, 1);
    switch (what) {
    case 'A':
        return;
    case 'E':
        t.early = !t.early;
        return;
    case 'M':
    case 'C':
        act_on_origin(what, s);
        break;
    case 'h':
    case 'x':
    case 'p':
    case 'c':
        if (s.n)
            act_on_client(what, (unsigned char)s.p[0] % CLIENTS, slice_from(s, 1));
        break;
    default:
        act_on_client('c', 0, s);
    }
    turns(4);
}

/* ------------------------------------------------------------------ what must hold */

static const char *
text_of(const json_t *line, const char *member)
{
    const char *s = json_string_value(json_object_get(line, member));

    return s ? s : "";
}

static const json_t *
line_of(const char *id, size_t n)
{
    const json_t *line;
    size_t i;

    json_array_foreach(t.log, i, line) if (strlen(text_of(line, "request_id")) == n &&
                                           memcmp(text_of(line, "request_id"), id, n) == 0) return line;
    return NULL;
}

/* Which client a line or a request at the origin belongs to. */
static unsigned
number_of(struct slice address)
{
    unsigned number;
    char text[64];

    snprintf(text, sizeof(text), "%.*s", SLICE_FMT(address));
    FUZZ_REQUIRE(sscanf(text, "192.0.2.%u", &number) == 1 && number > 0 && number <= t.n_clients);
    return number - 1;
}

static void
require_as_logged(const struct strict_message *m, const json_t *line)
{
    const char *path = text_of(line, "path"), *query = text_of(line, "query");
    struct slice target = m->target;

    FUZZ_REQUIRE(slice_eq(m->method, slice_str(text_of(line, "method"))));
    FUZZ_REQUIRE(slice_eq(strict_field(m, "x-forwarded-for"), slice_str(text_of(line, "client"))));
    number_of(strict_field(m, "x-forwarded-for"));
    if (strcmp(text_of(line, "route"), "/s/") == 0)
        path += 2;
    FUZZ_REQUIRE(slice_starts(target, slice_str(path)));
    target = slice_from(target, strlen(path));
    if (target.n && target.p[0] == '?')
        target = slice_from(target, 1);
    FUZZ_REQUIRE(slice_eq(target, slice_str(query)));
}

/* Every request of one connection to the origin is one that was logged as sent. */
static void
require_logged(struct origin *o)
{
    struct slice s = strbuf_slice(&o->got);
    struct strict_message m;
    bool upgrade = false;

    while (s.n && !upgrade) {
        const json_t *line;
        struct slice id;

        FUZZ_REQUIRE(strict_request(s, &m) != STRICT_BAD);
        if (!m.head) { /* the connection broke */
            strict_fini(&m);
            return;
        }
        id = strict_field(&m, "x-request-id");
        line = line_of(id.p, id.n);
        FUZZ_REQUIRE(line && json_integer_value(json_object_get(line, "attempts")) > 0);
        require_as_logged(&m, line);
        upgrade = strict_count(&m, "upgrade") > 0;
        s = slice_from(s, m.all.n);
        strict_fini(&m);
    }
}

static unsigned
times_seen(const char *id)
{
    unsigned n = 0;

    for (unsigned i = 0; i < t.n_seen; i++)
        n += strcmp(t.seen[i].id, id) == 0;
    return n;
}

/* The other way round: what the log says of sending. */
static void
require_sent(const json_t *line)
{
    unsigned n = times_seen(text_of(line, "request_id"));
    bool answered = json_is_null(json_object_get(line, "reason")) && json_is_string(json_object_get(line, "upstream"));

    FUZZ_REQUIRE(n <= (unsigned)json_integer_value(json_object_get(line, "attempts")));
    if (t.n_seen < REQUESTS_MAX)
        FUZZ_REQUIRE(!answered || n > 0);
}

/* Marks in s are of requests that went to the origin under this id. */
static void
require_own_marks(struct slice s, struct slice id)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned mark = (unsigned char)s.p[i];

        if ((mark & 0xc0) != MARK)
            continue;
        mark -= MARK;
        FUZZ_REQUIRE(mark < t.n_seen && slice_eq(slice_str(t.seen[mark].id), id));
    }
}

/* Lines of one client in order: its connection has one exchange at a time. */
static const json_t *
next_line(unsigned client, size_t *at)
{
    while (*at < json_array_size(t.log)) {
        const json_t *line = json_array_get(t.log, (*at)++);

        if (number_of(slice_str(text_of(line, "client"))) == client)
            return line;
    }
    return NULL;
}

/* One final answer with the interim ones before it; what is left. The connection's end may cut it. */
static struct slice
require_answer(struct client *c, struct slice s, const json_t *line)
{
    struct slice method = slice_str(text_of(line, "method")), id = slice_str(text_of(line, "request_id")), from = s;
    struct strict_message m;
    enum strict_result r;

    for (;;) {
        r = strict_response(s, method, &m);
        if (r == STRICT_BAD)
            fprintf(stderr, "%s in: %.*s\n", m.why, SLICE_FMT(s));
        FUZZ_REQUIRE(r != STRICT_BAD);
        if (!m.head || m.status >= 200 || m.status == 101)
            break;
        s = slice_from(s, m.all.n);
        strict_fini(&m);
        if (s.n == 0)
            return s;
    }
    if (m.head && m.status == 101) {
        require_own_marks(from, id);
        s = SLICE_NONE;
    } else if (m.head) {
        FUZZ_REQUIRE(slice_eq(strict_field(&m, "x-request-id"), id));
        FUZZ_REQUIRE(m.status == (unsigned)json_integer_value(json_object_get(line, "status")));
        require_own_marks(slice_of(from.p, (size_t)(s.p - from.p) + m.all.n), id);
        s = slice_from(s, m.all.n);
    }
    FUZZ_REQUIRE(r == STRICT_DONE || c->ended || c->left || !m.head);
    strict_fini(&m);
    return s;
}

static void
require_answers(unsigned number)
{
    struct client *c = &t.clients[number];
    struct slice s = strbuf_slice(&c->got);
    const json_t *line = NULL;
    size_t at = 0;

    while (s.n) {
        line = next_line(number, &at);
        if (!line)
            fprintf(stderr, "nobody asked for: %.*s\n", SLICE_FMT(s));
        FUZZ_REQUIRE(line);
        s = require_answer(c, s, line);
    }
    if (next_line(number, &at)) /* one without an answer */
        FUZZ_REQUIRE(c->ended || c->left || c->half_closed);
}

/* Requests that leave no doubt are the first ones in the log, and their bodies arrive unchanged. */
static void
require_taken_as_meant(unsigned number)
{
    struct slice s = strbuf_slice(&t.clients[number].sent);
    struct strict_message m, there;
    const json_t *line;
    size_t at = 0;
    bool plain = true;

    while (plain && strict_request(s, &m) == STRICT_DONE && (line = next_line(number, &at))) {
        if (!text_of(line, "host")[0]) /* a limit was hit before the head was read */
            break;
        plain = !strict_count(&m, "upgrade") && !m.http10;
        FUZZ_REQUIRE(slice_eq(m.method, slice_str(text_of(line, "method"))));
        for (unsigned i = 0; i < t.n_seen; i++) {
            struct origin *o = &t.origins[t.seen[i].origin];
            struct slice all = strbuf_slice(&o->got);

            if (strcmp(t.seen[i].id, text_of(line, "request_id")) != 0)
                continue;
            while (strict_request(all, &there) == STRICT_DONE &&
                   !slice_eq(strict_field(&there, "x-request-id"), slice_str(t.seen[i].id))) {
                all = slice_from(all, there.all.n);
                strict_fini(&there);
            }
            if (t.seen[i].whole)
                FUZZ_REQUIRE(slice_eq(strbuf_slice(&there.body), strbuf_slice(&m.body)));
            else
                FUZZ_REQUIRE(slice_starts(strbuf_slice(&m.body), strbuf_slice(&there.body)));
            strict_fini(&there);
        }
        s = slice_from(s, m.all.n);
        strict_fini(&m);
        memset(&m, 0, sizeof(m));
    }
    strict_fini(&m);
}

/* ------------------------------------------------------------------ runs */

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    gateway_start(conf);
    return 0;
}

static void
play(struct fuzz_input in)
{
    memset(&t, 0, sizeof(t));
    t.random.state = fuzz_byte(&in);
    collect_answers(in);
    while (in.n) {
        const char *end = memchr(in.p, ACTION_END, in.n);
        size_t n = end ? (size_t)(end - in.p) : in.n;

        act(slice_of(in.p, n));
        in.p += end ? n + 1 : n;
        in.n -= end ? n + 1 : n;
    }
}

static bool
origins_are_closed(void)
{
    for (unsigned i = 0; i < t.n_origins; i++)
        if (t.origins[i].fd >= 0)
            return false;
    return true;
}

/* The origin goes away, then the clients do. No connection to it is left in a pool for the next input. */
static void
end(void)
{
    unsigned tries = 0;

    for (unsigned i = 0; i < t.n_origins; i++)
        origin_close(&t.origins[i]);
    turns(4);
    for (unsigned i = 0; i < t.n_origins; i++) /* those of retries */
        origin_close(&t.origins[i]);
    turns(4);
    for (unsigned i = 0; i < t.n_clients; i++)
        if (t.clients[i].fd >= 0 && !t.clients[i].half_closed)
            shutdown(t.clients[i].fd, SHUT_WR);
    turns(4);
    for (unsigned i = 0; i < t.n_clients; i++)
        client_close(&t.clients[i]);
    do {
        for (unsigned i = 0; i < t.n_origins; i++)
            origin_close(&t.origins[i]);
        turns(2);
    } while (!(gateway_is_idle() && origins_are_closed()) && ++tries < 100);
    FUZZ_REQUIRE(gateway_is_idle());
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const json_t *line;
    size_t i;

    play(fuzz_input(data, size));
    end();
    t.log = gateway_log();
    if (getenv("SHOW")) {
        for (i = 0; i < t.n_origins; i++)
            fprintf(stderr, "== origin %zu: %.*s\n", i, SLICE_FMT(strbuf_slice(&t.origins[i].got)));
        for (i = 0; i < t.n_clients; i++)
            fprintf(stderr, "== client %zu: %.*s\n", i, SLICE_FMT(strbuf_slice(&t.clients[i].got)));
        json_dumpf(t.log, stderr, JSON_INDENT(1));
        fprintf(stderr, "\nseen %u clients %u\n", t.n_seen, t.n_clients);
    }
    for (i = 0; i < t.n_origins; i++)
        require_logged(&t.origins[i]);
    json_array_foreach(t.log, i, line) require_sent(line);
    for (i = 0; i < t.n_clients; i++) {
        require_answers((unsigned)i);
        require_taken_as_meant((unsigned)i);
        strbuf_fini(&t.clients[i].sent);
        strbuf_fini(&t.clients[i].got);
    }
    for (i = 0; i < t.n_origins; i++)
        strbuf_fini(&t.origins[i].got);
    json_decref(t.log);
    return 0;
}
