#include "resolver.h"

#include "../base/log.h"
#include "../base/random.h"
#include "../base/xalloc.h"

#include <ares.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define TTL_MIN 1
#define TTL_MAX 30
#define TRY_TIMEOUT_MS 2000
#define TRIES 2
#define NAME_LEN_MAX 255

/* One of c-ares's sockets. */
struct dns_socket {
    struct watch watch;
    struct dns_socket *next;
    struct resolver *resolver;
    bool reading, writing;
    bool closed;
};

/* One name that somebody watches. Freed when nobody does and no query of it runs. */
struct name {
    struct name *next;
    struct resolver *resolver;
    struct resolver_watch *watches;
    struct timer again;                    /* the next query */
    struct task task;                      /* what a new watch asked for */
    struct addr addrs[RESOLVER_ADDRS_MAX]; /* port 0; sorted */
    unsigned n;                            /* 0: never resolved */
    unsigned failures;                     /* in a row */
    bool querying, delivering;
    char error[160]; /* of the last failed try */
    char text[];
};

struct resolver_watch {
    struct resolver_watch *next;
    struct name *name;
    uint16_t port;
    bool pending; /* on_change is due */
    resolver_change on_change;
    void *arg;
};

struct resolver_lookup {
    struct resolver_lookup *next, **link; /* in resolver->lookups */
    struct resolver *resolver;
    struct resolver_watch *watch;
    struct timer deadline;
    resolver_change done;
    void *arg;
};

struct resolver {
    struct loop *loop;
    ares_channel channel;
    struct timer timer; /* c-ares's own timeouts */
    struct dns_socket *sockets;
    struct name *names;
    struct resolver_lookup *lookups;
};

/* ------------------------------------------------------------------ c-ares on the loop */

static void
arm(struct resolver *r)
{
    struct timeval tv;

    if (ares_timeout(r->channel, NULL, &tv))
        timer_after(&r->timer, tv.tv_sec * NSEC_PER_SEC + tv.tv_usec * 1000 + NSEC_PER_MSEC);
    else
        timer_clear(&r->timer);
}

static void
on_timer(struct timer *t)
{
    struct resolver *r = (struct resolver *)((char *)t - offsetof(struct resolver, timer));

    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm(r);
}

/* c-ares expects level-triggered readiness: it may leave bytes in a TCP socket. So it is asked again while there is
 * something. */
static void
on_socket(struct watch *w, unsigned events)
{
    struct dns_socket *s = (struct dns_socket *)((char *)w - offsetof(struct dns_socket, watch));
    struct resolver *r = s->resolver;
    unsigned rounds = 0;
    struct pollfd p = { .fd = w->fd };

    do {
        bool in = s->reading && (events & (WATCH_READ | WATCH_CLOSED)), out = s->writing && (events & WATCH_WRITE);

        if (in || out)
            ares_process_fd(r->channel, in ? p.fd : ARES_SOCKET_BAD, out ? p.fd : ARES_SOCKET_BAD);
        if (s->closed)
            break;
        p.events = (short)((s->reading ? POLLIN : 0) | (s->writing ? POLLOUT : 0));
        p.revents = 0;
        if (poll(&p, 1, 0) <= 0)
            break;
        events = (p.revents & ~POLLOUT ? WATCH_READ : 0) | (p.revents & ~POLLIN ? WATCH_WRITE : 0);
    } while (++rounds < 1000);
    arm(r);
}

static void
on_socket_state(void *arg, ares_socket_t fd, int reading, int writing)
{
    struct resolver *r = arg;
    struct dns_socket **at = &r->sockets, *s;

    while (*at && (*at)->watch.fd != fd)
        at = &(*at)->next;
    s = *at;
    if (!s && (reading || writing)) {
        s = xcalloc(1, sizeof(*s));
        s->resolver = r;
        if (watch_open(&s->watch, r->loop, fd, on_socket) < 0) {
            log_error("resolver", "a DNS socket cannot be watched: %m"); /* its query will time out */
            free(s);
            return;
        }
        s->next = r->sockets;
        r->sockets = s;
    }
    if (!s)
        return;
    s->reading = reading;
    s->writing = writing;
    if (reading || writing)
        return;
    *at = s->next;
    s->closed = true;
    watch_close(&s->watch);
    loop_defer_free(r->loop, free, s);
}

/* ------------------------------------------------------------------ names */

static void
name_reap(struct name *n)
{
    struct name **at;

    if (n->watches || n->querying || n->delivering)
        return;
    for (at = &n->resolver->names; *at != n; at = &(*at)->next)
        ;
    *at = n->next;
    task_cancel(n->resolver->loop, &n->task);
    timer_fini(&n->again);
    free(n);
}

/* Callbacks may add and free watches, this one's too: the list is searched from its head each time. */
static void
name_deliver(struct name *n)
{
    struct addr addrs[RESOLVER_ADDRS_MAX];
    struct resolver_watch *w;

    n->delivering = true;
    for (;;) {
        for (w = n->watches; w && !w->pending; w = w->next)
            ;
        if (!w)
            break;
        w->pending = false;
        for (unsigned i = 0; i < n->n; i++) {
            addrs[i] = n->addrs[i];
            addr_set_port(&addrs[i], w->port);
        }
        w->on_change(n->n ? addrs : NULL, n->n, n->n ? NULL : n->error, w->arg);
    }
    n->delivering = false;
    name_reap(n);
}

static void
name_failed(struct name *n, const char *why)
{
    unsigned shift = n->failures < 5 ? n->failures : 5;
    nsec_t pause = (1LL << shift) * NSEC_PER_SEC;

    snprintf(n->error, sizeof(n->error), "%s", why);
    if (pause > TTL_MAX * NSEC_PER_SEC)
        pause = TTL_MAX * NSEC_PER_SEC;
    if (n->failures++ == 0 && n->n)
        log_warning("resolver", "%s: %s; the last good answer is kept", n->text, why);
    else if (n->failures == 1)
        log_warning("resolver", "%s: %s", n->text, why);
    timer_after(&n->again, pause - (nsec_t)random_below((uint64_t)pause / 8));
    if (n->n)
        return;
    for (struct resolver_watch *w = n->watches; w; w = w->next)
        w->pending = true;
}

static int
compare(const void *a, const void *b)
{
    return addr_compare(a, b);
}

/* Sorted and without repetition, so that equal sets are equal arrays. */
static unsigned
collect(const struct ares_addrinfo *ai, struct addr *out)
{
    struct addr all[4 * RESOLVER_ADDRS_MAX];
    unsigned n = 0, kept = 0;

    for (const struct ares_addrinfo_node *i = ai->nodes; i && n < 4 * RESOLVER_ADDRS_MAX; i = i->ai_next) {
        addr_from_sockaddr(&all[n], i->ai_addr, i->ai_addrlen);
        addr_set_port(&all[n], 0);
        n += all[n].len != 0;
    }
    qsort(all, n, sizeof(all[0]), compare);
    for (unsigned i = 0; i < n && kept < RESOLVER_ADDRS_MAX; i++)
        if (!kept || !addr_equal(&out[kept - 1], &all[i]))
            out[kept++] = all[i];
    return kept;
}

static int
ttl_of(const struct ares_addrinfo *ai)
{
    int ttl = TTL_MAX;

    for (const struct ares_addrinfo_node *i = ai->nodes; i; i = i->ai_next)
        ttl = i->ai_ttl < ttl ? i->ai_ttl : ttl;
    for (const struct ares_addrinfo_cname *i = ai->cnames; i; i = i->next)
        ttl = i->ttl < ttl ? i->ttl : ttl;
    return ttl < TTL_MIN ? TTL_MIN : ttl;
}

static bool
same_set(const struct name *n, const struct addr *addrs, unsigned count)
{
    unsigned i;

    if (n->n != count)
        return false;
    for (i = 0; i < count && addr_equal(&n->addrs[i], &addrs[i]); i++)
        ;
    return i == count;
}

static void
name_answered(struct name *n, const struct ares_addrinfo *ai)
{
    struct addr addrs[RESOLVER_ADDRS_MAX];
    unsigned count = collect(ai, addrs);

    if (!count) {
        name_failed(n, "DNS has no address of this name");
        return;
    }
    if (n->failures)
        log_notice("resolver", "%s: resolved again", n->text);
    n->failures = 0;
    timer_after(&n->again, ttl_of(ai) * NSEC_PER_SEC);
    if (same_set(n, addrs, count))
        return;
    memcpy(n->addrs, addrs, count * sizeof(addrs[0]));
    n->n = count;
    for (struct resolver_watch *w = n->watches; w; w = w->next)
        w->pending = true;
}

static void
on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
    struct name *n = arg;
    char why[160];

    n->querying = false;
    if (status == ARES_EDESTRUCTION)
        return; /* resolver_free frees the name */
    if (status == ARES_SUCCESS && ai) {
        name_answered(n, ai);
    } else {
        snprintf(why, sizeof(why), "DNS: %s", ares_strerror(status));
        name_failed(n, why);
    }
    if (ai)
        ares_freeaddrinfo(ai);
    name_deliver(n);
}

static void
name_query(struct name *n)
{
    struct resolver *r = n->resolver;
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT | ARES_AI_ENVHOSTS,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };

    if (n->querying)
        return;
    n->querying = true;
    ares_getaddrinfo(r->channel, n->text, NULL, &hints, on_answer, n); /* may answer, and free n, at once */
    arm(r);
}

static void
on_again(struct timer *t)
{
    name_query((struct name *)((char *)t - offsetof(struct name, again)));
}

static void
on_task(struct task *t)
{
    struct name *n = (struct name *)((char *)t - offsetof(struct name, task));

    if (n->n)
        name_deliver(n);
    else
        name_query(n);
}

static struct name *
name_get(struct resolver *r, struct slice text)
{
    struct name *n;

    for (n = r->names; n; n = n->next)
        if (slice_ieq(slice_str(n->text), text))
            return n;
    n = xcalloc(1, sizeof(*n) + text.n + 1);
    memcpy(n->text, text.p, text.n);
    n->resolver = r;
    n->task.run = on_task;
    timer_init(&n->again, r->loop, on_again);
    n->n = addr_parse_ip(text, &n->addrs[0]) == 0; /* an address is its own answer, for ever */
    n->next = r->names;
    r->names = n;
    return n;
}

/* ------------------------------------------------------------------ watches and lookups */

struct resolver_watch *
resolver_watch_new(struct resolver *r, struct slice name, uint16_t port, resolver_change on_change, void *arg)
{
    struct resolver_watch *w = xcalloc(1, sizeof(*w));

    if (name.n > NAME_LEN_MAX)
        name.n = NAME_LEN_MAX; /* no such name exists; the query will say so */
    w->name = name_get(r, name);
    w->port = port;
    w->on_change = on_change;
    w->arg = arg;
    w->pending = w->name->n != 0;
    w->next = w->name->watches;
    w->name->watches = w;
    loop_at_turn_end(r->loop, &w->name->task);
    return w;
}

void
resolver_watch_free(struct resolver_watch *w)
{
    struct resolver_watch **at;

    if (!w)
        return;
    for (at = &w->name->watches; *at != w; at = &(*at)->next)
        ;
    *at = w->next;
    name_reap(w->name);
    free(w);
}

static void
lookup_end(struct resolver_lookup *k, const struct addr *addrs, unsigned n, const char *error)
{
    resolver_change done = k->done;
    void *arg = k->arg;

    resolver_lookup_cancel(k);
    done(addrs, n, error, arg);
}

static void
lookup_on_change(const struct addr *addrs, unsigned n, const char *error, void *arg)
{
    lookup_end(arg, addrs, n, error);
}

static void
lookup_on_deadline(struct timer *t)
{
    lookup_end((struct resolver_lookup *)((char *)t - offsetof(struct resolver_lookup, deadline)), NULL, 0,
               "DNS: no answer in time");
}

struct resolver_lookup *
resolver_lookup(struct resolver *r, struct slice name, uint16_t port, nsec_t timeout, resolver_change done, void *arg)
{
    struct resolver_lookup *k = xcalloc(1, sizeof(*k));

    k->resolver = r;
    k->done = done;
    k->arg = arg;
    k->next = r->lookups;
    k->link = &r->lookups;
    if (k->next)
        k->next->link = &k->next;
    r->lookups = k;
    timer_init(&k->deadline, r->loop, lookup_on_deadline);
    timer_after(&k->deadline, timeout);
    k->watch = resolver_watch_new(r, name, port, lookup_on_change, k);
    return k;
}

void
resolver_lookup_cancel(struct resolver_lookup *k)
{
    if (!k)
        return;
    *k->link = k->next;
    if (k->next)
        k->next->link = k->link;
    timer_fini(&k->deadline);
    resolver_watch_free(k->watch);
    free(k);
}

/* ------------------------------------------------------------------ life */

static int
open_channel(struct resolver *r, struct err *e)
{
    static char lookups[] = "fb"; /* the hosts file, then DNS */
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH,
        .timeout = TRY_TIMEOUT_MS,
        .tries = TRIES,
        .lookups = lookups,
        .ndomains = 0,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = r,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS |
               ARES_OPT_SOCK_STATE_CB;
    const char *servers = getenv("WEIR_DNS_SERVERS");
    int status = ares_init_options(&r->channel, &options, mask);

    if (status != ARES_SUCCESS)
        return err_set(e, ERR_STATE, "DNS cannot be set up: %s (see /etc/resolv.conf)", ares_strerror(status));
    if (!servers || !*servers)
        return 0;
    status = ares_set_servers_ports_csv(r->channel, servers);
    if (status == ARES_SUCCESS)
        return 0;
    ares_destroy(r->channel);
    return err_set(e, ERR_INPUT, "WEIR_DNS_SERVERS=%.80s: %s (ADDRESS:PORT, separated by commas, is wanted)", servers,
                   ares_strerror(status));
}

struct resolver *
resolver_new(struct loop *l, struct err *e)
{
    struct resolver *r = xcalloc(1, sizeof(*r));
    int status = ares_library_init(ARES_LIB_INIT_ALL);

    if (status != ARES_SUCCESS) {
        err_set(e, ERR_STATE, "DNS cannot be set up: %s", ares_strerror(status));
        free(r);
        return NULL;
    }
    r->loop = l;
    if (open_channel(r, e) < 0) {
        ares_library_cleanup();
        free(r);
        return NULL;
    }
    timer_init(&r->timer, l, on_timer);
    return r;
}

void
resolver_free(struct resolver *r)
{
    if (!r)
        return;
    while (r->lookups)
        lookup_end(r->lookups, NULL, 0, "DNS: stopped");
    ares_destroy(r->channel); /* closes its sockets through on_socket_state, ends its queries through on_answer */
    while (r->names) {
        r->names->querying = false;
        while (r->names && r->names->watches)
            resolver_watch_free(r->names->watches);
        if (r->names)
            name_reap(r->names);
    }
    timer_fini(&r->timer);
    ares_library_cleanup();
    free(r);
}
