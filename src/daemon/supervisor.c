#include "supervisor.h"

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/log_out.h"
#include "../base/parse.h"
#include "../base/strbuf.h"
#include "../base/xalloc.h"
#include "../net/handover.h"
#include "channel.h"
#include "child.h"
#include "command.h"
#include "held.h"
#include "notify.h"
#include "opener.h"
#include "supervised.h"
#include "trim.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* How a supervisor tells the one that it becomes by exec what it has. */
#define STATE_ENV "WEIR_SUPERVISOR"
#define LOG_ENV "WEIR_SUPERVISOR_LOG"

static struct {
    char **argv;
    char *binary; /* the path of the file that this process was started from */
    int signals;
    bool was_ready; /* some process served: from then on it is started anew */
    bool stopping;
    int exit_code;
    nsec_t pause;                                      /* before the next start */
    nsec_t restart_at, upgrade_by, kill_at, opener_by; /* 0: not awaited */
    nsec_t upgrade_timeout;
    pid_t asker, next_asker; /* whom the opener opens for; who asked meanwhile. 0: nobody */
    char buffer[CHANNEL_MAX];
} su;

static void
start_serving(void)
{
    su.restart_at = 0;
    /* The binary of this process, also when its file was replaced: only an upgrade changes versions. */
    if (!child_start("/proc/self/exe", CHILD_SERVING))
        su.restart_at = clock_precise() + su.pause;
}

/* ------------------------------------------------------------------ upgrade */

static void
upgrade_begin(void)
{
    if (child_find(CHILD_CANDIDATE)) {
        log_warning(NULL, "upgrade: one is under way already");
        return;
    }
    if (!child_find(CHILD_SERVING) || su.stopping) {
        log_warning(NULL, "upgrade: nothing serves that could be replaced");
        return;
    }
    struct child *c = child_start(su.binary, CHILD_CANDIDATE);
    if (!c)
        return;
    log_notice(NULL, "upgrade: %s is starting as process %d", su.binary, (int)c->pid);
    su.upgrade_by = clock_precise() + su.upgrade_timeout;
}

static void
upgrade_expired(void)
{
    struct child *c = child_find(CHILD_CANDIDATE);

    su.upgrade_by = 0;
    if (!c)
        return;
    log_error(NULL, "upgrade: process %d was not ready in %.1f s; ending it", (int)c->pid,
              (double)su.upgrade_timeout / NSEC_PER_SEC);
    kill(c->pid, SIGKILL);
}

static void
tell_to_leave(struct child *c)
{
    unsigned n;
    const struct held *held = held_all(&n);
    uint64_t *cookies = xmalloc((n + 1) * sizeof *cookies);

    for (unsigned i = 0; i < n; i++)
        cookies[i] = held[i].cookie;
    if (channel_send(c->channel, CHANNEL_LEAVE, slice_of((char *)cookies, n * sizeof *cookies), -1) != 0)
        log_error(NULL, "process %d could not be told to leave: %m", (int)c->pid);
    free(cookies);
}

/* Goes on as the new binary, in the same process. Signals stay blocked meanwhile; those that come are kept. */
static void
become_new_supervisor(void)
{
    struct strbuf text;
    unsigned n;
    const struct held *held = held_all(&n);

    strbuf_init(&text, SIZE_MAX);
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        const struct child *c = child_place(i);
        if (c->pid)
            strbuf_addf(&text, "c %d %d %d;", (int)c->pid, c->channel, (int)c->role);
    }
    for (unsigned i = 0; i < n; i++)
        strbuf_addf(&text, "s %d %d;", held[i].fd, (int)held[i].owner);
    child_over_exec(true);
    held_over_exec(true);
    setenv(STATE_ENV, text.p, 1);
    log_out_keep(LOG_ENV);
    execv(su.binary, su.argv);
    log_out_resume(LOG_ENV);
    log_error(NULL, "upgrade: the supervisor stays the old binary: %s: %m", su.binary);
    child_over_exec(false);
    held_over_exec(false);
    unsetenv(STATE_ENV);
    strbuf_fini(&text);
}

static void
upgrade_done(struct child *candidate)
{
    struct child *old = child_find(CHILD_SERVING);

    su.upgrade_by = su.restart_at = 0;
    candidate->role = CHILD_SERVING;
    held_settle_unwanted(true);
    log_notice(NULL, "upgrade: process %d serves", (int)candidate->pid);
    if (old) {
        old->role = CHILD_LEAVING;
        tell_to_leave(old);
    }
    become_new_supervisor();
}

/* What the supervisor before the exec had. False: this one is the first. */
static bool
inherit_state(void)
{
    const char *text = getenv(STATE_ENV);
    int pid, fd, role, used;

    if (!text)
        return false;
    for (; *text; text += used) {
        used = 0;
        if (sscanf(text, "c %d %d %d;%n", &pid, &fd, &role, &used) == 3 && used)
            child_adopt(pid, fd, (enum child_role)role);
        else if (sscanf(text, "s %d %d;%n", &fd, &pid, &used) == 2 && used)
            held_add(fd, pid);
        else
            break;
    }
    held_over_exec(false);
    unsetenv(STATE_ENV);
    su.was_ready = true;
    /* Who asked for it is not known any more, and asks again; it must not stand in the way then. */
    if (child_find(CHILD_OPENER))
        su.opener_by = clock_precise() + SUPERVISOR_OPENER_MS * NSEC_PER_MSEC;
    return true;
}

/* ------------------------------------------------------------------ opening for others */

/* The process that asked, while it serves. */
static struct child *
asker(void)
{
    struct child *c = child_find(CHILD_SERVING);

    return c && c->pid == su.asker ? c : NULL;
}

static void
give(enum channel_kind kind, struct slice text, int fd)
{
    struct child *c = asker();

    if (c && channel_send(c->channel, kind, text, fd) != 0)
        log_error(NULL, "process %d could not be given what was opened for it: %m", (int)c->pid);
}

static void
opener_begin(pid_t for_whom)
{
    if (child_find(CHILD_OPENER)) {
        su.next_asker = for_whom;
        return;
    }
    su.asker = for_whom;
    su.next_asker = 0;
    if (child_start("/proc/self/exe", CHILD_OPENER))
        su.opener_by = clock_precise() + SUPERVISOR_OPENER_MS * NSEC_PER_MSEC;
    else
        give(CHANNEL_ASKED, SLICE_NONE, -1);
}

static void
opener_expired(void)
{
    struct child *c = child_find(CHILD_OPENER);

    su.opener_by = 0;
    if (!c)
        return;
    log_error(NULL, "process %d, which opens files and ports for a reload, takes too long; ending it", (int)c->pid);
    kill(c->pid, SIGKILL);
}

static void
opener_ended(const struct child *c, int status, const char *how)
{
    su.opener_by = 0;
    if (WIFSIGNALED(status))
        log_error(NULL, "process %d, which opens files and ports for a reload, %s", (int)c->pid, how);
    if (su.next_asker && !su.stopping) {
        opener_begin(su.next_asker);
        return;
    }
    give(CHANNEL_ASKED, SLICE_NONE, -1);
    su.asker = 0;
}

/* ------------------------------------------------------------------ what children say */

/* Words of one that leaves, or is not ready, are not the service's. */
static void
take_notify(struct child *c, struct slice text)
{
    char *words = xstrndup(text.p, text.n);
    bool ready = strstr(words, "READY=1") != NULL;

    if (c->role == CHILD_SERVING) {
        su.was_ready |= ready;
        if (notify_is_status(words))
            notify_systemd(words);
        if (ready)
            trim_memory();
    }
    free(words);
    if (c->role == CHILD_CANDIDATE && ready && !c->ended && !su.stopping)
        upgrade_done(c);
}

/* Who leaves has nobody accept from what it opened last. What is opened beside a candidate is not that one's:
 * connections would wait there for nobody, once it serves. */
static void
take_socket(const struct child *c, int fd)
{
    uint64_t cookie = handover_cookie(fd);

    if (c->role == CHILD_LEAVING) {
        close(fd);
        return;
    }
    if (!held_add(fd, c->pid))
        return;
    if (c->role == CHILD_OPENER)
        give(CHANNEL_GIVEN, SLICE_NONE, fd);
    if (c->role == CHILD_SERVING && child_find(CHILD_CANDIDATE))
        held_mark_unwanted(cookie);
}

/* "FORM FACILITY SOCKET". What the text says and a process that was taken over could make of it is where lines go. */
static void
take_log(const struct channel_message *m)
{
    char *text = xstrndup(m->text.p, m->text.n);
    char *facility = strchr(text, ' '), *socket = facility ? strchr(facility + 1, ' ') : NULL;
    struct log_place p = { .fd = m->fd >= 0 ? m->fd : 2 };
    uint64_t form, number;
    struct stat st;

    if (m->fd >= 0 && (fstat(m->fd, &st) != 0 || !S_ISREG(st.st_mode)))
        socket = NULL; /* a pipe that nobody empties would make the supervisor stand still */
    if (socket && parse_u64(slice_of(text, (size_t)(facility - text)), LOG_FORM_SYSLOG, &form) == 0 &&
        parse_u64(slice_of(facility + 1, (size_t)(socket - facility - 1)), 1024, &number) == 0) {
        p.form = (enum log_form)form;
        p.facility = (int)number;
        p.socket = socket + 1;
        log_out_follow(&p);
    }
    free(text);
}

static void
take_message(struct child *c, const struct channel_message *m)
{
    uint64_t cookie;

    if (m->kind == CHANNEL_OPENED && m->fd >= 0) {
        take_socket(c, m->fd);
        return;
    }
    if (m->kind == CHANNEL_FILE && c->role == CHILD_OPENER)
        give(CHANNEL_FILE, m->text, m->fd);
    if (m->kind == CHANNEL_LOG && c->role == CHILD_SERVING)
        take_log(m);
    if (m->fd >= 0)
        close(m->fd);
    if (m->kind == CHANNEL_NOTIFY)
        take_notify(c, m->text);
    if (m->kind == CHANNEL_ASK && c->role == CHILD_SERVING && !c->ended && !su.stopping)
        opener_begin(c->pid);
    if (m->kind != CHANNEL_CLOSING || parse_u64(m->text, UINT64_MAX, &cookie) != 0)
        return;
    if (c->role == CHILD_SERVING)
        held_drop(cookie);
    else if (c->role == CHILD_CANDIDATE)
        held_mark_unwanted(cookie);
}

static void
on_channel(struct child *c)
{
    struct channel_message m;
    int got;

    while (c->channel >= 0 && (got = channel_receive(c->channel, su.buffer, &m)) != 0) {
        if (got > 0) {
            take_message(c, &m);
            continue;
        }
        if (errno == EPROTO && !c->ended) {
            log_error(NULL, "process %d speaks nonsense; ending it", (int)c->pid);
            kill(c->pid, SIGKILL);
        }
        child_close_channel(c); /* its end is told by SIGCHLD */
    }
}

/* ------------------------------------------------------------------ ends of children */

static void
describe_end(int status, char *text, size_t room)
{
    if (WIFSIGNALED(status))
        snprintf(text, room, "was ended by signal %d (%s)%s", WTERMSIG(status), strsignal(WTERMSIG(status)),
                 WCOREDUMP(status) ? ", core dumped" : "");
    else
        snprintf(text, room, "ended with exit code %d", WEXITSTATUS(status));
}

static void
serving_ended(const struct child *c, int status, const char *how)
{
    nsec_t lived = clock_precise() - c->started;

    su.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
    if (su.stopping || !su.was_ready || (WIFEXITED(status) && su.exit_code == EXIT_GOOD)) {
        su.stopping = true; /* it was drained, or never came up */
        return;
    }
    if (lived >= SUPERVISOR_STABLE_MS * NSEC_PER_MSEC)
        su.pause = SUPERVISOR_RESTART_MIN_MS * NSEC_PER_MSEC;
    log_error(NULL, "the serving process %d %s after %.1f s; it is started anew in %d ms", (int)c->pid, how,
              (double)lived / NSEC_PER_SEC, (int)(su.pause / NSEC_PER_MSEC));
    su.restart_at = clock_precise() + su.pause;
    su.pause *= 2;
    if (su.pause > SUPERVISOR_RESTART_MAX_MS * NSEC_PER_MSEC)
        su.pause = SUPERVISOR_RESTART_MAX_MS * NSEC_PER_MSEC;
}

static void
child_ended(struct child *c, int status)
{
    char how[128];
    struct child was;

    c->ended = true;
    on_channel(c); /* what it said last */
    child_close_channel(c);
    was = *c;
    c->pid = 0;
    describe_end(status, how, sizeof how);
    switch (was.role) {
    case CHILD_SERVING:
        serving_ended(&was, status, how);
        break;
    case CHILD_CANDIDATE:
        su.upgrade_by = 0;
        held_drop_of(was.pid);
        held_settle_unwanted(false);
        log_error(NULL, "upgrade failed: the new process %d %s before it was ready; the old one goes on", (int)was.pid,
                  how);
        break;
    case CHILD_LEAVING:
        log_notice(NULL, "the replaced process %d %s", (int)was.pid, how);
        break;
    case CHILD_OPENER:
        opener_ended(&was, status, how);
        break;
    }
}

/* Also orphans of others, when this is process 1 of a container. */
static void
reap(void)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (unsigned i = 0; i < CHILDREN_MAX; i++)
            if (child_place(i)->pid == pid)
                child_ended(child_place(i), status);
}

/* ------------------------------------------------------------------ the loop */

static void
on_signal(int signo)
{
    switch (signo) {
    case SIGCHLD:
        reap();
        break;
    case SIGUSR1:
        child_signal_all(signo, true);
        break;
    case SIGUSR2:
        upgrade_begin();
        break;
    case SIGHUP:
        child_signal_all(signo, false);
        break;
    default:
        child_signal_all(signo, true);
        if (su.stopping)
            su.kill_at = clock_precise() + SUPERVISOR_KILL_MS * NSEC_PER_MSEC;
        su.stopping = true;
        if (su.restart_at) /* between two processes nothing is left to drain */
            su.exit_code = EXIT_GOOD;
        su.restart_at = 0;
    }
}

static void
on_signals(void)
{
    struct signalfd_siginfo info;

    while (read(su.signals, &info, sizeof info) == (ssize_t)sizeof info)
        on_signal((int)info.ssi_signo);
}

static void
on_time(void)
{
    nsec_t now = clock_precise();

    if (su.restart_at && now >= su.restart_at)
        start_serving();
    if (su.upgrade_by && now >= su.upgrade_by)
        upgrade_expired();
    if (su.opener_by && now >= su.opener_by)
        opener_expired();
    if (su.kill_at && now >= su.kill_at) {
        su.kill_at = 0;
        child_kill_all();
    }
}

/* Until something is to be done, for poll: -1: nothing is. */
static int
wait_ms(void)
{
    const nsec_t times[] = { su.restart_at, su.upgrade_by, su.kill_at, su.opener_by };
    nsec_t now = clock_precise(), at = 0;

    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (times[i] && (!at || times[i] < at))
            at = times[i];
    if (!at)
        return -1;
    return at <= now ? 0 : (int)((at - now) / NSEC_PER_MSEC) + 1;
}

static void
turn(void)
{
    struct pollfd fds[CHILDREN_MAX + 1] = { { .fd = su.signals, .events = POLLIN } };

    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        const struct child *c = child_place(i);
        fds[i + 1] = (struct pollfd){ .fd = c->pid ? c->channel : -1, .events = POLLIN };
    }
    if (poll(fds, CHILDREN_MAX + 1, wait_ms()) < 0 && errno != EINTR)
        log_error(NULL, "supervisor: %m");
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        if (fds[i + 1].revents)
            on_channel(child_place(i));
    on_signals();
    on_time();
}

static int
prepare(char **argv)
{
    static const int signals[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaddset(&set, signals[i]);
    if (n < 0 || sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
        (su.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return -1;
    path[n] = '\0';
    su.binary = xstrdup(path);
    su.argv = argv;
    child_init(argv, su.binary);
    su.pause = SUPERVISOR_RESTART_MIN_MS * NSEC_PER_MSEC;
    return 0;
}

int
supervisor_run(char **argv, nsec_t upgrade_timeout)
{
    if (prepare(argv) != 0) {
        log_error(NULL, "the supervisor cannot be prepared: %m");
        return EXIT_FAILED;
    }
    su.upgrade_timeout = upgrade_timeout;
    log_out_resume(LOG_ENV);
    if (!inherit_state()) {
        unsigned n = supervised_listen_fds();
        for (unsigned i = 0; i < n; i++)
            held_add(SUPERVISED_LISTEN_FDS_FIRST + (int)i, getpid());
        start_serving();
    }
    reap(); /* who ended while there was another binary here */
    while (!su.stopping || child_any())
        turn();
    return su.exit_code;
}
