#include "file_places.h"

#include "../base/path_walk.h"
#include "../base/xalloc.h"

#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

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

/* Notes where each link on the way stands, and the end of the way: the file, or the first thing that is missing. */
static void
walk(struct file_dir **list, const char *path)
{
    struct path_walk w;
    path_walk_begin(&w, path);
    while (path_walk_step(&w))
        if (w.missing || w.last || S_ISLNK(w.st.st_mode))
            want(list, w.dir, w.name);
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
