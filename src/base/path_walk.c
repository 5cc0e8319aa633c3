#include "path_walk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel has it */

static bool
set_path(char to[PATH_MAX], const char *path)
{
    size_t n = strlen(path);

    if (n >= PATH_MAX)
        return false;
    memcpy(to, path, n + 1);
    return true;
}

void
path_walk_begin(struct path_walk *w, const char *path)
{
    memset(w, 0, sizeof(*w));
    w->dir[0] = '/';
    w->lost = path[0] != '/' || !set_path(w->rest, path);
}

/* The next component into name. False: there is none, or it is too long. */
static bool
take_name(struct path_walk *w)
{
    char *p = w->rest + strspn(w->rest, "/");
    size_t n = strcspn(p, "/");

    w->lost |= n > NAME_MAX;
    if (n == 0 || n > NAME_MAX)
        return false;
    memcpy(w->name, p, n);
    w->name[n] = '\0';
    memmove(w->rest, p + n, strlen(p + n) + 1);
    return true;
}

static bool
follow_link(struct path_walk *w)
{
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t n = readlink(w->full, target, sizeof(target) - 1);

    if (n <= 0 || ++w->links > LINKS_MAX)
        return false;
    target[n] = '\0';
    if (snprintf(rest, sizeof(rest), "%s/%s", target, w->rest) >= (int)sizeof(rest))
        return false;
    return set_path(w->rest, rest) && (target[0] != '/' || set_path(w->dir, "/"));
}

static void
go_up(struct path_walk *w)
{
    char *slash = strrchr(w->dir, '/');

    slash[slash == w->dir ? 1 : 0] = '\0';
}

/* On from the step before, if there was one. */
static bool
go_on(struct path_walk *w)
{
    if (w->lost || w->missing)
        return false;
    if (!w->full[0])
        return true;
    w->lost = S_ISLNK(w->st.st_mode) ? !follow_link(w) : !set_path(w->dir, w->full);
    return !w->lost;
}

bool
path_walk_step(struct path_walk *w)
{
    if (!go_on(w))
        return false;
    w->full[0] = '\0';
    while (take_name(w)) {
        if (strcmp(w->name, "..") == 0)
            go_up(w);
        if (strcmp(w->name, "..") == 0 || strcmp(w->name, ".") == 0)
            continue;
        w->lost = snprintf(w->full, sizeof(w->full), "%s/%s", w->dir[1] ? w->dir : "", w->name) >= (int)sizeof(w->full);
        if (w->lost)
            return false;
        w->missing = lstat(w->full, &w->st) == 0 ? 0 : errno;
        w->last = w->rest[strspn(w->rest, "/")] == '\0';
        return true;
    }
    return false;
}
