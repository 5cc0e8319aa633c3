/*
 * log: the operator's log on stderr (or a file, or syslog: log_out.h), one line each, safe to call from every thread:
 *     2026-11-21T03:23:39.123Z warning [conn 17 10.0.0.9:5311] text
 * A line carries its subject so that one grep shows one life. Control bytes are escaped; lines are cut at 2 KiB; the
 * same call site is limited to 20 lines a second, then says how many it kept back.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>

enum log_level { LOG_LVL_ERROR, LOG_LVL_WARNING, LOG_LVL_NOTICE, LOG_LVL_INFO, LOG_LVL_DEBUG };

struct log_site {
    long second; /* of the last line */
    unsigned lines, kept_back;
};

void log_set_level(enum log_level max); /* default: notice */
enum log_level log_get_level(void);
void log_set_fd(int fd); /* borrowed. Default: 2 */
/* The subject is shown in brackets; NULL: none. `site` NULL: no limit. Keeps errno, so that %m may be used. */
void log_write(struct log_site *site, enum log_level level, const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Text of several lines that has a form of its own (diagnostics with a source line and a caret): as it is, or line by
 * line where each needs its priority. */
void log_block(enum log_level level, const char *text);

#define log_at(level, subject, ...)                                    \
    do {                                                               \
        static struct log_site log_site_;                              \
        if ((level) <= log_get_level())                                \
            log_write(&log_site_, (level), (subject), __VA_ARGS__);    \
    } while (0)
#define log_error(subject, ...) log_at(LOG_LVL_ERROR, subject, __VA_ARGS__)
#define log_warning(subject, ...) log_at(LOG_LVL_WARNING, subject, __VA_ARGS__)
#define log_notice(subject, ...) log_at(LOG_LVL_NOTICE, subject, __VA_ARGS__)
#define log_info(subject, ...) log_at(LOG_LVL_INFO, subject, __VA_ARGS__)
#define log_debug(subject, ...) log_at(LOG_LVL_DEBUG, subject, __VA_ARGS__)

#endif
