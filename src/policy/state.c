/* state: memory under a key that outlives generations. A state that nobody holds is kept for 60 s, so that a reload
 * (which puts the old generation's references some time after or before it takes new ones) finds it again. */
#include "host.h"
#include "module.h"

#include "../base/clock.h"
#include "../base/xalloc.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <uthash.h>

#define STATE_KEEP (60 * NSEC_PER_SEC)

struct weir_state {
    unsigned refs;  /* under the lock */
    nsec_t expires; /* while refs is 0 */
    void (*fini)(void *);
    void *data;
    TAILQ_ENTRY(weir_state) unheld; /* while refs is 0 */
    UT_hash_handle hh;
    size_t key_len;
    char key[]; /* the size, then the caller's key: another size is another state */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct weir_state *states;
TAILQ_HEAD(state_queue, weir_state);
static struct state_queue unheld = TAILQ_HEAD_INITIALIZER(unheld); /* in the order in which they expire */

/* Unlinks what is over; the lock is held. Returns a list of them, to be ended without it. */
static struct weir_state *
take_expired(nsec_t now)
{
    struct weir_state *s, *expired = NULL;

    while ((s = TAILQ_FIRST(&unheld)) && s->expires <= now) {
        TAILQ_REMOVE(&unheld, s, unheld);
        HASH_DEL(states, s);
        s->hh.next = expired;
        expired = s;
    }
    return expired;
}

static void
end(struct weir_state *list)
{
    while (list) {
        struct weir_state *s = list;

        list = s->hh.next;
        if (s->fini)
            s->fini(s->data);
        free(s->data);
        free(s);
    }
}

void
keyed_state_sweep(int64_t now)
{
    struct weir_state *expired;

    pthread_mutex_lock(&lock);
    expired = take_expired(now);
    pthread_mutex_unlock(&lock);
    end(expired);
}

static struct weir_state *
make(const char *key, size_t len, size_t size)
{
    struct weir_state *s = xcalloc(1, sizeof(*s) + len);

    memcpy(s->key, key, len);
    s->key_len = len;
    s->data = xcalloc(1, size ? size : 1);
    return s;
}

struct weir_state *
keyed_state_get(const char *key, size_t size, void (*init)(void *), void (*fini)(void *))
{
    size_t n = strlen(key), len = sizeof(size) + n;
    char *full = xmalloc(len);
    struct weir_state *s, *expired;

    memcpy(full, &size, sizeof(size));
    memcpy(full + sizeof(size), key, n);
    pthread_mutex_lock(&lock);
    HASH_FIND(hh, states, full, len, s);
    if (!s) {
        s = make(full, len, size);
        s->fini = fini;
        if (init)
            init(s->data);
        HASH_ADD_KEYPTR(hh, states, s->key, s->key_len, s);
    } else if (s->refs == 0) {
        TAILQ_REMOVE(&unheld, s, unheld);
    }
    s->refs++;
    expired = take_expired(clock_now());
    pthread_mutex_unlock(&lock);
    free(full);
    end(expired);
    return s;
}

void *
keyed_state_data(struct weir_state *s)
{
    return s->data;
}

void
keyed_state_hold(struct weir_state *s)
{
    pthread_mutex_lock(&lock);
    s->refs++; /* there is at least one: the caller's */
    pthread_mutex_unlock(&lock);
}

void
keyed_state_put(struct weir_state *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&lock);
    if (--s->refs == 0) {
        s->expires = clock_precise() + STATE_KEEP;
        TAILQ_INSERT_TAIL(&unheld, s, unheld);
    }
    pthread_mutex_unlock(&lock);
}
