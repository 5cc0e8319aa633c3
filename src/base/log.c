#include "log.h"
#include "clock.h"
#include "log_out.h"
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
static unsigned lost; /* lines that the reader did not take, not owned up to yet */

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
    log_out_fd(fd);
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
compose(struct line *l, enum log_level level, const char *subject, const char *text, const char *note)
{
    size_t room = LOG_LINE_MAX - 4 - strlen(note);

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

/* RFC 3164: local time, and who speaks. */
static void
add_syslog_head(struct line *l, time_t now)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm = { 0 };

    localtime_r(&now, &tm);
    l->n += (size_t)snprintf(l->text + l->n, sizeof(l->text) - l->n, "%.3s %2d %02d:%02d:%02d weir[%d]: ",
                             months + 3 * (tm.tm_mon % 12), tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                             (int)getpid());
}

/* What stands before the level. */
static void
begin(struct line *l, enum log_level level)
{
    enum log_form form = log_out_form();
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    l->n = 0;
    if (form == LOG_FORM_PLAIN) {
        l->n = (size_t)clock_iso((nsec_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec, l->text);
        l->text[l->n++] = ' ';
        return;
    }
    l->n = (size_t)snprintf(l->text, sizeof(l->text), "<%d>", log_out_priority(levels[level].priority));
    if (form == LOG_FORM_SYSLOG)
        add_syslog_head(l, ts.tv_sec);
}

/* One write, so that lines of several threads never mix. */
static void
emit(struct line *l, unsigned missing)
{
    if (log_out_form() != LOG_FORM_SYSLOG)
        l->text[l->n++] = '\n';
    if (!log_out_write(l->text, l->n))
        __atomic_fetch_add(&lost, missing + 1, __ATOMIC_RELAXED);
}

void
log_write(struct log_site *site, enum log_level level, const char *subject, const char *fmt, ...)
{
    int saved = errno;
    char text[LOG_LINE_MAX], note[128] = "";
    unsigned kept_back = 0, missing;
    struct line l;
    va_list ap;
    int n = 0;

    if (level > log_get_level() || (site && !site_admits(site, &kept_back)))
        return;
    va_start(ap, fmt);
    errno = saved; /* for %m */
    if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    missing = __atomic_exchange_n(&lost, 0, __ATOMIC_RELAXED);
    if (kept_back)
        n = snprintf(note, sizeof(note), " (%u more like this were kept back)", kept_back);
    if (missing)
        snprintf(note + n, sizeof(note) - (size_t)n, " (%u lines before this were lost)", missing);
    begin(&l, level);
    compose(&l, level, subject, text, note);
    emit(&l, missing);
    errno = saved;
}

void
log_block(enum log_level level, const char *text)
{
    if (log_out_form() == LOG_FORM_PLAIN) {
        log_out_write(text, strlen(text));
        return;
    }
    while (*text) {
        size_t n = strcspn(text, "\n");

        log_write(NULL, level, NULL, "%.*s", (int)n, text);
        text += n + (text[n] == '\n');
    }
}
