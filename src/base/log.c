#include "log.h"
#include "clock.h"
#include "strbuf.h"
#include "utf8.h"

#include <errno.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048
#define LOG_LINES_PER_SECOND 20u

static int max_level = LOG_LVL_NOTICE;
static int out_fd = 2;

static const struct {
    const char *name;
    int priority;
} levels[] = {
    [LOG_LVL_ERROR] = { "error", LOG_ERR },    [LOG_LVL_WARNING] = { "warning", LOG_WARNING },
    [LOG_LVL_NOTICE] = { "notice", LOG_NOTICE }, [LOG_LVL_INFO] = { "info", LOG_INFO },
    [LOG_LVL_DEBUG] = { "debug", LOG_DEBUG },
};

void
log_set_level(enum log_level max)
{
    __atomic_store_n(&max_level, (int)max, __ATOMIC_RELAXED);
}

enum log_level
log_get_level(void)
{
    return (enum log_level)__atomic_load_n(&max_level, __ATOMIC_RELAXED);
}

void
log_set_fd(int fd)
{
    __atomic_store_n(&out_fd, fd, __ATOMIC_RELAXED);
}

/* May this site speak now? *kept_back: how many lines were held since it last spoke. Threads may race for the same
 * second; the worst is a line more or less. */
static int
site_admits(struct log_site *site, unsigned *kept_back)
{
    long second = (long)(clock_precise() / NSEC_PER_SEC);
    long last = __atomic_load_n(&site->second, __ATOMIC_RELAXED);

    *kept_back = 0;
    if (last != second &&
        __atomic_compare_exchange_n(&site->second, &last, second, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        __atomic_store_n(&site->lines, 0, __ATOMIC_RELAXED);
        *kept_back = __atomic_exchange_n(&site->kept_back, 0, __ATOMIC_RELAXED);
    }
    if (__atomic_fetch_add(&site->lines, 1, __ATOMIC_RELAXED) < LOG_LINES_PER_SECOND)
        return 1;
    __atomic_fetch_add(&site->kept_back, 1, __ATOMIC_RELAXED);
    return 0;
}

struct line {
    char text[LOG_LINE_MAX];
    size_t n;
};

/* Escaped, as far as there is room for it, a mark that something is missing, and the newline. */
static void
add_text(struct line *l, const char *s, size_t room)
{
    size_t left = strlen(s);

    while (left) {
        unsigned char c = (unsigned char)*s;
        unsigned len = c >= 0x20 && c < 0x7f ? 1 : utf8_printable(s, left);
        char escape[8];
        const char *from = s;
        size_t n = len;

        if (!len) {
            n = (size_t)snprintf(escape, sizeof(escape), c == '\n' ? "\\n" : "\\x%02x", c);
            from = escape;
        }
        if (l->n + n > room) {
            memcpy(l->text + l->n, "...", 3);
            l->n += 3;
            return;
        }
        memcpy(l->text + l->n, from, n);
        l->n += n;
        s += len ? len : 1;
        left -= len ? len : 1;
    }
}

static void
compose(struct line *l, enum log_level level, const char *subject, const char *text, unsigned kept_back)
{
    char note[64] = "";
    size_t room;

    if (kept_back)
        snprintf(note, sizeof(note), " (%u more like this were kept back)", kept_back);
    room = LOG_LINE_MAX - 4 - strlen(note);
    l->n += (size_t)snprintf(l->text + l->n, sizeof(l->text) - l->n, "%s ", levels[level].name);
    if (subject) {
        l->text[l->n++] = '[';
        add_text(l, subject, LOG_LINE_MAX / 2);
        memcpy(l->text + l->n, "] ", 2);
        l->n += 2;
    }
    add_text(l, text, room);
    memcpy(l->text + l->n, note, strlen(note));
    l->n += strlen(note);
}

static void
emit(int fd, struct line *l)
{
    l->text[l->n++] = '\n';
    /* One write, so that lines of several threads never mix. There is nobody to tell when it fails. */
    while (write(fd, l->text, l->n) < 0 && errno == EINTR)
        ;
}

void
log_write(struct log_site *site, enum log_level level, const char *subject, const char *fmt, ...)
{
    int saved = errno, fd = __atomic_load_n(&out_fd, __ATOMIC_RELAXED);
    char text[LOG_LINE_MAX];
    unsigned kept_back = 0;
    struct timespec ts;
    struct line l;
    va_list ap;

    if (level > log_get_level() || (site && !site_admits(site, &kept_back)))
        return;
    va_start(ap, fmt);
    errno = saved; /* for %m */
    if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    l.n = 0;
    if (fd < 0) {
        compose(&l, level, subject, text, kept_back);
        syslog(levels[level].priority, "%.*s", (int)l.n, l.text);
    } else {
        clock_gettime(CLOCK_REALTIME, &ts);
        l.n = (size_t)clock_iso((nsec_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec, l.text);
        l.text[l.n++] = ' ';
        compose(&l, level, subject, text, kept_back);
        emit(fd, &l);
    }
    errno = saved;
}
