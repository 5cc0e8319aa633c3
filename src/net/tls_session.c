#include "tls_session.h"

#include "../base/clock.h"
#include "../base/xalloc.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <uthash.h>

#define LIFETIME 3600 /* seconds: a certificate that is withdrawn meanwhile is noticed after that */

struct kept {
    SSL_SESSION *session;
    int64_t until; /* wall, seconds */
    TAILQ_ENTRY(kept) order;
    UT_hash_handle hh;
    char key[]; /* address, identity, name */
};

static _Thread_local struct {
    struct kept *all;
    TAILQ_HEAD(kept_order, kept) order; /* newest first; in use while `all` is not NULL */
} kept;

#define KEY_MAX (sizeof(uint64_t) + ADDR_TEXT_MAX + 256)

static size_t
make_key(char *key, const struct addr *to, const char *name, uint64_t identity)
{
    char text[ADDR_TEXT_MAX];
    size_t n = addr_format(to, text), len = strnlen(name, 255);

    memcpy(key, &identity, sizeof(identity));
    memcpy(key + sizeof(identity), text, n + 1);
    memcpy(key + sizeof(identity) + n + 1, name, len);
    return sizeof(identity) + n + 1 + len;
}

static struct kept *
find(const char *key, size_t n)
{
    struct kept *k;

    HASH_FIND(hh, kept.all, key, n, k);
    return k;
}

static void
forget(struct kept *k)
{
    TAILQ_REMOVE(&kept.order, k, order);
    HASH_DEL(kept.all, k);
    SSL_SESSION_free(k->session);
    free(k);
}

SSL_SESSION *
tls_session_find(const struct addr *to, const char *name, uint64_t identity)
{
    char key[KEY_MAX];
    struct kept *k = find(key, make_key(key, to, name, identity));

    if (k && k->until < clock_wall() / NSEC_PER_SEC) {
        forget(k);
        k = NULL;
    }
    if (!k)
        return NULL;
    TAILQ_REMOVE(&kept.order, k, order);
    TAILQ_INSERT_HEAD(&kept.order, k, order);
    SSL_SESSION_up_ref(k->session);
    return k->session;
}

void
tls_session_keep(const struct addr *to, const char *name, uint64_t identity, SSL_SESSION *s, bool renewed)
{
    char key[KEY_MAX];
    size_t n = make_key(key, to, name, identity);
    int64_t now = clock_wall() / NSEC_PER_SEC;
    struct kept *k = find(key, n);
    int64_t until = !renewed ? now + LIFETIME : k ? k->until : 0;

    if (k)
        forget(k);
    if (until <= now) {
        SSL_SESSION_free(s);
        return;
    }
    if (HASH_COUNT(kept.all) == 0)
        TAILQ_INIT(&kept.order);
    else if (HASH_COUNT(kept.all) >= TLS_SESSIONS_MAX)
        forget(TAILQ_LAST(&kept.order, kept_order));
    k = xcalloc(1, sizeof(*k) + n);
    k->session = s;
    k->until = until;
    memcpy(k->key, key, n);
    HASH_ADD_KEYPTR(hh, kept.all, k->key, n, k);
    TAILQ_INSERT_HEAD(&kept.order, k, order);
}

void
tls_session_drop(const struct addr *to, const char *name, uint64_t identity)
{
    char key[KEY_MAX];
    struct kept *k = find(key, make_key(key, to, name, identity));

    if (k)
        forget(k);
}

void
tls_sessions_forget(void)
{
    while (HASH_COUNT(kept.all) > 0)
        forget(TAILQ_FIRST(&kept.order));
}
