#include "rig.h"

#include "../../../src/base/log.h"
#include "../../../src/net/listener.h"
#include "../../../src/observe/access_log.h"
#include "../../../src/policy/module.h"
#include "../../../src/proxy/explain.h"
#include "../../../src/proxy/generation.h"
#include "../../../src/proxy/metrics.h"
#include "../../../src/proxy/worker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct rig *running;

static void
patience(int fd)
{
    struct timeval t = { .tv_sec = 5 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
}

static int
listen_somewhere(int *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(fd, 64), 0);
    getsockname(fd, (struct sockaddr *)&a, &len);
    *port = ntohs(a.sin_port);
    patience(fd);
    return fd;
}

/* ---- configurations ---- */

static void
print_errors(struct conf *c)
{
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    conf_diagnostics(c, &text);
    fail_msg("%s", text.p);
}

struct conf *
rig_conf(struct rig *r, const char *text)
{
    const struct weir_directive *const tables[] = { proxy_rows, listener_rows,   upstream_rows, store_rows,
                                                    policy_rows, access_log_rows, test_rows };
    struct conf *c = conf_new();
    struct strbuf all;

    strbuf_init(&all, 1 << 24);
    strbuf_addf(&all, "modules %s; use gate;\nlistener l { bind 127.0.0.1:%d; timeouts { body 2s; } }\n", TEST_MODULES,
                r->port);
    for (const char *at; (at = strstr(text, "@ORIGIN")); text = at + 7)
        strbuf_addf(&all, "%.*s127.0.0.1:%d", (int)(at - text), text, r->origin_port);
    strbuf_adds(&all, text);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        assert_int_equal(conf_add_rows(c, tables[i], "test", NULL), 0);
    if (conf_parse_text(c, "gateway.conf", strbuf_slice(&all)) != 0 || modules_use(c) != 0 || conf_check(c) != 0)
        print_errors(c);
    strbuf_fini(&all);
    return c;
}

static struct generation *
build(struct rig *r, const char *text, uint64_t id)
{
    struct generation *g = generation_build(rig_conf(r, text), id);
    if (conf_errors(g->conf) || generation_open(g) != 0)
        print_errors(g->conf);
    for (unsigned i = 0; i < g->n_targets; i++)
        cluster_start(g->targets[i]->cluster, NULL);
    policy_scope_start(&g->scope);
    return g;
}

/* ---- life ---- */

static void
on_unused(struct generation *g)
{
    running->freed++;
    generation_free(g);
}

static void
on_published(struct generation *g)
{
    struct generation *old = running->g;
    running->g = g;
    if (!old)
        return;
    for (unsigned i = 0; i < old->n_targets; i++)
        cluster_stop(old->targets[i]->cluster);
    generation_retire(old, on_unused);
}

void
rig_turn(struct rig *r)
{
    struct worker *service = worker_get(WORKER_SERVICE);
    (void)r;
    poll(NULL, 0, 1);
    mailbox_drain(service->mailbox);
    loop_stop(service->loop);
    loop_run(service->loop); /* what ends with a turn */
}

void
rig_publish(struct rig *r, const char *text)
{
    struct generation *g = build(r, text, r->g ? r->g->id + 1 : 1);
    proxy_publish(g, on_published);
    for (int i = 0; r->g != g && i < 5000; i++)
        rig_turn(r);
    if (r->g != g)
        fail_msg("the generation was not published");
    r->port = addr_port(listener_addr(g->listeners[0].sockets[0]));
}

void
rig_start(struct rig *r, const char *text)
{
    *r = (struct rig){ 0 };
    running = r;
    log_set_level(LOG_LVL_ERROR);
    r->origin = listen_somewhere(&r->origin_port);
    close(listen_somewhere(&r->port)); /* a port of its own, so that the next generation has the same one */
    assert_int_equal(workers_init(1), 0);
    assert_int_equal(stats_init(1), 0);
    metrics_init();
    assert_int_equal(workers_start(proxy_worker_start, proxy_worker_stop), 0);
    rig_publish(r, text);
}

void
rig_stop(struct rig *r)
{
    workers_stop();
    rig_turn(r);
    assert_null(generation_retired());
    assert_int_equal(generation_holders(r->g), 0);
    for (unsigned i = 0; i < r->g->n_targets; i++)
        cluster_stop(r->g->targets[i]->cluster);
    generation_free(r->g);
    workers_fini();
    stats_fini();
    close(r->origin);
}

/* ---- sockets ---- */

int
rig_client(const struct rig *r)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)r->port)
    };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    patience(fd);
    return fd;
}

int
rig_accept(const struct rig *r)
{
    int fd = accept(r->origin, NULL, NULL);
    if (fd < 0)
        fail_msg("the gateway did not come to the origin");
    patience(fd);
    return fd;
}

bool
rig_nobody(const struct rig *r)
{
    struct pollfd p = { .fd = r->origin, .events = POLLIN };
    return poll(&p, 1, 100) == 0;
}

void
put(int fd, const char *text)
{
    size_t n = strlen(text);
    assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
}

static char seen[1 << 20];

const char *
until(int fd, const char *text)
{
    size_t n = 0, len = strlen(text);
    while (n < len || memcmp(seen + n - len, text, len) != 0) {
        ssize_t got = recv(fd, seen + n, 1, 0); /* one by one: what comes behind it is for the next call */
        if (got <= 0)
            fail_msg("`%.80s` did not come after: %.*s", text, (int)n, seen);
        n += (size_t)got;
    }
    seen[n] = '\0';
    return seen;
}

const char *
rest(int fd)
{
    size_t n = 0;
    ssize_t got;
    while ((got = recv(fd, seen + n, sizeof seen - n - 1, 0)) > 0)
        n += (size_t)got;
    seen[n] = '\0';
    return seen;
}

void
has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no `%s` in: %s", part, text);
}

void
has_not(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("`%s` in: %s", part, text);
}
