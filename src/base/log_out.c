#include "log_out.h"

#include "append.h"
#include "clock.h"
#include "log.h"
#include "xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define RECONNECT_AFTER NSEC_PER_SEC

static struct {
    atomic_int fd, form, facility;
    _Atomic nsec_t reconnect_at;
    pthread_mutex_t lock; /* for what follows */
    int own;              /* the descriptor of files and sockets; -1: never needed yet */
    char *path;           /* owned; of the file; NULL: it is none */
    struct sockaddr_un daemon;
} out = { .fd = 2, .form = LOG_FORM_PLAIN, .facility = LOG_DAEMON, .lock = PTHREAD_MUTEX_INITIALIZER, .own = -1 };

/* ------------------------------------------------------------------ places */

static bool
is_journal(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    char own[64];
    struct stat st;

    if (!text || fstat(2, &st) != 0)
        return false;
    snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    return strcmp(text, own) == 0;
}

/* With the lock. Takes over fd (not 2) and path. */
static void
go_to(int fd, enum log_form form, char *path)
{
    if (out.own < 0) {
        out.own = fd;
    } else {
        dup3(fd, out.own, O_CLOEXEC);
        close(fd);
    }
    free(out.path);
    out.path = path;
    atomic_store(&out.form, (int)form);
    atomic_store(&out.fd, out.own);
}

void
log_out_stderr(void)
{
    pthread_mutex_lock(&out.lock);
    if (out.own >= 0)
        dup3(2, out.own, O_CLOEXEC); /* lets go of what it was */
    free(out.path);
    out.path = NULL;
    atomic_store(&out.form, is_journal() ? LOG_FORM_JOURNAL : LOG_FORM_PLAIN);
    atomic_store(&out.fd, 2);
    pthread_mutex_unlock(&out.lock);
}

int
log_out_file(const char *path, struct err *e)
{
    int fd = append_open(path, e);

    if (fd < 0)
        return -1;
    pthread_mutex_lock(&out.lock);
    go_to(fd, LOG_FORM_PLAIN, xstrdup(path));
    pthread_mutex_unlock(&out.lock);
    return 0;
}

void
log_out_reopen(void)
{
    struct err e = { 0 };
    int fd = -1;

    pthread_mutex_lock(&out.lock);
    if (out.path && (fd = append_open(out.path, &e)) >= 0)
        go_to(fd, LOG_FORM_PLAIN, xstrdup(out.path));
    pthread_mutex_unlock(&out.lock);
    if (fd < 0 && e.kind != ERR_NONE)
        log_error("error log", "%s; still writing to the old file", e.text);
}

void
log_out_fd(int fd)
{
    atomic_store(&out.form, LOG_FORM_PLAIN);
    atomic_store(&out.fd, fd);
}

/* ------------------------------------------------------------------ syslog */

static const struct {
    const char *name;
    int facility;
} facilities[] = {
    { "auth", LOG_AUTH },     { "authpriv", LOG_AUTHPRIV }, { "cron", LOG_CRON },     { "daemon", LOG_DAEMON },
    { "ftp", LOG_FTP },       { "lpr", LOG_LPR },           { "mail", LOG_MAIL },     { "news", LOG_NEWS },
    { "syslog", LOG_SYSLOG }, { "user", LOG_USER },         { "uucp", LOG_UUCP },     { "local0", LOG_LOCAL0 },
    { "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 },     { "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 },
    { "local5", LOG_LOCAL5 }, { "local6", LOG_LOCAL6 },     { "local7", LOG_LOCAL7 },
};

int
log_out_facility(const char *name)
{
    for (size_t i = 0; i < sizeof(facilities) / sizeof(*facilities); i++)
        if (strcmp(facilities[i].name, name) == 0)
            return facilities[i].facility;
    return -1;
}

int
log_out_syslog(const char *path, int facility, struct err *e)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    int fd;

    if (strlen(path) >= sizeof(sa.sun_path))
        return err_set(e, ERR_LIMIT, "%s: the path of a socket has at most %d bytes", path,
                       (int)sizeof(sa.sun_path) - 1);
    memcpy(sa.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(e, "no socket for syslog");
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
        log_warning("error log", "%s: %m; lines are lost until somebody listens there", path);
    pthread_mutex_lock(&out.lock);
    out.daemon = sa;
    atomic_store(&out.facility, facility);
    go_to(fd, LOG_FORM_SYSLOG, NULL);
    pthread_mutex_unlock(&out.lock);
    return 0;
}

/* The daemon was started anew: its socket is another one under the same path. True: it is there again. */
static bool
reconnect(int fd)
{
    nsec_t now = clock_precise(), at = atomic_load(&out.reconnect_at);
    struct sockaddr_un sa;

    if (now < at || !atomic_compare_exchange_strong(&out.reconnect_at, &at, now + RECONNECT_AFTER))
        return false;
    pthread_mutex_lock(&out.lock);
    sa = out.daemon;
    pthread_mutex_unlock(&out.lock);
    return connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
}

/* ------------------------------------------------------------------ followers */

struct log_place
log_out_place(void)
{
    return (struct log_place){ (enum log_form)atomic_load(&out.form), atomic_load(&out.fd),
                               atomic_load(&out.facility), out.daemon.sun_path };
}

void
log_out_follow(const struct log_place *p)
{
    struct err e = { 0 };
    int fd;

    if (p->form == LOG_FORM_SYSLOG) {
        log_out_syslog(p->socket, p->facility, &e);
    } else if (p->fd == 2) {
        log_out_stderr();
    } else if ((fd = fcntl(p->fd, F_DUPFD_CLOEXEC, 3)) >= 0) {
        pthread_mutex_lock(&out.lock);
        go_to(fd, LOG_FORM_PLAIN, NULL);
        pthread_mutex_unlock(&out.lock);
    }
}

void
log_out_keep(const char *variable)
{
    struct log_place p = log_out_place();
    char text[sizeof(out.daemon.sun_path) + 64];

    if (p.fd != 2)
        fcntl(p.fd, F_SETFD, 0);
    snprintf(text, sizeof(text), "%d %d %d %s", (int)p.form, p.facility, p.fd, p.socket);
    setenv(variable, text, 1);
}

void
log_out_resume(const char *variable)
{
    const char *text = getenv(variable);
    struct log_place p = { 0 };
    char *end;

    if (!text)
        return;
    p.form = (enum log_form)strtol(text, &end, 10);
    p.facility = (int)strtol(end, &end, 10);
    p.fd = (int)strtol(end, &end, 10);
    p.socket = *end ? end + 1 : end;
    log_out_follow(&p);
    if (p.fd > 2 && p.fd != out.own)
        close(p.fd);
    else if (p.fd > 2)
        fcntl(p.fd, F_SETFD, FD_CLOEXEC); /* the exec failed */
    unsetenv(variable);
}

/* ------------------------------------------------------------------ lines */

enum log_form
log_out_form(void)
{
    return (enum log_form)atomic_load_explicit(&out.form, memory_order_relaxed);
}

int
log_out_priority(int severity)
{
    return log_out_form() == LOG_FORM_SYSLOG ? atomic_load_explicit(&out.facility, memory_order_relaxed) | severity
                                             : severity;
}

bool
log_out_write(const char *line, size_t n)
{
    int fd = atomic_load_explicit(&out.fd, memory_order_relaxed);
    enum log_form form = log_out_form();
    ssize_t got = -1;

    if (form == LOG_FORM_PLAIN)
        errno = ENOTSOCK;
    else
        got = send(fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (got < 0 && form == LOG_FORM_SYSLOG && errno != EAGAIN && errno != ENOTSOCK && reconnect(fd))
        got = send(fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (got < 0 && errno == ENOTSOCK)
        while ((got = write(fd, line, n)) < 0 && errno == EINTR)
            ;
    return got >= 0;
}
