#include "../base/xalloc.h"
#include "loop.h"
#include "loop_impl.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#define EVENTS_KEPT_MAX 1024u /* 128 KiB per loop */

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
    struct watch *w = arg;
    struct loop *l = w->loop; /* w may go */
    unsigned events = (what & EV_READ ? WATCH_READ : 0) | (what & EV_WRITE ? WATCH_WRITE : 0) |
                      (what & EV_CLOSED ? WATCH_CLOSED : 0);

    loop_turn_begin(l);
    w->on_ready(w, events);
    if (++l->events_seen == LOOP_TURN_EVENTS || l->bytes_read >= LOOP_TURN_BYTES) {
        l->cut_short = true;
        event_base_loopbreak(l->base); /* the others stay active, and are the first of the next turn */
    }
}

/* The only event_assign of this program, and always on a struct that is in no list of libevent: assigning one that is
 * pending would tie its queue into a ring. */
static int
open_with(struct watch *w, struct loop *l, int fd, void (*on_ready)(struct watch *, unsigned), short what)
{
    struct event *ev = recycle_get(&l->events, sizeof(*ev));

    w->loop = l;
    w->fd = -1;
    w->on_ready = on_ready;
    w->impl = NULL;
    if (event_assign(ev, l->base, fd, what, on_event, w) < 0 || event_add(ev, NULL) < 0) {
        int sys = errno;

        recycle_put(&l->events, ev, sizeof(*ev), EVENTS_KEPT_MAX);
        errno = sys;
        return -1;
    }
    w->fd = fd;
    w->impl = ev;
    return 0;
}

int
watch_open(struct watch *w, struct loop *l, int fd, void (*on_ready)(struct watch *, unsigned))
{
    return open_with(w, l, fd, on_ready, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST);
}

int
watch_open_level(struct watch *w, struct loop *l, int fd, void (*on_ready)(struct watch *, unsigned))
{
    return open_with(w, l, fd, on_ready, EV_READ | EV_PERSIST);
}

bool
watch_has_news(const struct watch *w)
{
    const struct event *ev = w->impl;

    return ev && ev->ev_evcallback.evcb_flags & EVLIST_ACTIVE;
}

void
watch_pause(struct watch *w)
{
    if (w->impl)
        event_del(w->impl); /* nothing happens when it is not pending */
}

void
watch_resume(struct watch *w)
{
    if (w->impl && !event_pending(w->impl, EV_READ, NULL))
        event_add(w->impl, NULL);
}

void
watch_close(struct watch *w)
{
    struct event *ev = w->impl;

    if (!ev)
        return;
    /* Takes it off the list of active events too: what epoll reported in this turn is forgotten. */
    event_del(ev);
    assert(!event_pending(ev, EV_READ | EV_WRITE | EV_TIMEOUT | EV_SIGNAL, NULL));
    recycle_put(&w->loop->events, ev, sizeof(*ev), EVENTS_KEPT_MAX);
    w->impl = NULL;
    w->fd = -1;
}
