#include "../base/xalloc.h"
#include "loop.h"
#include "loop_impl.h"

#include <event2/event.h>
#include <stdlib.h>

struct signal_watch {
    struct loop *loop;
    struct event *ev;
    void (*fn)(int signo, void *arg);
    void *arg;
};

static void
on_signal(evutil_socket_t signo, short what, void *arg)
{
    struct signal_watch *s = arg;

    loop_turn_begin(s->loop);
    s->fn((int)signo, s->arg);
}

struct signal_watch *
signal_watch_new(struct loop *l, int signo, void (*fn)(int signo, void *arg), void *arg)
{
    struct signal_watch *s = xcalloc(1, sizeof(*s));

    s->loop = l;
    s->fn = fn;
    s->arg = arg;
    s->ev = evsignal_new(l->base, signo, on_signal, s);
    if (s->ev && evsignal_add(s->ev, NULL) == 0)
        return s;
    if (s->ev)
        event_free(s->ev);
    free(s);
    return NULL;
}

void
signal_watch_free(struct signal_watch *s)
{
    if (!s)
        return;
    event_free(s->ev); /* deletes it first */
    /* Its own callback may be the one that is running. */
    loop_defer_free(s->loop, free, s);
}
