#include "child.h"

#include "../base/log.h"
#include "../base/strbuf.h"
#include "channel.h"
#include "command.h"
#include "held.h"
#include "opener.h"
#include "supervised.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct child children[CHILDREN_MAX];
static char **argv;
static const char *shown;

void
child_init(char **words, const char *binary)
{
    argv = words;
    shown = binary;
}

struct child *
child_place(unsigned i)
{
    return &children[i];
}

struct child *
child_find(enum child_role role)
{
    for (struct child *c = children; c < children + CHILDREN_MAX; c++)
        if (c->pid && c->role == role)
            return c;
    return NULL;
}

bool
child_any(void)
{
    for (struct child *c = children; c < children + CHILDREN_MAX; c++)
        if (c->pid)
            return true;
    return false;
}

/* ------------------------------------------------------------------ beginning */

static struct child *
free_place(void)
{
    for (struct child *c = children; c < children + CHILDREN_MAX; c++)
        if (!c->pid)
            return c;
    return NULL;
}

static struct child *
take_place(struct child *c, pid_t pid, int channel, enum child_role role)
{
    *c = (struct child){ .pid = pid, .channel = channel, .role = role, .started = clock_precise() };
    return c;
}

static void
over_exec(int fd, bool keep)
{
    fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
}

/* In the new process, before it becomes the binary: what it inherits is said in its environment. */
static void
become_child(const char *binary, enum child_role role, int channel)
{
    struct strbuf text, lent;
    char number[16];
    unsigned n;
    const struct held *held = held_all(&n);
    sigset_t none;

    setpgid(0, 0); /* Ctrl-C is for the supervisor, which passes it on once */
    strbuf_init(&text, SIZE_MAX);
    strbuf_init(&lent, SIZE_MAX);
    strbuf_addf(&text, "%d", channel);
    over_exec(channel, true);
    held_over_exec(true);
    for (unsigned i = 0; i < n; i++) {
        strbuf_addf(&text, ":%d", held[i].fd);
        if (held[i].owner == getppid())
            strbuf_addf(&lent, "%s%d", lent.n ? ":" : "", held[i].fd);
    }
    setenv(SUPERVISED_ENV, text.p, 1);
    if (lent.n)
        setenv(SUPERVISED_LENT_ENV, lent.p, 1);
    if (role == CHILD_OPENER)
        setenv(OPENER_ENV, "1", 1);
    unsetenv("NOTIFY_SOCKET");
    snprintf(number, sizeof number, "%d", (int)getpid());
    if (getenv("WATCHDOG_PID"))
        setenv("WATCHDOG_PID", number, 1);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(binary, argv);
    log_error(NULL, "%s cannot be started: %m", shown);
    _exit(EXIT_FAILED);
}

struct child *
child_start(const char *binary, enum child_role role)
{
    struct child *c = free_place();
    int ends[2];

    if (!c) {
        log_error(NULL, "no process can be started: %d old ones still finish their work", CHILDREN_MAX - 1);
        return NULL;
    }
    if (channel_pair(ends) != 0) {
        log_error(NULL, "no process can be started: %m");
        return NULL;
    }
    pid_t pid = fork();
    if (pid == 0)
        become_child(binary, role, ends[1]);
    close(ends[1]);
    if (pid < 0) {
        log_error(NULL, "no process can be started: %m");
        close(ends[0]);
        return NULL;
    }
    return take_place(c, pid, ends[0], role);
}

struct child *
child_adopt(pid_t pid, int channel, enum child_role role)
{
    struct child *c = free_place();

    over_exec(channel, false);
    return c ? take_place(c, pid, channel, role) : NULL;
}

void
child_over_exec(bool keep)
{
    for (struct child *c = children; c < children + CHILDREN_MAX; c++)
        if (c->pid && c->channel >= 0)
            over_exec(c->channel, keep);
}

/* ------------------------------------------------------------------ orders and ends */

/* By the channel: a signal that was sent to the whole group (systemd, pkill) is obeyed once, since serving processes
 * leave theirs to the supervisor. */
void
child_signal_all(int signo, bool all)
{
    char number[8];
    struct slice text = slice_of(number, (size_t)snprintf(number, sizeof number, "%d", signo));

    for (struct child *c = children; c < children + CHILDREN_MAX; c++)
        if (c->pid && (all || c->role == CHILD_SERVING) && channel_send(c->channel, CHANNEL_SIGNAL, text, -1) != 0)
            log_error(NULL, "process %d could not be told of signal %d: %m", (int)c->pid, signo);
}

void
child_kill_all(void)
{
    for (struct child *c = children; c < children + CHILDREN_MAX; c++)
        if (c->pid)
            kill(c->pid, SIGKILL);
}

void
child_close_channel(struct child *c)
{
    if (c->channel >= 0)
        close(c->channel);
    c->channel = -1;
}
