#include "access_log.h"
#include "access_line.h"
#include "sink.h"

#include "../base/log.h"
#include "../base/xalloc.h"
#include "../stats/stats.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BATCH (32u << 10) /* bytes that are written at once */
#define BUF_SIZE (64u << 10)
#define BUF_MAX (512u << 10) /* past it lines are dropped */
#define FLUSH_AFTER (100 * NSEC_PER_MSEC)
#define RETRY_AFTER (2 * NSEC_PER_MSEC) /* when the reader did not take a batch */
#define LAST_WAIT_MS 1000 /* for each piece that a reader takes at the end */

struct log_buf { /* one worker's lines for one destination */
    struct access_log *log;
    char *p;
    size_t n, room;
    bool owes;       /* the end of its last batch lies in the sink */
    bool dirty;      /* in the worker's list, with a reference to the log */
    nsec_t retry_at; /* the reader did not take the last batch: not asked again before */
    struct log_buf *next;
};

struct access_log {
    char *name; /* "stdout", "stderr" or the path; owned */
    struct sink sink;
    unsigned refs; /* under the registry's lock */
    stats_id dropped;
    _Atomic bool dropping;            /* said so in the operator's log */
    struct log_buf *bufs[WORKER_MAX]; /* each touched by its worker only */
    struct access_log *next;
};

static struct {
    pthread_mutex_t lock;
    struct access_log *logs;
} registry = { PTHREAD_MUTEX_INITIALIZER, NULL };

static __thread struct {
    struct loop *loop; /* the timer's; NULL: not set up */
    struct timer timer;
    struct log_buf *dirty;
} self;

/* ---- rows ---- */

static const struct weir_arg log_args[] = { { "DESTINATION", WEIR_T_PATH }, { NULL } };
static const struct weir_opt log_opts[] = { { "format", WEIR_T_WORD, .choices = "json", .def = "json" }, { NULL } };

const struct weir_directive access_log_rows[] = {
    { .name = "access_log",
      .in = "main",
      .args = log_args,
      .opts = log_opts,
      .def = "off",
      .help = "One JSON line per request to stdout, stderr or a FILE; or off." },
    { NULL },
};

/* ---- what is lost ---- */

static void
drop(struct access_log *l, uint64_t lines, const char *why)
{
    stats_add(l->dropped, lines);
    if (!atomic_exchange_explicit(&l->dropping, true, memory_order_relaxed))
        log_warning("access log", "%s: %s: lines are dropped (weir_access_log_dropped_total counts them)", l->name,
                    why);
}

static uint64_t
count_lines(const char *p, size_t n)
{
    uint64_t lines = 0;

    for (const char *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))); p++)
        lines++;
    return lines;
}

/* ---- life ---- */

static struct access_log *
find(const char *name)
{
    struct access_log *l;

    for (l = registry.logs; l && strcmp(l->name, name) != 0; l = l->next)
        ;
    return l;
}

static int
open_sink(struct sink *s, const char *name, struct err *e)
{
    if (strcmp(name, "stdout") == 0)
        return sink_open_std(s, 1, e);
    if (strcmp(name, "stderr") == 0)
        return sink_open_std(s, 2, e);
    return sink_open_file(s, name, e);
}

static struct access_log *
make(const char *name, struct err *e)
{
    struct access_log *l = xcalloc(1, sizeof(*l));

    if (open_sink(&l->sink, name, e) != 0) {
        free(l);
        return NULL;
    }
    l->name = xstrdup(name);
    l->refs = 1;
    l->dropped =
        stats_series(stats_family("weir_access_log_dropped_total", STATS_COUNTER,
                                  "Access log lines dropped because their reader did not keep up.", NULL, 0, NULL, 0),
                     NULL);
    l->next = registry.logs;
    registry.logs = l;
    return l;
}

struct access_log *
access_log_open(const struct weir_conf *line, bool *off)
{
    struct slice to = line ? conf_arg(line, 0) : SLICE("off");
    struct access_log *l;
    struct err e;
    char *name;

    *off = slice_eq(to, SLICE("off"));
    if (*off)
        return NULL;
    err_clear(&e);
    if (!slice_eq(to, SLICE("stdout")) && !slice_eq(to, SLICE("stderr")))
        to = conf_path(line, to);
    name = xstrndup(to.p, to.n);
    pthread_mutex_lock(&registry.lock);
    l = find(name);
    if (l)
        l->refs++;
    else
        l = make(name, &e);
    if (l && sink_reopen(&l->sink, false, &e) != 0) /* it was moved away since: a reload follows it */
        log_warning("access log", "%s; still writing to the old file", e.text);
    pthread_mutex_unlock(&registry.lock);
    free(name);
    if (!l)
        conf_error(line, 0, "%s", e.text);
    return l;
}

void
access_log_hold(struct access_log *l)
{
    pthread_mutex_lock(&registry.lock);
    l->refs++;
    pthread_mutex_unlock(&registry.lock);
}

/* No worker has a line for it any more: a buffer with lines holds a reference. */
static void
log_free(struct access_log *l)
{
    for (unsigned i = 0; i < WORKER_MAX; i++) {
        if (!l->bufs[i])
            continue;
        free(l->bufs[i]->p);
        free(l->bufs[i]);
    }
    if (l->sink.rest_n)
        drop(l, count_lines(l->sink.rest, l->sink.rest_n), "its reader did not take them before the end");
    sink_close(&l->sink);
    free(l->name);
    free(l);
}

void
access_log_put(struct access_log *l)
{
    struct access_log **at = &registry.logs;
    bool last;

    if (!l)
        return;
    pthread_mutex_lock(&registry.lock);
    last = --l->refs == 0;
    if (last) {
        while (*at != l)
            at = &(*at)->next;
        *at = l->next;
    }
    pthread_mutex_unlock(&registry.lock);
    if (last)
        log_free(l);
}

void
access_log_reopen(void)
{
    struct err e;

    pthread_mutex_lock(&registry.lock);
    for (struct access_log *l = registry.logs; l; l = l->next)
        if (sink_reopen(&l->sink, true, &e) != 0)
            log_error("access log", "%s; still writing to the old file", e.text);
    pthread_mutex_unlock(&registry.lock);
}

/* ---- writing out ---- */

static void
flush(struct log_buf *b, bool last)
{
    struct access_log *l = b->log;

    if ((!b->n && !b->owes) || clock_now() < b->retry_at)
        return;
    switch (sink_write(&l->sink, b->p, b->n, last)) {
    case SINK_TAKEN:
        b->n = 0;
        b->owes = false;
        b->retry_at = 0;
        if (atomic_load_explicit(&l->dropping, memory_order_relaxed))
            atomic_store_explicit(&l->dropping, false, memory_order_relaxed);
        break;
    case SINK_PARTLY:
        b->n = 0;
        b->owes = true;
        b->retry_at = clock_now() + RETRY_AFTER;
        break;
    case SINK_LOCKED: /* another worker writes: a matter of microseconds */
        break;
    case SINK_BUSY:
        b->retry_at = clock_now() + RETRY_AFTER;
        break;
    case SINK_FAILED:
        drop(l, count_lines(b->p, b->n), strerror(errno));
        b->n = 0;
        b->owes = false;
        break;
    }
}

static void
on_timer(struct timer *t)
{
    struct log_buf **at = &self.dirty, *b;

    while ((b = *at)) {
        flush(b, false);
        if (b->n || b->owes) {
            at = &b->next;
            continue;
        }
        *at = b->next;
        b->dirty = false;
        access_log_put(b->log); /* may free b */
    }
    if (self.dirty)
        timer_after(t, RETRY_AFTER);
}

/* Lines that wait hold a reference, so that the log outlives them. */
static void
make_dirty(struct log_buf *b)
{
    struct loop *l = loop_current();

    if (!l) { /* a thread without a loop cannot come back to it */
        flush(b, false);
        return;
    }
    if (self.loop != l) {
        timer_init(&self.timer, l, on_timer);
        self.loop = l;
    }
    b->dirty = true;
    b->next = self.dirty;
    self.dirty = b;
    access_log_hold(b->log);
    if (!timer_is_set(&self.timer))
        timer_after(&self.timer, FLUSH_AFTER);
}

/* Nobody is served by this worker any more, so that a reader who is a little behind may have a moment. */
static void
flush_last(struct log_buf *b)
{
    do {
        b->retry_at = 0;
        flush(b, true);
    } while ((b->n || b->owes) && sink_wait(&b->log->sink, LAST_WAIT_MS));
}

void
access_log_flush_all(void)
{
    struct log_buf *b;

    while ((b = self.dirty)) {
        self.dirty = b->next;
        flush_last(b);
        if (b->n)
            drop(b->log, count_lines(b->p, b->n), "its reader did not take them before the end");
        b->n = 0;
        b->owes = b->dirty = false;
        access_log_put(b->log);
    }
    if (self.loop)
        timer_fini(&self.timer);
    self.loop = NULL;
}

/* ---- a line ---- */

static struct log_buf *
buf_of(struct access_log *l)
{
    struct log_buf **b = &l->bufs[worker_self_id()];

    if (!*b) {
        *b = xcalloc(1, sizeof(**b));
        (*b)->log = l;
        (*b)->room = BUF_SIZE;
        (*b)->p = xmalloc(BUF_SIZE);
    }
    return *b;
}

static bool
make_room(struct log_buf *b, size_t need)
{
    if (b->n + need > b->room)
        flush(b, false);
    if (b->n + need <= b->room)
        return true;
    if (b->n + need > BUF_MAX) {
        /* Another worker that was put to sleep inside its write is no reason to lose lines: this one waits its turn. A
         * reader that does not keep up has set retry_at, and is not waited for. */
        flush(b, true);
        return b->n + need <= b->room;
    }
    b->room = b->room * 2 > b->n + need ? b->room * 2 : b->n + need;
    b->p = xrealloc(b->p, b->room);
    return true;
}

void
access_log_write(struct access_log *l, const struct access_record *r)
{
    struct log_buf *b = buf_of(l);

    if (!make_room(b, access_line_bound(r))) {
        drop(l, 1, "its reader does not keep up");
        return;
    }
    b->n = (size_t)(access_line_write(b->p + b->n, r) - b->p);
    if (b->n >= BATCH)
        flush(b, false);
    if ((b->n || b->owes) && !b->dirty)
        make_dirty(b);
}
