#include "config.h" /* _GNU_SOURCE: memfd_create */

#include "grant.h"

#include "privilege.h"
#include "xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* Linux 6.3 */
#endif

struct grant {
    char *path; /* owned */
    int fd;     /* owned */
};

static struct grant *grants;
static unsigned n_grants;
static bool collecting;

static int
find(const char *path)
{
    for (unsigned i = 0; i < n_grants; i++)
        if (strcmp(grants[i].path, path) == 0)
            return grants[i].fd;
    return -1;
}

void
grant_add(const char *path, int fd)
{
    if (find(path) >= 0) {
        close(fd);
        return;
    }
    grants = xrealloc(grants, (n_grants + 1) * sizeof(*grants));
    grants[n_grants++] = (struct grant){ xstrdup(path), fd };
}

void
grant_each(void (*fn)(const char *path, int fd))
{
    for (unsigned i = 0; i < n_grants; i++)
        fn(grants[i].path, grants[i].fd);
}

void
grant_clear(void)
{
    while (n_grants) {
        close(grants[--n_grants].fd);
        free(grants[n_grants].path);
    }
    free(grants);
    grants = NULL;
}

void
grant_collect(void)
{
    collecting = true;
}

/* ------------------------------------------------------------------ copies */

static int
new_copy(void)
{
    int fd = memfd_create("weir-grant", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

    return fd < 0 && errno == EINVAL ? memfd_create("weir-grant", MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

static bool
copy_all(int from, int to)
{
    char chunk[16384];
    size_t total = 0;
    ssize_t n;

    while ((n = read(from, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR)) {
        if (n > 0 && ((total += (size_t)n) > GRANT_FILE_MAX || write(to, chunk, (size_t)n) != n))
            break;
    }
    explicit_bzero(chunk, sizeof(chunk));
    return n == 0 && fcntl(to, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0;
}

/* -1: it is no regular file, somebody else than root has a hand in where it lies, or it cannot be read by root either.
 */
static int
copy(const char *path)
{
    int from = privilege_trusts(path) ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1, to = -1;
    struct stat st;

    if (from >= 0 && fstat(from, &st) == 0 && S_ISREG(st.st_mode))
        to = new_copy();
    if (to >= 0 && !copy_all(from, to)) {
        close(to);
        to = -1;
    }
    if (from >= 0)
        close(from);
    return to;
}

static int
copy_as_root(const char *path)
{
    int fd;

    if (!privilege_raise())
        return -1;
    fd = copy(path);
    privilege_lower();
    return fd;
}

const char *
grant_name(const char *path, char room[GRANT_NAME_MAX])
{
    int sys = errno, fd;
    bool denied = faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0 && (errno == EACCES || errno == EPERM);

    fd = denied || collecting ? find(path) : -1;
    if (fd < 0 && denied)
        fd = copy_as_root(path);
    else if (fd < 0 && collecting && !privilege_assumed())
        fd = copy(path);
    if (fd >= 0 && find(path) < 0)
        grant_add(path, fd);
    errno = sys;
    if (!denied || fd < 0)
        return path;
    snprintf(room, GRANT_NAME_MAX, "/proc/self/fd/%d", fd);
    return room;
}
