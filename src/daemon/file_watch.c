#include "file_watch.h"

#include "../base/log.h"
#include "../base/xalloc.h"
#include "../event/offload.h"
#include "file_places.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define QUIET (200 * NSEC_PER_MSEC)      /* nothing may have happened for so long before files are looked at */
#define QUIET_AT_MOST (2 * NSEC_PER_SEC) /* but after this they are in any case */
#define ASK_EVERY NSEC_PER_SEC           /* at most one reload in so long */
#define LOOK_EVERY (10 * NSEC_PER_SEC)   /* where the kernel has no watches left for us */
#define EVENTS                                                                                                         \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

/* What a helper thread finds out. */
struct look {
    struct conf_files *files; /* a reference */
    struct file_dir *dirs;
    const struct conf_file *changed; /* the first that has; NULL: none */
};

static struct {
    struct loop *loop; /* NULL: not begun, or over */
    void (*ask)(void);
    struct conf_files *files; /* a reference; NULL: nothing is watched */
    struct file_dir *dirs;
    struct watch watch; /* of the inotify descriptor; its fd is -1 while there is none */
    struct timer timer;
    nsec_t first_event;   /* of those not looked at yet; 0: none */
    nsec_t asked_at;      /* when a reload was last asked for */
    bool looking, asking; /* a helper is at it; a reload is under way */
    bool short_of_watches;
    bool settled; /* all is watched since the last load */
} fw = { .watch = { .fd = -1 } };

/* ---- when to look ---- */

static void
touch(void)
{
    nsec_t now = clock_now();
    if (!fw.files)
        return;
    if (!fw.first_event)
        fw.first_event = now;
    if (fw.looking || fw.asking)
        return; /* its end comes back here */
    nsec_t latest = fw.first_event + QUIET_AT_MOST, at = now + QUIET;
    timer_set(&fw.timer, at < latest ? at : latest > now ? latest : now + 1);
}

static void
next_look(void)
{
    if (fw.first_event)
        touch();
    else if (fw.files && fw.short_of_watches)
        timer_after(&fw.timer, LOOK_EVERY);
}

/* ---- events ---- */

static bool
in_use(const struct file_dir *list, int wd)
{
    for (; list; list = list->next)
        if (list->wd == wd)
            return true;
    return false;
}

/* The kernel has given up this watch, or it is of a directory that has gone elsewhere. */
static void
forget(int wd)
{
    for (struct file_dir **at = &fw.dirs; *at;) {
        struct file_dir *d = *at;
        if (d->wd != wd) {
            at = &d->next;
            continue;
        }
        *at = d->next;
        d->next = NULL;
        file_dirs_free(d);
    }
}

static void
take_event(const struct inotify_event *e)
{
    bool matters =
        e->mask & IN_Q_OVERFLOW || (e->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF) && in_use(fw.dirs, e->wd));
    for (const struct file_dir *d = fw.dirs; d && !matters; d = d->next)
        matters = d->wd == e->wd && e->len > 0 && file_dir_names(d, e->name);
    if (e->mask & IN_MOVE_SELF)
        inotify_rm_watch(fw.watch.fd, e->wd);
    if (e->mask & (IN_IGNORED | IN_MOVE_SELF))
        forget(e->wd);
    if (matters)
        touch();
}

static void
on_ready(struct watch *w, unsigned events)
{
    union {
        struct inotify_event first; /* aligned for it */
        char bytes[16384];
    } buffer;
    ssize_t n;
    (void)events;
    while ((n = read(w->fd, buffer.bytes, sizeof buffer.bytes)) > 0 || (n < 0 && errno == EINTR)) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *e = (const void *)(buffer.bytes + at);
            at += (ssize_t)(sizeof *e + e->len);
            take_event(e);
        }
    }
}

/* ---- directories ---- */

static void
close_all(void)
{
    int fd = fw.watch.fd;
    watch_close(&fw.watch);
    if (fd >= 0)
        close(fd);
    fw.watch.fd = -1;
    file_dirs_free(fw.dirs);
    fw.dirs = NULL;
}

static bool
open_all(void)
{
    if (fw.watch.fd >= 0)
        return true;
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd >= 0 && watch_open(&fw.watch, fw.loop, fd, on_ready) == 0)
        return true;
    if (fd >= 0)
        close(fd);
    fw.watch.fd = -1;
    return false;
}

/* Watches these from now on. true: something is watched that was not before. */
static bool
watch_dirs(struct file_dir *dirs)
{
    struct file_dir *old = fw.dirs;
    bool fresh = false, failed = !open_all();
    for (struct file_dir *d = dirs; d && !failed; d = d->next) {
        const struct file_dir *known = file_dirs_find(old, d->path);
        bool watched = known && known->wd >= 0;
        d->wd = watched ? known->wd : inotify_add_watch(fw.watch.fd, d->path, EVENTS | IN_ONLYDIR);
        fresh |= !watched && d->wd >= 0;
        failed |= d->wd < 0 && errno != ENOENT && errno != ENOTDIR && errno != EACCES;
    }
    for (const struct file_dir *d = old; d; d = d->next)
        if (d->wd >= 0 && !in_use(dirs, d->wd))
            inotify_rm_watch(fw.watch.fd, d->wd);
    file_dirs_free(old);
    fw.dirs = dirs;
    if (failed && !fw.short_of_watches)
        log_warning(NULL, "watch: %m; files are looked at every %d s instead (see fs.inotify in sysctl)",
                    (int)(LOOK_EVERY / NSEC_PER_SEC));
    fw.short_of_watches = failed;
    return fresh;
}

/* ---- looking ---- */

static void
look(void *arg)
{
    struct look *l = arg;
    l->dirs = file_places(l->files);
    for (const struct conf_file *f = conf_files_first(l->files); f && !l->changed; f = f->next)
        if (!conf_file_same(f))
            l->changed = f;
}

static void
looked(void *arg)
{
    struct look *l = arg;
    bool stale = l->files != fw.files; /* a reload has come between, or all is over */
    fw.looking = false;
    if (stale) {
        file_dirs_free(l->dirs);
        touch();
    } else if (l->changed) {
        log_notice(NULL, "watch: %s has changed", l->changed->path);
        file_dirs_free(l->dirs);
        fw.asking = true;
        fw.asked_at = clock_now();
        fw.ask();
    } else if (watch_dirs(l->dirs)) {
        touch(); /* it may have changed after it was looked at and before it was watched */
    } else {
        if (!fw.settled)
            log_info(NULL, "watch: waiting for a change");
        fw.settled = true;
        next_look();
    }
    conf_files_put(l->files);
    free(l);
}

static void
on_time(struct timer *t)
{
    nsec_t now = clock_now();
    if (!fw.files || fw.looking || fw.asking)
        return;
    if (fw.asked_at && now < fw.asked_at + ASK_EVERY) {
        timer_set(t, fw.asked_at + ASK_EVERY);
        return;
    }
    struct look *l = xcalloc(1, sizeof *l);
    l->files = conf_files_hold(fw.files);
    fw.looking = true;
    fw.first_event = 0;
    if (offload_run(look, looked, l) == 0)
        return;
    fw.looking = false;
    conf_files_put(l->files);
    free(l);
    touch(); /* the helpers are busy: once more */
}

/* ---- life ---- */

void
file_watch_follow(struct conf_files *files, bool on)
{
    if (!fw.loop)
        return;
    struct conf_files *old = fw.files;
    fw.files = on ? conf_files_hold(files) : NULL;
    fw.settled = false;
    conf_files_put(old);
    if (on) {
        touch();
    } else {
        timer_clear(&fw.timer);
        fw.first_event = 0;
        close_all();
    }
}

void
file_watch_asked(void)
{
    fw.asking = false;
    touch();
}

void
file_watch_init(struct loop *l, void (*ask)(void))
{
    fw.loop = l;
    fw.ask = ask;
    timer_init(&fw.timer, l, on_time);
}

void
file_watch_fini(void)
{
    if (!fw.loop)
        return;
    timer_fini(&fw.timer);
    close_all();
    conf_files_put(fw.files);
    fw.files = NULL;
    fw.loop = NULL;
}
