#include "gateway.h"

#include "../../src/base/log.h"
#include "../../src/net/listener.h"
#include "../../src/observe/access_log.h"
#include "../../src/policy/module.h"
#include "../../src/proxy/explain.h"
#include "../../src/proxy/generation.h"
#include "../../src/proxy/metrics.h"
#include "../../src/proxy/worker.h"
#include "../../src/stats/stats.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char listener[] = "access_log /proc/self/fd/%d; timeout 1h; idle_timeout 1h;\n"
                               "listener l { bind unix:%s/l; proxy_protocol on; http2 off;\n"
                               "  limits { request_line 512; field 512; head 2k; fields 24; }\n"
                               "  timeouts { head 1h; body 1h; idle 1h; write 1h; } }\n";

static char dir[] = "/tmp/weir-fuzz-XXXXXX";
static int origin = -1, log_fd = -1;
static struct generation *live;
static struct worker *worker;
static int turns_left;

/* ------------------------------------------------------------------ sockets */

static struct sockaddr_un
address(const char *name)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/%s", dir, name);
    return sa;
}

static int
new_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    FUZZ_REQUIRE(fd >= 0);
    return fd;
}

int
gateway_connect(unsigned number)
{
    struct sockaddr_un sa = address("l");
    char header[128];
    int fd = new_socket(), n;

    FUZZ_REQUIRE(connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
    n = snprintf(header, sizeof(header), "PROXY TCP4 192.0.2.%u 198.51.100.1 %u 443\r\n", number, 1000 + number);
    FUZZ_REQUIRE(send(fd, header, (size_t)n, MSG_NOSIGNAL) == n);
    return fd;
}

int
gateway_accept(void)
{
    return accept4(origin, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* ------------------------------------------------------------------ turns */

static void
on_turn(struct watch *w, unsigned events)
{
    (void)events;
    if (--turns_left <= 0)
        loop_stop(w->loop);
}

void
gateway_turn(void)
{
    mailbox_drain(worker->mailbox);
    turns_left = 3;
    loop_run(worker->loop);
    mailbox_drain(worker_get(WORKER_SERVICE)->mailbox);
}

bool
gateway_is_idle(void)
{
    return proxy_sessions() == 0;
}

json_t *
gateway_log(void)
{
    json_t *lines = json_array();
    struct fuzz_input text;
    struct stat st;
    char *p;

    access_log_flush_all();
    FUZZ_REQUIRE(fstat(log_fd, &st) == 0);
    p = malloc((size_t)st.st_size + 1);
    FUZZ_REQUIRE(p && pread(log_fd, p, (size_t)st.st_size, 0) == st.st_size && ftruncate(log_fd, 0) == 0);
    text = fuzz_input((const uint8_t *)p, (size_t)st.st_size);
    while (text.n) {
        struct slice line = fuzz_line(&text);
        json_t *object = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);

        FUZZ_REQUIRE(object);
        json_array_append_new(lines, object);
    }
    free(p);
    return lines;
}

/* ------------------------------------------------------------------ life */

static void
remove_files(void)
{
    unlink(address("l").sun_path);
    unlink(address("o").sun_path);
    rmdir(dir);
}

static void
listen_as_origin(void)
{
    struct sockaddr_un sa = address("o");

    origin = new_socket();
    FUZZ_REQUIRE(bind(origin, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(origin, 64) == 0);
}

static struct conf *
parse(const char *text)
{
    const struct weir_directive *const tables[] = { proxy_rows,  listener_rows,   upstream_rows, store_rows,
                                                    policy_rows, access_log_rows, test_rows };
    struct conf *c = conf_new();
    struct strbuf all;

    strbuf_init(&all, 1 << 20);
    strbuf_addf(&all, listener, log_fd, dir);
    for (const char *at; (at = strstr(text, "@ORIGIN")); text = at + 7)
        strbuf_addf(&all, "%.*sunix:%s/o", (int)(at - text), text, dir);
    strbuf_adds(&all, text);
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
        FUZZ_REQUIRE(conf_add_rows(c, tables[i], "fuzz", NULL) == 0);
    if (conf_parse_text(c, "gateway.conf", strbuf_slice(&all)) == 0)
        conf_check(c);
    strbuf_fini(&all);
    return c;
}

static void
on_published(struct generation *g)
{
    live = g;
}

static void
publish(const char *text)
{
    struct generation *g = generation_build(parse(text), 1);

    if (conf_errors(g->conf) == 0)
        generation_open(g);
    if (conf_errors(g->conf)) {
        struct strbuf out;

        strbuf_init(&out, 1 << 20);
        conf_diagnostics(g->conf, &out);
        fprintf(stderr, "%s", out.p);
        abort();
    }
    for (unsigned i = 0; i < g->n_targets; i++)
        cluster_start(g->targets[i]->cluster, NULL);
    policy_scope_start(&g->scope);
    proxy_publish(g, on_published);
    while (!live)
        gateway_turn();
}

/* The worker has no thread of its own: this one does its work, and is the service thread too. */
void
gateway_start(const char *conf)
{
    static struct watch turner;

    log_set_level(LOG_LVL_ERROR);
    FUZZ_REQUIRE(mkdtemp(dir));
    atexit(remove_files);
    log_fd = memfd_create("access log", MFD_CLOEXEC);
    FUZZ_REQUIRE(log_fd >= 0);
    listen_as_origin();
    FUZZ_REQUIRE(workers_init(1) == 0 && stats_init(1) == 0);
    metrics_init();
    worker = worker_get(1);
    proxy_worker_start(worker);
    worker_get(WORKER_SERVICE)->user = worker->user;
    FUZZ_REQUIRE(watch_open_level(&turner, worker->loop, eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), on_turn) == 0);
    publish(conf);
}
