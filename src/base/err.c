#include "config.h" /* _GNU_SOURCE: strerror_r */

#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void __attribute__((format(printf, 2, 0)))
set_text(struct err *e, const char *fmt, va_list ap)
{
    if (vsnprintf(e->text, sizeof(e->text), fmt, ap) < 0)
        e->text[0] = '\0';
}

int
err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;

    if (!e)
        return -1;
    e->kind = kind;
    e->sys = 0;
    va_start(ap, fmt);
    set_text(e, fmt, ap);
    va_end(ap);
    return -1;
}

int
err_errno(struct err *e, const char *fmt, ...)
{
    int sys = errno;
    char why[128];
    va_list ap;
    size_t n;

    if (!e)
        return -1;
    e->kind = ERR_SYSTEM;
    e->sys = sys;
    va_start(ap, fmt);
    set_text(e, fmt, ap);
    va_end(ap);
    n = strlen(e->text);
    /* The GNU form of strerror_r: thread-safe, never NULL. */
    snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror_r(sys, why, sizeof(why)));
    errno = sys;
    return -1;
}

void
err_clear(struct err *e)
{
    if (!e)
        return;
    e->kind = ERR_NONE;
    e->sys = 0;
    e->text[0] = '\0';
}
