/*
 * privilege: a process that root started and that is to serve as somebody else. From privilege_assume on it acts as
 * that user and keeps root aside, for single calls that the user was denied (raise, call, lower). From privilege_drop
 * on there is no way back, for any thread. A process that does neither is what it was started as; every call is
 * harmless there.
 *
 * Assume, raise, lower and drop: while the process has one thread. The rest: any thread.
 */
#ifndef BASE_PRIVILEGE_H
#define BASE_PRIVILEGE_H

#include "err.h"
#include "slice.h"

#include <stdbool.h>
#include <sys/types.h>

struct privilege_user {
    char name[64]; /* "": only numbers are known, there are no further groups */
    uid_t uid;
    gid_t gid;
};

/* By name or number; group empty: the user's own (of a number that nobody has: the same number). 0 or -1 with *e. */
int privilege_find(struct slice user, struct slice group, struct privilege_user *out, struct err *e);
/* Needs root. 0 or -1 with *e: the process must not go on. */
int privilege_assume(const struct privilege_user *u, struct err *e);
/* After a call failed with EACCES or EPERM: true: call again as root, then privilege_lower. False: there is no root
 * aside; when it was dropped, that is remembered (privilege_missed). Both keep errno. */
bool privilege_raise(void);
void privilege_lower(void);
/* Whom to give what root made while raised; NULL: nobody was assumed. */
const struct privilege_user *privilege_assumed(void);
/* For good: user, groups, and every capability, but for CAP_NET_BIND_SERVICE with keep_bind. 0 or -1 with *e: the
 * process must not go on. */
int privilege_drop(bool keep_bind, struct err *e);
/* Nothing that this process would ever execute gains rights. */
void privilege_no_new(void);

/* Whether something was denied, since the last call, that root might have been allowed. */
bool privilege_missed(void);
/* Every step of the path is root's alone, symbolic links too, so that nobody else can lead a raised call astray. Keeps
 * errno. While raised. */
bool privilege_trusts(const char *path);

#endif
