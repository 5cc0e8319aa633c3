#include "file_places.h"

#include "../base/xalloc.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel has it */

const struct file_dir *
file_dirs_find(const struct file_dir *list, const char *path)
{
    while (list && strcmp(list->path, path) != 0)
        list = list->next;
    return list;
}

bool
file_dir_names(const struct file_dir *d, const char *name)
{
    if (d->any)
        return true;
    for (const struct file_name *n = d->names; n; n = n->next)
        if (strcmp(n->text, name) == 0)
            return true;
    return false;
}

void
file_dirs_free(struct file_dir *list)
{
    while (list) {
        struct file_dir *d = list;
        list = d->next;
        for (struct file_name *n = d->names, *next; n; n = next) {
            next = n->next;
            free(n);
        }
        free(d);
    }
}

/* name NULL: any. */
static void
want(struct file_dir **list, const char *path, const char *name)
{
    struct file_dir *d = (struct file_dir *)file_dirs_find(*list, path);
    if (!d) {
        size_t n = strlen(path) + 1;
        d = xcalloc(1, sizeof *d + n);
        memcpy(d->path, path, n);
        d->wd = -1;
        d->next = *list;
        *list = d;
    }
    if (!name) {
        d->any = true;
    } else if (!file_dir_names(d, name)) {
        size_t n = strlen(name) + 1;
        struct file_name *added = xcalloc(1, sizeof *added + n);
        memcpy(added->text, name, n);
        added->next = d->names;
        d->names = added;
    }
}

/* A path on the way from its first component to its last: `dir` has been walked and holds no link. */
struct walk {
    char dir[PATH_MAX], rest[PATH_MAX];
    unsigned links;
};

/* The next component; false: there is none. */
static bool
take(struct walk *w, char name[NAME_MAX + 1])
{
    char *p = w->rest + strspn(w->rest, "/");
    size_t n = strcspn(p, "/");
    if (n == 0 || n > NAME_MAX)
        return false;
    memcpy(name, p, n);
    name[n] = '\0';
    memmove(w->rest, p + n, strlen(p + n) + 1);
    return true;
}

static bool
set_path(char to[PATH_MAX], const char *path)
{
    size_t n = strlen(path);
    if (n >= PATH_MAX)
        return false;
    memcpy(to, path, n + 1);
    return true;
}

static bool
follow_link(struct walk *w, const char *full)
{
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t n = readlink(full, target, sizeof target - 1);
    if (n <= 0 || ++w->links > LINKS_MAX)
        return false;
    target[n] = '\0';
    if (snprintf(rest, sizeof rest, "%s/%s", target, w->rest) >= (int)sizeof rest)
        return false;
    return set_path(w->rest, rest) && (target[0] != '/' || set_path(w->dir, "/"));
}

static bool
descend(struct walk *w, const char *name, const char *full)
{
    char *slash;
    if (strcmp(name, "..") != 0)
        return set_path(w->dir, full);
    slash = strrchr(w->dir, '/');
    slash[slash == w->dir ? 1 : 0] = '\0';
    return true;
}

/* Notes where each link on the way stands, and the end of the way: the file, or the first thing that is missing. */
static void
walk(struct file_dir **list, const char *path)
{
    struct walk w = { .dir = "/" };
    char name[NAME_MAX + 1], full[PATH_MAX];
    struct stat st;
    bool going = path[0] == '/' && set_path(w.rest, path);
    while (going && take(&w, name)) {
        if (strcmp(name, ".") == 0)
            continue;
        if (snprintf(full, sizeof full, "%s/%s", w.dir[1] ? w.dir : "", name) >= (int)sizeof full)
            return;
        bool there = lstat(full, &st) == 0, last = w.rest[strspn(w.rest, "/")] == '\0';
        if (!there || last || S_ISLNK(st.st_mode))
            want(list, w.dir, name);
        if (!there)
            return;
        going = S_ISLNK(st.st_mode) ? follow_link(&w, full) : last ? false : descend(&w, name, full);
    }
}

/* The directories that a pattern looks into. */
static void
walk_pattern(struct file_dir **list, const char *pattern)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(pattern, '/');
    glob_t found = { 0 };
    size_t n = slash && slash > pattern ? (size_t)(slash - pattern) : 1;
    if (n >= sizeof dir)
        return;
    memcpy(dir, slash ? pattern : "/", n);
    dir[n] = '\0';
    if (glob(dir, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            walk(list, found.gl_pathv[i]);
            want(list, found.gl_pathv[i], NULL);
        }
    }
    globfree(&found);
    size_t wild = strcspn(dir, "*?["); /* there may come further directories */
    if (dir[wild]) {
        dir[wild] = '\0';
        walk_pattern(list, dir);
    } else if (found.gl_pathc == 0) {
        walk(list, dir);
    }
}

struct file_dir *
file_places(const struct conf_files *files)
{
    struct file_dir *list = NULL;
    for (const struct conf_file *f = conf_files_first(files); f; f = f->next) {
        if (f->kind == CONF_FILE_PATTERN)
            walk_pattern(&list, f->path);
        else
            walk(&list, f->path);
    }
    return list;
}
