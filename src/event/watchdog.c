#include "config.h" /* _GNU_SOURCE: pthread_setname_np */

#include "watchdog.h"
#include "../base/log.h"
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

static struct {
    pthread_t thread;
    pthread_mutex_t lock; /* for open, with wake */
    pthread_cond_t wake;
    bool running; /* there is a thread; the starter's only */
    bool open;
    nsec_t limit; /* atomic; 0: not watching */
} dog = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* When the turn began that has lasted longer than the limit; 0 when all is well. */
static nsec_t
stuck_since(unsigned id, nsec_t limit, nsec_t now)
{
    nsec_t started = loop_turn_started(worker_get(id)->loop);

    return started && now - started > limit ? started : 0;
}

bool
watchdog_stuck(void)
{
    nsec_t limit = __atomic_load_n(&dog.limit, __ATOMIC_RELAXED), now = clock_precise();
    unsigned id;

    for (id = 0; limit && id <= workers_count(); id++) {
        if (stuck_since(id, limit, now))
            return true;
    }
    return false;
}

/* Each stuck turn is reported once, and once more when it is over. */
static void
look(nsec_t *reported)
{
    nsec_t now = clock_precise();
    unsigned id;

    for (id = 0; id <= workers_count(); id++) {
        const char *name = loop_name(worker_get(id)->loop);
        nsec_t since = stuck_since(id, dog.limit, now);

        if (since == reported[id])
            continue;
        if (reported[id])
            log_warning(name, "the loop is running again");
        if (since)
            log_error(name, "the loop is stuck: one turn has taken %.1f s",
                      (double)(now - since) / (double)NSEC_PER_SEC);
        reported[id] = since;
    }
}

/* Until the next look is due, or the watchdog is stopped; false then. */
static bool
wait_a_while(void)
{
    nsec_t until = clock_precise() + dog.limit / 4;
    struct timespec ts = { .tv_sec = (time_t)(until / NSEC_PER_SEC), .tv_nsec = (long)(until % NSEC_PER_SEC) };
    bool open;
    int rc = 0;

    pthread_mutex_lock(&dog.lock);
    while (dog.open && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&dog.wake, &dog.lock, &ts);
    open = dog.open;
    pthread_mutex_unlock(&dog.lock);
    return open;
}

static void *
watchdog_main(void *arg)
{
    nsec_t reported[WORKER_MAX] = { 0 };

    while (wait_a_while())
        look(reported);
    return NULL;
}

static void
wake_init(void)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&dog.wake, &attr);
    pthread_condattr_destroy(&attr);
}

int
watchdog_start(nsec_t limit)
{
    sigset_t block, before;
    int rc;

    if (dog.running || limit <= 0) {
        errno = EINVAL;
        return -1;
    }
    wake_init();
    dog.open = true;
    __atomic_store_n(&dog.limit, limit, __ATOMIC_RELAXED);
    sigfillset(&block);
    pthread_sigmask(SIG_SETMASK, &block, &before);
    rc = pthread_create(&dog.thread, NULL, watchdog_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc) {
        __atomic_store_n(&dog.limit, 0, __ATOMIC_RELAXED);
        pthread_cond_destroy(&dog.wake);
        errno = rc;
        return -1;
    }
    pthread_setname_np(dog.thread, "weir/watchdog");
    dog.running = true;
    return 0;
}

void
watchdog_stop(void)
{
    if (!dog.running)
        return;
    pthread_mutex_lock(&dog.lock);
    dog.open = false;
    pthread_cond_signal(&dog.wake);
    pthread_mutex_unlock(&dog.lock);
    pthread_join(dog.thread, NULL);
    pthread_cond_destroy(&dog.wake);
    __atomic_store_n(&dog.limit, 0, __ATOMIC_RELAXED);
    dog.running = false;
}
