#include "proxy_intro.h"

#include "../base/log.h"
#include "../base/xalloc.h"
#include "proxy_protocol.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

struct proxy_intro {
    struct watch watch;
    struct timer timer;
    struct proxy_intros *set;
    LIST_ENTRY(proxy_intro) link;
    struct addr peer, local;
    acceptor_fn done;
    void *arg;
    size_t n; /* bytes of the header so far */
    char header[PROXY_HEADER_MAX];
};

struct proxy_intros {
    struct loop *loop;
    LIST_HEAD(, proxy_intro) all;
};

static void
note(const struct proxy_intro *p, const char *error)
{
    char subject[ADDR_TEXT_MAX];

    addr_format(&p->peer, subject);
    log_warning(subject, "PROXY header refused: %s", error);
}

/* fd: for the next owner; -1: it was closed. */
static void
finish(struct proxy_intro *p, int fd, const struct proxy_header *h)
{
    bool announced = h && h->known;

    LIST_REMOVE(p, link);
    timer_fini(&p->timer);
    p->done(fd, announced ? &h->source : &p->peer, announced ? &h->destination : &p->local, p->arg);
    loop_defer_free(p->set->loop, free, p);
}

static void
give_up(struct proxy_intro *p)
{
    int fd = p->watch.fd;

    watch_close(&p->watch);
    close(fd);
    finish(p, -1, NULL);
}

static ssize_t
receive(struct proxy_intro *p, size_t n, int flags)
{
    ssize_t got;

    do
        got = recv(p->watch.fd, p->header + p->n, n, flags);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Looks at what is there, and takes what belongs to the header. False: no more for now, or it is over. The buffer is
 * never full while more is needed: no header is longer than PROXY_HEADER_MAX. */
static bool
advance(struct proxy_intro *p)
{
    const char *error = "the connection ended within it";
    struct proxy_header h;
    ssize_t seen = receive(p, sizeof(p->header) - p->n, MSG_PEEK), used;
    int fd = p->watch.fd;

    if (seen < 0 && errno == EAGAIN)
        return false;
    used = seen > 0 ? proxy_protocol_parse(p->header, p->n + (size_t)seen, &h, &error) : -1;
    if (used < 0) {
        if (seen > 0 || p->n) /* else somebody only looked whether anybody listens */
            note(p, error);
        give_up(p);
        return false;
    }
    receive(p, used ? (size_t)used - p->n : (size_t)seen, 0); /* gives what was seen */
    p->n += (size_t)seen;
    if (used == 0)
        return true;
    watch_close(&p->watch);
    finish(p, fd, &h);
    return false;
}

static void
on_ready(struct watch *w, unsigned events)
{
    (void)events;
    while (advance((struct proxy_intro *)((char *)w - offsetof(struct proxy_intro, watch))))
        ;
}

static void
on_timer(struct timer *t)
{
    struct proxy_intro *p = (struct proxy_intro *)((char *)t - offsetof(struct proxy_intro, timer));

    note(p, "it did not come in time");
    give_up(p);
}

struct proxy_intros *
proxy_intros_new(struct loop *l)
{
    struct proxy_intros *set = xcalloc(1, sizeof(*set));

    set->loop = l;
    LIST_INIT(&set->all);
    return set;
}

void
proxy_intros_abort(struct proxy_intros *set)
{
    struct proxy_intro *p;

    while ((p = LIST_FIRST(&set->all)))
        give_up(p);
}

void
proxy_intros_free(struct proxy_intros *set)
{
    proxy_intros_abort(set);
    free(set);
}

void
proxy_intro_start(struct proxy_intros *set, int fd, const struct addr *peer, const struct addr *local, nsec_t timeout,
                  acceptor_fn done, void *arg)
{
    struct proxy_intro *p = xmalloc(sizeof(*p));

    p->set = set;
    p->peer = *peer;
    p->local = *local;
    p->done = done;
    p->arg = arg;
    p->n = 0;
    if (watch_open(&p->watch, set->loop, fd, on_ready) < 0) {
        close(fd);
        done(-1, peer, local, arg);
        free(p);
        return;
    }
    LIST_INSERT_HEAD(&set->all, p, link);
    timer_init(&p->timer, set->loop, on_timer);
    if (timeout)
        timer_after(&p->timer, timeout);
}
