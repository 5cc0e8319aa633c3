/* redis_lab: a real redis-server on a unix socket (and a port, where asked for) in a directory of its own, and stores
 * built from configuration text. */
#ifndef REDIS_LAB_H
#define REDIS_LAB_H

#include "../../../src/base/log.h"
#include "../../../src/base/xalloc.h"
#include "../../../src/store/store.h"
#include "../net/netlab.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct redis_lab {
    char dir[32], socket[64], url[96];
    pid_t pid;
    int port; /* 0: none */
};

/* The server says on its standard output when it is ready. */
static inline void
redis_wait_ready(int fd)
{
    static const char word[] = "eady to accept connections";
    char text[65536];
    size_t n = 0;
    ssize_t got;

    while ((got = read(fd, text + n, sizeof(text) - 1 - n)) > 0) {
        n += (size_t)got;
        text[n] = '\0';
        if (strstr(text, word))
            return;
    }
    text[n] = '\0';
    fail_msg("redis-server did not start: %s", text);
}

/* Options as on the command line, NULL-terminated. */
static inline void
redis_run(struct redis_lab *r, const char *const *options)
{
    char port[16];
    const char *argv[48] = { "redis-server", "--port",    port,   "--bind", "127.0.0.1", "--unixsocket",
                             r->socket,      "--dir",     r->dir, "--save", "",          "--appendonly",
                             "no",           "--logfile", "" };
    unsigned n = 15;
    int fds[2];

    snprintf(port, sizeof(port), "%d", r->port);
    while (options && *options)
        argv[n++] = *options++;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    r->pid = fork();
    if (r->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fds[1], 1);
        dup2(fds[1], 2);
        execvp(argv[0], (char **)argv);
        _exit(127);
    }
    assert_true(r->pid > 0);
    close(fds[1]);
    redis_wait_ready(fds[0]);
    close(fds[0]); /* what it writes later fails, which it does not mind */
}

static inline void
redis_kill(struct redis_lab *r)
{
    if (r->pid <= 0)
        return;
    kill(r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
    unlink(r->socket);
    r->pid = 0;
}

static inline int
free_port(void)
{
    struct addr a;
    int fd = lab_listen(&a);

    close(fd);
    return addr_port(&a);
}

static inline void
redis_start(struct redis_lab *r, const char *const *options)
{
    snprintf(r->dir, sizeof(r->dir), "/tmp/test_store.XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->socket, sizeof(r->socket), "%s/redis.sock", r->dir);
    snprintf(r->url, sizeof(r->url), "unix://%s", r->socket);
    redis_run(r, options);
}

static inline void
redis_stop(struct redis_lab *r)
{
    char command[64];

    redis_kill(r);
    snprintf(command, sizeof(command), "rm -rf %s", r->dir);
    assert_int_equal(system(command), 0);
}

/* One command by redis-cli, for the test's own ends. `what` is shell text. The output's first line. */
static inline const char *
redis_do(struct redis_lab *r, const char *what)
{
    static char line[256];
    char command[512];
    FILE *f;

    snprintf(command, sizeof(command), "redis-cli -s %s %s", r->socket, what);
    f = popen(command, "r");
    assert_non_null(f);
    if (!fgets(line, sizeof(line), f))
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    while (fgetc(f) != EOF)
        ;
    pclose(f);
    return line;
}

/* ------------------------------------------------------------------ stores */

struct store_lab {
    struct conf *conf;
    struct arena arena;
    struct store *store;
};

static inline struct conf *
store_conf(const char *text)
{
    struct conf *c = conf_new();

    conf_add_rows(c, store_rows, "store", NULL);
    if (conf_parse_text(c, "test.conf", slice_str(text)) == 0)
        conf_check(c);
    return c;
}

static inline void
store_lab_open(struct store_lab *s, const char *url, const char *more)
{
    struct strbuf why;
    char text[1024];

    snprintf(text, sizeof(text), "store main { url \"%s\"; %s }\n", url, more);
    arena_init(&s->arena);
    s->conf = store_conf(text);
    strbuf_init(&why, 65536);
    conf_diagnostics(s->conf, &why);
    if (why.n)
        fail_msg("%s", why.p);
    strbuf_fini(&why);
    s->store = store_build(conf_find(conf_root(s->conf), "store"), &s->arena);
    assert_non_null(s->store);
}

static inline void
store_lab_close(struct store_lab *s)
{
    store_stop(s->store);
    store_free(s->store);
    arena_fini(&s->arena);
    conf_free(s->conf);
}

/* ------------------------------------------------------------------ calls */

struct asked {
    struct store_call *call;
    unsigned done; /* how often: at most once */
    unsigned n;
    int64_t ints[8];
    char error[256]; /* "": good */
    nsec_t at, ended;
};

static inline void
on_asked(const struct weir_store_reply *reply, void *arg)
{
    struct asked *a = arg;

    a->done++;
    a->ended = clock_precise();
    a->n = reply->n;
    for (unsigned i = 0; i < reply->n && i < 8; i++)
        a->ints[i] = reply->ints[i];
    snprintf(a->error, sizeof(a->error), "%s", reply->error ? reply->error : "");
}

static inline void
ask(struct store *s, struct asked *a, const char *script, const char *key)
{
    struct slice args[2] = { SLICE("7"), SLICE("two words\r\n") };

    clock_update();
    memset(a, 0, sizeof(*a));
    a->at = clock_precise();
    a->call = store_eval(s, script, slice_str(key), args, 2, on_asked, a);
    assert_non_null(a->call);
    assert_int_equal(a->done, 0); /* never from inside */
}

static inline bool
is_done(void *arg)
{
    return ((struct asked *)arg)->done != 0;
}

static inline void
ask_and_wait(struct loop *l, struct store *s, struct asked *a, const char *script, const char *key)
{
    ask(s, a, script, key);
    lab_run(l, is_done, a);
    assert_int_equal(a->done, 1);
}

#define assert_good(a) assert_string_equal((a)->error, "")

struct state_wait {
    struct store *store;
    const char *state;
};

static inline bool
has_state(void *arg)
{
    struct state_wait *w = arg;
    double latency;

    return strcmp(store_state(w->store, &latency), w->state) == 0;
}

/* A call makes the lane; then until the store is up. */
static inline void
bring_up(struct loop *l, struct store *s)
{
    struct state_wait w = { s, "up" };
    struct asked a;

    ask_and_wait(l, s, &a, "return {1}", "k");
    lab_run(l, has_state, &w);
}

/* ------------------------------------------------------------------ the log */

static char log_file[64];

static inline void
log_catch(void)
{
    int fd;

    snprintf(log_file, sizeof(log_file), "/tmp/test_store_log.XXXXXX");
    fd = mkstemp(log_file);
    assert_true(fd >= 0);
    fcntl(fd, F_SETFL, O_APPEND);
    log_set_fd(fd);
}

/* Ends the catching; how many lines hold `text`. */
static inline unsigned
log_caught(const char *text, char *all, size_t size)
{
    FILE *f = fopen(log_file, "r");
    unsigned lines = 0;
    char *at;

    assert_non_null(f);
    all[fread(all, 1, size - 1, f)] = '\0';
    fclose(f);
    unlink(log_file);
    log_set_fd(2);
    for (at = all; (at = strstr(at, text)); at++)
        lines++;
    return lines;
}

#endif
