#include "config.h" /* _GNU_SOURCE: pthread_setname_np */

#include "offload.h"
#include "../base/arena.h"
#include "../base/iobuf.h"
#include "../base/xalloc.h"
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#define OFFLOAD_THREADS 4u
#define OFFLOAD_QUEUE 256u

struct job {
    struct job *next;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
    struct mailbox *reply; /* of the worker that asked */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *first, **end;
    unsigned queued, threads, idle;
    pthread_t ids[OFFLOAD_THREADS];
    bool open;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

int
offload_init(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.first = NULL;
    pool.end = &pool.first;
    pool.queued = pool.threads = pool.idle = 0;
    pool.open = true;
    pthread_mutex_unlock(&pool.lock);
    return 0;
}

static void
deliver(void *arg)
{
    struct job *job = arg;

    job->done(job->arg);
    free(job);
}

/* The next job, or NULL when there will be none. */
static struct job *
take(void)
{
    struct job *job;

    pthread_mutex_lock(&pool.lock);
    while (!pool.first && pool.open) {
        pool.idle++;
        pthread_cond_wait(&pool.wake, &pool.lock);
        pool.idle--;
    }
    job = pool.first;
    if (job) {
        pool.first = job->next;
        if (!pool.first)
            pool.end = &pool.first;
        pool.queued--;
    }
    pthread_mutex_unlock(&pool.lock);
    return job;
}

static void *
helper_main(void *arg)
{
    struct job *job;

    while ((job = take())) {
        job->work(job->arg);
        if (job->done)
            mailbox_post(job->reply, deliver, job);
        else
            free(job);
    }
    arena_thread_fini();
    iobuf_thread_fini();
    return NULL;
}

/* With the lock held. Fewer threads than wanted is no failure as long as there is one. */
static int
add_thread(void)
{
    sigset_t block, before;
    int rc;

    sigfillset(&block);
    pthread_sigmask(SIG_SETMASK, &block, &before);
    rc = pthread_create(&pool.ids[pool.threads], NULL, helper_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0) {
        pthread_setname_np(pool.ids[pool.threads], "weir/offload");
        pool.threads++;
    }
    errno = rc;
    return pool.threads ? 0 : -1;
}

/* With the lock held: is there a place for one more job, and somebody to do it? */
static int
admit(void)
{
    if (!pool.open || pool.queued == OFFLOAD_QUEUE) {
        errno = pool.open ? EAGAIN : ESHUTDOWN;
        return -1;
    }
    if (pool.queued < pool.idle || pool.threads == OFFLOAD_THREADS)
        return 0;
    return add_thread();
}

int
offload_run(void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    struct worker *asker = worker_self();
    struct job *job;

    if (done && !asker) {
        errno = EINVAL; /* there is no loop to come back to */
        return -1;
    }
    job = xcalloc(1, sizeof(*job));
    job->work = work;
    job->done = done;
    job->arg = arg;
    job->reply = asker ? asker->mailbox : NULL;
    pthread_mutex_lock(&pool.lock);
    if (admit() < 0) {
        pthread_mutex_unlock(&pool.lock);
        free(job);
        return -1;
    }
    *pool.end = job;
    pool.end = &job->next;
    pool.queued++;
    pthread_cond_signal(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    return 0;
}

void
offload_fini(void)
{
    unsigned i;

    pthread_mutex_lock(&pool.lock);
    pool.open = false;
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    /* No thread is added once the pool is closed. */
    for (i = 0; i < pool.threads; i++)
        pthread_join(pool.ids[i], NULL);
    pool.threads = 0;
}
