#include "config.h" /* _GNU_SOURCE: pthread_setname_np */

#include "worker.h"
#include "../base/arena.h"
#include "../base/iobuf.h"
#include "../base/thread.h"
#include "../base/xalloc.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
    struct worker *workers; /* [0] is the service worker */
    pthread_t *threads;
    unsigned n;             /* proxy workers */
    unsigned started;
    void (*on_start)(struct worker *);
    void (*on_stop)(struct worker *);
    pthread_mutex_t lock; /* for left */
    pthread_cond_t all_left;
    unsigned left; /* workers whose loop has ended */
} all = { .lock = PTHREAD_MUTEX_INITIALIZER, .all_left = PTHREAD_COND_INITIALIZER };

static __thread struct worker *self;

static void
become(struct worker *w)
{
    self = w;
    thread_number = w ? w->id : THREAD_NONE;
}

static int
worker_open(struct worker *w, unsigned id)
{
    char name[32];

    if (id == WORKER_SERVICE)
        snprintf(name, sizeof(name), "service");
    else
        snprintf(name, sizeof(name), "worker %u", id);
    w->id = id;
    w->loop = loop_new(name);
    if (!w->loop)
        return -1;
    w->mailbox = mailbox_new(w->loop);
    return w->mailbox ? 0 : -1;
}

int
workers_init(unsigned n)
{
    unsigned id;

    if (all.workers || n >= WORKER_MAX) {
        errno = EINVAL;
        return -1;
    }
    all.workers = xcalloc(n + 1, sizeof(*all.workers));
    all.threads = xcalloc(n + 1, sizeof(*all.threads));
    all.n = n;
    all.started = all.left = 0;
    for (id = 0; id <= n; id++) {
        if (worker_open(&all.workers[id], id) < 0) {
            int sys = errno;

            workers_fini();
            errno = sys;
            return -1;
        }
    }
    become(&all.workers[WORKER_SERVICE]);
    return 0;
}

/* Until every worker's loop has ended: from then on no worker posts to another as part of its work. */
static void
wait_for_the_others(void)
{
    pthread_mutex_lock(&all.lock);
    all.left++;
    pthread_cond_broadcast(&all.all_left);
    while (all.left < all.started)
        pthread_cond_wait(&all.all_left, &all.lock);
    pthread_mutex_unlock(&all.lock);
}

static void *
worker_main(void *arg)
{
    struct worker *w = arg;

    become(w);
    if (all.on_start)
        all.on_start(w);
    loop_run(w->loop);
    wait_for_the_others();
    mailbox_drain(w->mailbox);
    if (all.on_stop)
        all.on_stop(w);
    /* What on_stop closed is freed at the end of a turn: give it one. */
    loop_stop(w->loop);
    loop_run(w->loop);
    arena_thread_fini();
    iobuf_thread_fini();
    become(NULL);
    return NULL;
}

/* Signals are the service thread's: a worker starts with all of them blocked. */
static int
start_thread(struct worker *w)
{
    sigset_t block, before;
    char name[16];
    int rc;

    sigfillset(&block);
    pthread_sigmask(SIG_SETMASK, &block, &before);
    rc = pthread_create(&all.threads[w->id], NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc) {
        errno = rc;
        return -1;
    }
    snprintf(name, sizeof(name), "weir/%u", w->id);
    pthread_setname_np(all.threads[w->id], name);
    return 0;
}

int
workers_start(void (*on_start)(struct worker *), void (*on_stop)(struct worker *))
{
    unsigned id;

    all.on_start = on_start;
    all.on_stop = on_stop;
    all.left = 0;
    for (id = 1; id <= all.n; id++) {
        if (start_thread(&all.workers[id]) < 0) {
            int sys = errno;

            workers_stop();
            errno = sys;
            return -1;
        }
        pthread_mutex_lock(&all.lock);
        all.started++;
        pthread_mutex_unlock(&all.lock);
    }
    return 0;
}

static void
stop_loop(void *arg)
{
    loop_stop(arg);
}

void
workers_stop(void)
{
    unsigned id, n = all.started;

    for (id = 1; id <= n; id++)
        worker_post(id, stop_loop, all.workers[id].loop);
    for (id = 1; id <= n; id++)
        pthread_join(all.threads[id], NULL);
    all.started = 0;
}

void
workers_fini(void)
{
    unsigned id;

    if (!all.workers)
        return;
    for (id = 0; id <= all.n; id++)
        mailbox_free(all.workers[id].mailbox);
    for (id = 0; id <= all.n; id++)
        loop_free(all.workers[id].loop);
    free(all.workers);
    free(all.threads);
    all.workers = NULL;
    all.threads = NULL;
    all.n = 0;
    become(NULL);
}

unsigned
workers_count(void)
{
    return all.n;
}

struct worker *
worker_get(unsigned id)
{
    return all.workers && id <= all.n ? &all.workers[id] : NULL;
}

struct worker *
worker_self(void)
{
    return self;
}

unsigned
worker_self_id(void)
{
    return self ? self->id : WORKER_SERVICE;
}

void
worker_post(unsigned id, void (*fn)(void *), void *arg)
{
    mailbox_post(all.workers[id].mailbox, fn, arg);
}
