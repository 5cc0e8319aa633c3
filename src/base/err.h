/*
 * err: an error as a value: what kind, in words, from which errno. Filled by whoever fails, printed by whoever can tell
 * the operator. Text never holds secrets.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

enum err_kind {
    ERR_NONE,
    ERR_SYSTEM,   /* a system call failed: `sys` is its errno */
    ERR_INPUT,    /* somebody sent or wrote something wrong */
    ERR_TIMEOUT,
    ERR_LIMIT,    /* a cap was reached */
    ERR_CLOSED,   /* the peer went away */
    ERR_TLS,
    ERR_NOT_FOUND,
    ERR_STATE     /* not possible now */
};

struct err {
    enum err_kind kind;
    int sys;
    char text[256];
};

/* Both return -1, so that `return err_set(...)` reads well. `e` may be NULL. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Appends ": strerror(errno)". */
int err_errno(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void err_clear(struct err *e);

#endif
