/* fixture: what several tests of src/upstream need: clusters from text, a loop run until something holds, an origin on
 * that loop. */
#ifndef TESTS_UPSTREAM_FIXTURE_H
#define TESTS_UPSTREAM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/xalloc.h"
#include "../../../src/event/worker.h"
#include "../../../src/stats/stats.h"
#include "../../../src/upstream/cluster_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS NSEC_PER_MSEC

/* ---- clusters from text ---- */

struct fixture {
    struct conf *conf;
    struct arena arena;
    struct cluster *cluster; /* NULL: the text was refused */
};

static inline void
fixture_open(struct fixture *f, const char *text)
{
    const char *clash = NULL;
    const struct weir_conf *block;

    memset(f, 0, sizeof(*f));
    arena_init(&f->arena);
    f->conf = conf_new();
    assert_int_equal(conf_add_rows(f->conf, upstream_rows, NULL, &clash), 0);
    if (conf_parse_text(f->conf, "gateway.conf", slice_str(text)) < 0 || conf_check(f->conf) < 0)
        return;
    block = conf_find(conf_root(f->conf), "upstream");
    assert_non_null(block);
    f->cluster = cluster_build(block, &f->arena);
}

static inline void
fixture_close(struct fixture *f)
{
    if (f->cluster)
        cluster_free(f->cluster);
    arena_fini(&f->arena);
    conf_free(f->conf);
}

/* "upstream u { BODY }" that must be good. */
static inline struct cluster *
fixture_cluster(struct fixture *f, const char *body)
{
    char text[8192];
    struct strbuf out;

    snprintf(text, sizeof(text), "upstream u {\n%s\n}\n", body);
    fixture_open(f, text);
    if (!f->cluster) {
        strbuf_init(&out, 1u << 16);
        conf_diagnostics(f->conf, &out);
        fprintf(stderr, "%s\n", out.p ? out.p : "no cluster and no diagnostics");
        strbuf_fini(&out);
    }
    assert_non_null(f->cluster);
    return f->cluster;
}

/* "upstream u { BODY }" that must be refused with a message that holds `says`. */
static inline void
fixture_refused(const char *body, const char *says)
{
    struct fixture f;
    struct strbuf out;
    char text[4096];

    snprintf(text, sizeof(text), "upstream u {\n%s\n}\n", body);
    fixture_open(&f, text);
    strbuf_init(&out, 1u << 16);
    conf_diagnostics(f.conf, &out);
    if (f.cluster || !out.p || !strstr(out.p, says))
        fprintf(stderr, "%s\ngave: %s\n", body, out.p ? out.p : "nothing");
    assert_null(f.cluster);
    assert_non_null(strstr(out.p, says));
    strbuf_fini(&out);
    fixture_close(&f);
}

/* ---- the service loop, run until something holds ---- */

static inline struct loop *
service_loop(void)
{
    return worker_get(WORKER_SERVICE)->loop;
}

struct waiting {
    struct timer timer;
    bool (*holds)(void *arg);
    void *arg;
    nsec_t give_up;
    bool held;
};

static inline void
waiting_look(struct timer *t)
{
    struct waiting *w = (struct waiting *)((char *)t - offsetof(struct waiting, timer));

    w->held = w->holds(w->arg);
    if (w->held || clock_precise() > w->give_up)
        loop_stop(t->loop);
    else
        timer_after(t, MS);
}

/* false: it did not come to hold within 10 s. */
static inline bool
run_until(bool (*holds)(void *arg), void *arg)
{
    struct waiting w = { .holds = holds, .arg = arg, .give_up = clock_precise() + 10 * NSEC_PER_SEC };

    clock_update();
    timer_init(&w.timer, service_loop(), waiting_look);
    timer_set(&w.timer, clock_now());
    loop_run(service_loop());
    timer_fini(&w.timer);
    return w.held;
}

static inline bool
time_is_over(void *arg)
{
    return clock_now() >= *(nsec_t *)arg;
}

/* Only to show that something does not happen. */
static inline void
run_for(nsec_t time)
{
    nsec_t end = clock_precise() + time;

    assert_true(run_until(time_is_over, &end));
}

/* ---- an origin on the service loop ---- */

#define ORIGIN_CONNS 64

struct origin_conn {
    struct watch watch;
    struct origin *origin;
    char in[4096];
    size_t n;
};

struct origin {
    struct watch watch;
    int fd;
    struct addr addr;
    char text[ADDR_TEXT_MAX];
    const char *answer; /* to every request; NULL: none is given */
    /* If set, it is told of what came instead; takes it all. And of each new connection, when nothing has come. */
    void (*on_bytes)(struct origin_conn *c);
    unsigned accepted, open, requests;
    char last[4096]; /* head of the last request */
    struct origin_conn *conns[ORIGIN_CONNS];
};

static inline void
origin_close_conn(struct origin_conn *c)
{
    struct origin *o = c->origin;
    int fd = c->watch.fd;
    unsigned i;

    for (i = 0; i < ORIGIN_CONNS; i++) {
        if (o->conns[i] == c)
            o->conns[i] = NULL;
    }
    o->open--;
    watch_close(&c->watch);
    close(fd);
    loop_defer_free(service_loop(), free, c);
}

static inline void
origin_on_data(struct watch *w, unsigned events)
{
    struct origin_conn *c = (struct origin_conn *)((char *)w - offsetof(struct origin_conn, watch));
    struct origin *o = c->origin;
    ssize_t n;
    char *end;

    while ((n = read(w->fd, c->in + c->n, sizeof(c->in) - 1 - c->n)) > 0) {
        c->n += (size_t)n;
        c->in[c->n] = '\0';
        if (o->on_bytes) {
            o->on_bytes(c);
            c->n = 0;
            continue;
        }
        while ((end = strstr(c->in, "\r\n\r\n"))) {
            snprintf(o->last, sizeof(o->last), "%.*s", (int)(end - c->in), c->in);
            o->requests++;
            c->n -= (size_t)(end + 4 - c->in);
            memmove(c->in, end + 4, c->n + 1);
            if (o->answer)
                assert_int_equal(write(w->fd, o->answer, strlen(o->answer)), strlen(o->answer));
        }
    }
    if (n == 0)
        origin_close_conn(c);
}

static inline void
origin_on_connection(struct watch *w, unsigned events)
{
    struct origin *o = (struct origin *)((char *)w - offsetof(struct origin, watch));
    struct origin_conn *c;
    unsigned i;
    int fd;

    while ((fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        c = xcalloc(1, sizeof(*c));
        c->origin = o;
        o->accepted++;
        o->open++;
        for (i = 0; i < ORIGIN_CONNS && o->conns[i]; i++)
            ;
        assert_true(i < ORIGIN_CONNS);
        o->conns[i] = c;
        assert_int_equal(watch_open(&c->watch, service_loop(), fd, origin_on_data), 0);
        if (o->on_bytes)
            o->on_bytes(c);
    }
}

static inline void
origin_open(struct origin *o, const char *answer)
{
    memset(o, 0, sizeof(*o));
    o->answer = answer;
    assert_int_equal(addr_parse(SLICE("127.0.0.1:0"), &o->addr, NULL), 0);
    o->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(o->fd, &o->addr.u.sa, o->addr.len), 0);
    assert_int_equal(listen(o->fd, 64), 0);
    o->addr.len = sizeof(o->addr.u);
    assert_int_equal(getsockname(o->fd, &o->addr.u.sa, &o->addr.len), 0);
    addr_format(&o->addr, o->text);
    assert_int_equal(watch_open_level(&o->watch, service_loop(), o->fd, origin_on_connection), 0);
}

/* Hangs up on everybody; the listener stays. */
static inline void
origin_hang_up_all(struct origin *o)
{
    unsigned i;

    for (i = 0; i < ORIGIN_CONNS; i++) {
        if (o->conns[i])
            origin_close_conn(o->conns[i]);
    }
}

static inline void
origin_close(struct origin *o)
{
    origin_hang_up_all(o);
    watch_close(&o->watch);
    close(o->fd);
}

#endif
