#include "config.h" /* _GNU_SOURCE: setresuid */

#include "privilege.h"

#include "parse.h"
#include "path_walk.h"
#include "xalloc.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPS_MAX 64
#define ENTRY_MAX 65536 /* bytes of a passwd or group entry */

static struct {
    struct privilege_user user;
    bool assumed, dropped;
} pr;
static atomic_bool missed;

/* ------------------------------------------------------------------ who */

static bool
is_number(struct slice s, uint64_t *out)
{
    return parse_u64(s, INT32_MAX, out) == 0;
}

static int
find_user(struct slice name, struct privilege_user *out, struct err *e)
{
    struct passwd entry, *found = NULL;
    uint64_t number;
    char *room = xmalloc(ENTRY_MAX);
    int rc = 0, failed = 0;

    snprintf(out->name, sizeof(out->name), "%.*s", SLICE_FMT(name));
    if (is_number(name, &number))
        failed = getpwuid_r((uid_t)number, &entry, room, ENTRY_MAX, &found);
    else if (name.n < sizeof(out->name))
        failed = getpwnam_r(out->name, &entry, room, ENTRY_MAX, &found);
    if (failed == 0 && found) {
        snprintf(out->name, sizeof(out->name), "%s", found->pw_name);
        out->uid = found->pw_uid;
        out->gid = found->pw_gid;
    } else if (is_number(name, &number)) {
        out->name[0] = '\0';
        out->uid = (uid_t)number;
        out->gid = (gid_t)number;
    } else {
        rc = err_set(e, ERR_NOT_FOUND, "there is no user `%.*s` here", SLICE_FMT(name));
    }
    free(room);
    return rc;
}

static int
find_group(struct slice name, gid_t *out, struct err *e)
{
    struct group entry, *found = NULL;
    uint64_t number;
    char text[64], *room;

    if (is_number(name, &number)) {
        *out = (gid_t)number;
        return 0;
    }
    snprintf(text, sizeof(text), "%.*s", SLICE_FMT(name));
    room = xmalloc(ENTRY_MAX);
    if (name.n >= sizeof(text) || getgrnam_r(text, &entry, room, ENTRY_MAX, &found) != 0)
        found = NULL;
    if (found)
        *out = found->gr_gid;
    free(room);
    return found ? 0 : err_set(e, ERR_NOT_FOUND, "there is no group `%.*s` here", SLICE_FMT(name));
}

int
privilege_find(struct slice user, struct slice group, struct privilege_user *out, struct err *e)
{
    memset(out, 0, sizeof(*out));
    if (find_user(user, out, e) != 0 || (group.n && find_group(group, &out->gid, e) != 0))
        return -1;
    return 0;
}

const struct privilege_user *
privilege_assumed(void)
{
    return pr.assumed || pr.dropped ? &pr.user : NULL;
}

/* ------------------------------------------------------------------ aside */

int
privilege_assume(const struct privilege_user *u, struct err *e)
{
    int groups = u->name[0] ? initgroups(u->name, u->gid) : setgroups(1, &u->gid);

    if (groups != 0 || setegid(u->gid) != 0 || seteuid(u->uid) != 0)
        return err_errno(e, "cannot become user %s (%u): CAP_SETUID and CAP_SETGID are needed", u->name,
                         (unsigned)u->uid);
    pr.user = *u;
    pr.assumed = true;
    return 0;
}

bool
privilege_raise(void)
{
    int sys = errno;

    if (pr.dropped)
        atomic_store_explicit(&missed, true, memory_order_relaxed);
    if (!pr.assumed || seteuid(0) != 0) {
        errno = sys;
        return false;
    }
    errno = sys;
    return true;
}

void
privilege_lower(void)
{
    int sys = errno;

    if (seteuid(pr.user.uid) != 0)
        abort(); /* nothing may go on as root by mistake */
    errno = sys;
}

bool
privilege_missed(void)
{
    return atomic_exchange_explicit(&missed, false, memory_order_relaxed);
}

/* ------------------------------------------------------------------ for good */

struct caps {
    struct __user_cap_header_struct head;
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

/* Leaves of all capabilities those in `keep`, where they are there at all. */
static int
limit_caps(uint64_t keep)
{
    struct caps c = { .head = { _LINUX_CAPABILITY_VERSION_3, 0 } };

    if (syscall(SYS_capget, &c.head, c.data) != 0)
        return -1;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        c.data[i].permitted &= (uint32_t)(keep >> 32 * i);
        c.data[i].effective = c.data[i].permitted;
        c.data[i].inheritable = 0;
    }
    return (int)syscall(SYS_capset, &c.head, c.data);
}

static bool
has_caps_beside(uint64_t keep)
{
    struct caps c = { .head = { _LINUX_CAPABILITY_VERSION_3, 0 } };

    if (syscall(SYS_capget, &c.head, c.data) != 0)
        return true;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        if ((c.data[i].permitted | c.data[i].effective | c.data[i].inheritable) & ~(uint32_t)(keep >> 32 * i))
            return true;
    return false;
}

static int
become(const struct privilege_user *u, uint64_t keep)
{
    if (seteuid(0) != 0)
        return -1;
    for (int i = 0; i < CAPS_MAX; i++)
        if (!(keep >> i & 1))
            prctl(PR_CAPBSET_DROP, i, 0, 0, 0); /* those that do not exist, or without CAP_SETPCAP: it is the last lock
                                                   of several */
    if (keep && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        return -1;
    if (setresgid(u->gid, u->gid, u->gid) != 0 || setresuid(u->uid, u->uid, u->uid) != 0)
        return -1;
    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return limit_caps(keep);
}

int
privilege_drop(bool keep_bind, struct err *e)
{
    uint64_t keep = keep_bind ? UINT64_C(1) << CAP_NET_BIND_SERVICE : 0;
    uid_t r, ef, s;

    if (!pr.assumed)
        return 0;
    if (become(&pr.user, keep) != 0)
        return err_errno(e, "cannot drop to user %s (%u)", pr.user.name, (unsigned)pr.user.uid);
    pr.assumed = false;
    pr.dropped = true;
    if (getresuid(&r, &ef, &s) != 0 || r != pr.user.uid || ef != r || s != r || has_caps_beside(keep) ||
        (pr.user.uid != 0 && setuid(0) == 0))
        return err_set(e, ERR_SYSTEM, "dropping to user %s (%u) left rights behind", pr.user.name,
                       (unsigned)pr.user.uid);
    return 0;
}

void
privilege_no_new(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* ------------------------------------------------------------------ trust */

/* Not root alone. The group's bits count whosever the group is: `user` may be in root's, and where there is an access
 * control list they stand for all whom it names. */
static bool
others_write(const struct stat *st)
{
    return st->st_mode & (S_IWGRP | S_IWOTH);
}

/* In a sticky directory (/tmp) nobody moves what is root's. */
static bool
is_roots(const struct stat *st)
{
    return st->st_uid == 0 &&
           (S_ISLNK(st->st_mode) || !others_write(st) || (S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX));
}

/* The directory of a path that leads to nothing: will it be root who makes that? In a sticky one it may be anybody,
 * also between this look and the next. */
static bool
is_closed(const char *dir)
{
    struct stat st;

    return lstat(dir, &st) == 0 && !others_write(&st);
}

/* Each step, and where it leads when it is a link. The last one may be missing. */
static bool
trusts_steps(const char *path)
{
    struct path_walk w;
    struct stat st;

    path_walk_begin(&w, path);
    if (lstat("/", &st) != 0 || !is_roots(&st))
        return false;
    while (path_walk_step(&w)) {
        if (w.missing)
            return w.missing == ENOENT && w.last && is_closed(w.dir);
        if (!is_roots(&w.st))
            return false;
    }
    return !w.lost;
}

bool
privilege_trusts(const char *path)
{
    char directory[PATH_MAX], whole[PATH_MAX];
    int sys = errno;
    bool good = false;

    if (path[0] == '/')
        good = trusts_steps(path);
    else if (getcwd(directory, sizeof(directory)) &&
             snprintf(whole, sizeof(whole), "%s/%s", directory, path) < (int)sizeof(whole))
        good = trusts_steps(whole);
    errno = sys;
    return good;
}
