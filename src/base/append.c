#include "append.h"

#include "privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define FLAGS (O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static int
open_as_root(const char *path)
{
    const struct privilege_user *u = privilege_assumed();
    int fd;

    if (!privilege_trusts(path)) {
        errno = EACCES;
        return -1;
    }
    fd = open(path, FLAGS | O_CREAT | O_EXCL, 0640);
    if (fd < 0)
        return errno == EEXIST ? open(path, FLAGS) : -1;
    if (fchown(fd, u->uid, u->gid) == 0)
        return fd;
    close(fd);
    return -1;
}

int
append_open(const char *path, struct err *e)
{
    int fd = open(path, FLAGS | O_CREAT, 0640);

    if (fd < 0 && errno == EACCES && privilege_raise()) {
        fd = open_as_root(path);
        privilege_lower();
    }
    if (fd < 0 && errno == ENXIO)
        return err_set(e, ERR_SYSTEM, "cannot open %s: nobody reads from this pipe", path);
    if (fd < 0)
        return err_errno(e, "cannot open %s", path);
    return fd;
}
