#include "supervised.h"

#include "../base/grant.h"
#include "../base/log.h"
#include "../base/parse.h"
#include "../base/strbuf.h"
#include "../base/xalloc.h"
#include "../net/handover.h"
#include "channel.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FDS_MAX 65536

#define ASK_PATIENCE (60 * NSEC_PER_SEC)

static struct {
    int channel; /* -1: no supervisor. Stays open to the end: workers write to it */
    bool gone;
    struct watch watch;
    struct timer patience; /* for the answer to what was asked */
    void (*asked)(void);   /* NULL: nothing was */
    const struct supervised_events *events;
} sv = { .channel = -1 };

static void
tell_opened(int fd)
{
    if (channel_send(sv.channel, CHANNEL_OPENED, SLICE_NONE, fd) != 0)
        log_warning(NULL, "the supervisor could not be given a listening socket: it will not outlive this process");
}

static void
tell_closing(uint64_t cookie)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRIu64, cookie);

    channel_send(sv.channel, CHANNEL_CLOSING, slice_of(text, (size_t)n), -1);
}

static const struct handover_holder holder = { tell_opened, tell_closing };

unsigned
supervised_listen_fds(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    uint64_t for_whom = 0, n = 0;

    if (!pid || !count || parse_u64(slice_str(pid), INT32_MAX, &for_whom) != 0 || for_whom != (uint64_t)getpid() ||
        parse_u64(slice_str(count), FDS_MAX, &n) != 0)
        n = 0;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    for (unsigned i = 0; i < n; i++)
        fcntl((int)(SUPERVISED_LISTEN_FDS_FIRST + i), F_SETFD, FD_CLOEXEC);
    return (unsigned)n;
}

static void
inherit(int fd)
{
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (!handover_give(fd))
        log_warning(NULL, "descriptor %d that was handed over is no listening stream socket; closed", fd);
}

static void
read_lent(const char *text)
{
    char *end;

    for (; text && *text; text = *end ? end + 1 : end)
        handover_set_lent((int)strtol(text, &end, 10));
}

void
supervised_init(void)
{
    const char *text = getenv(SUPERVISED_ENV);
    unsigned n = supervised_listen_fds();

    for (unsigned i = 0; i < n; i++) {
        handover_set_lent((int)(SUPERVISED_LISTEN_FDS_FIRST + i));
        inherit((int)(SUPERVISED_LISTEN_FDS_FIRST + i));
    }
    if (!text)
        return;
    read_lent(getenv(SUPERVISED_LENT_ENV));
    char *end;
    sv.channel = (int)strtol(text, &end, 10);
    fcntl(sv.channel, F_SETFD, FD_CLOEXEC);
    while (*end == ':')
        inherit((int)strtol(end + 1, &end, 10));
    unsetenv(SUPERVISED_ENV);
    unsetenv(SUPERVISED_LENT_ENV);
    handover_set_holder(&holder);
}

bool
supervised(void)
{
    return sv.channel >= 0 && !sv.gone;
}

static void
take_leave(struct slice cookies)
{
    size_t n = cookies.n / sizeof(uint64_t);
    uint64_t *copy = xmalloc(n * sizeof *copy + 1);

    memcpy(copy, cookies.p, n * sizeof *copy); /* it is not aligned there */
    handover_share(copy, n);
    free(copy);
    sv.events->leave(true);
}

static void
take_signal(struct slice text)
{
    uint64_t signo;

    if (parse_u64(text, 64, &signo) == 0)
        sv.events->signal((int)signo);
}

/* ---- what root opens ---- */

static void
answered(void)
{
    void (*done)(void) = sv.asked;

    sv.asked = NULL;
    timer_clear(&sv.patience);
    if (done)
        done();
}

static void
on_patience(struct timer *t)
{
    (void)t;
    log_error(NULL, "the supervisor does not say what could be opened; going on without");
    answered();
}

bool
supervised_ask(void (*done)(void))
{
    if (!supervised() || sv.asked || channel_send(sv.channel, CHANNEL_ASK, SLICE_NONE, -1) != 0)
        return false;
    sv.asked = done;
    timer_after(&sv.patience, ASK_PATIENCE);
    return true;
}

void
supervised_stop(void)
{
    answered();
}

void
supervised_send_file(const char *path, int fd)
{
    channel_send(sv.channel, CHANNEL_FILE, slice_str(path), fd);
}

/* Too late: nobody waits for it any more. */
static void
take_given(const struct channel_message *m)
{
    char *path;

    if (!sv.asked) {
        close(m->fd);
    } else if (m->kind == CHANNEL_GIVEN) {
        fcntl(m->fd, F_SETFL, fcntl(m->fd, F_GETFL) | O_NONBLOCK);
        handover_give(m->fd);
    } else {
        path = xstrndup(m->text.p, m->text.n);
        grant_add(path, m->fd);
        free(path);
    }
}

static void
take_message(const struct channel_message *m)
{
    bool given = m->kind == CHANNEL_GIVEN || m->kind == CHANNEL_FILE;

    if (given && m->fd >= 0)
        take_given(m);
    else if (m->fd >= 0)
        close(m->fd);
    if (m->kind == CHANNEL_ASKED)
        answered();
    else if (m->kind == CHANNEL_LEAVE)
        take_leave(m->text);
    else if (m->kind == CHANNEL_SIGNAL)
        take_signal(m->text);
}

static void
on_message(struct watch *w, unsigned events)
{
    char *buffer = xmalloc(CHANNEL_MAX);
    struct channel_message m;
    int got;

    (void)w;
    (void)events;
    while ((got = channel_receive(sv.channel, buffer, &m)) > 0)
        take_message(&m);
    free(buffer);
    if (got == 0)
        return;
    watch_close(&sv.watch);
    sv.gone = true;
    log_error(NULL, "the supervisor is gone; draining");
    sv.events->leave(false);
    answered();
}

void
supervised_start(struct loop *l, const struct supervised_events *events)
{
    sv.events = events;
    sv.watch.fd = -1;
    timer_init(&sv.patience, l, on_patience);
    if (supervised() && watch_open(&sv.watch, l, sv.channel, on_message) != 0)
        log_error(NULL, "the supervisor cannot be listened to: %m");
}

void
supervised_notify(const char *text)
{
    channel_send(sv.channel, CHANNEL_NOTIFY, slice_str(text), -1);
}

void
supervised_send_log(const struct log_place *p)
{
    struct strbuf text;

    strbuf_init(&text, SIZE_MAX);
    strbuf_addf(&text, "%d %d %s", (int)p->form, p->facility, p->socket);
    channel_send(sv.channel, CHANNEL_LOG, strbuf_slice(&text), p->form == LOG_FORM_PLAIN && p->fd != 2 ? p->fd : -1);
    strbuf_fini(&text);
}

void
supervised_fini(void)
{
    if (sv.channel < 0)
        return;
    watch_close(&sv.watch);
    timer_fini(&sv.patience);
    handover_set_holder(NULL);
    close(sv.channel);
    sv.channel = -1;
}
