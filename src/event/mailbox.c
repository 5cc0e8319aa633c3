#include "mailbox.h"
#include "../base/xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct message {
    struct message *next;
    void (*fn)(void *arg);
    void *arg;
};

struct mailbox {
    struct message *newest; /* atomic: senders push, the receiver takes all */
    struct watch watch;
};

static void
run_all(struct mailbox *m)
{
    struct message *in = __atomic_exchange_n(&m->newest, NULL, __ATOMIC_ACQUIRE), *oldest = NULL;

    while (in) {
        struct message *next = in->next;

        in->next = oldest;
        oldest = in;
        in = next;
    }
    while (oldest) {
        struct message msg = *oldest;

        free(oldest);
        oldest = msg.next;
        msg.fn(msg.arg);
    }
}

/* The descriptor is never read: every write makes a new edge, and 64 bits of counter outlive the process. */
static void
on_posted(struct watch *w, unsigned events)
{
    run_all((struct mailbox *)((char *)w - offsetof(struct mailbox, watch)));
}

struct mailbox *
mailbox_new(struct loop *l)
{
    struct mailbox *m = xcalloc(1, sizeof(*m));
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0) {
        free(m);
        return NULL;
    }
    if (watch_open(&m->watch, l, fd, on_posted) < 0) {
        close(fd);
        free(m);
        return NULL;
    }
    return m;
}

void
mailbox_drain(struct mailbox *m)
{
    while (__atomic_load_n(&m->newest, __ATOMIC_RELAXED))
        run_all(m);
}

void
mailbox_free(struct mailbox *m)
{
    int fd;

    if (!m)
        return;
    mailbox_drain(m);
    fd = m->watch.fd;
    watch_close(&m->watch);
    close(fd);
    free(m);
}

void
mailbox_post(struct mailbox *m, void (*fn)(void *arg), void *arg)
{
    struct message *msg = xmalloc(sizeof(*msg)), *before;
    uint64_t one = 1;

    msg->fn = fn;
    msg->arg = arg;
    before = __atomic_load_n(&m->newest, __ATOMIC_RELAXED);
    do
        msg->next = before;
    while (!__atomic_compare_exchange_n(&m->newest, &before, msg, 1, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    /* msg is the receiver's now. Only the first of a burst wakes it: whoever follows before it takes them finds it
     * awake. */
    if (!before) {
        while (write(m->watch.fd, &one, sizeof(one)) < 0 && errno == EINTR)
            ;
    }
}
