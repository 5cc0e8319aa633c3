#include "init.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct signal_watch *children;

/* As a shell says that a signal ended somebody: process 1 cannot be ended by its own. */
static void
on_early_end(int signo)
{
    _exit(128 + signo);
}

void
init_begin(void)
{
    if (getpid() != 1)
        return;
    signal(SIGTERM, on_early_end);
    signal(SIGINT, on_early_end);
}

static void
on_child(int signo, void *arg)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

void
init_start(struct loop *l)
{
    if (getpid() != 1)
        return;
    children = signal_watch_new(l, SIGCHLD, on_child, NULL);
    on_child(SIGCHLD, NULL); /* who ended before */
}

void
init_fini(void)
{
    signal_watch_free(children);
    children = NULL;
}
