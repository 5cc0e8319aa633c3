#include "files.h"

#include "../base/hash.h"
#include "../base/xalloc.h"
#include "conf_impl.h"

#include <errno.h>
#include <glob.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

struct conf_files {
    _Atomic unsigned refs;
    struct conf_file *first, **end;
    struct name_map by_path;
};

struct conf_files *
files_new(void)
{
    struct conf_files *f = xcalloc(1, sizeof(*f));

    f->refs = 1;
    f->end = &f->first;
    return f;
}

struct conf_files *
conf_files(const struct conf *c)
{
    return c->files;
}

struct conf_files *
conf_files_hold(struct conf_files *f)
{
    atomic_fetch_add(&f->refs, 1);
    return f;
}

void
conf_files_put(struct conf_files *f)
{
    struct conf_file *file;

    if (!f || atomic_fetch_sub(&f->refs, 1) != 1)
        return;
    while ((file = f->first)) {
        f->first = file->next;
        free(file);
    }
    name_map_fini(&f->by_path);
    free(f);
}

const struct conf_file *
conf_files_first(const struct conf_files *f)
{
    return f->first;
}

const struct conf_file *
conf_files_find(const struct conf_files *f, const char *path)
{
    return name_map_get(&f->by_path, slice_str(path));
}

/* ---- digests ---- */

uint64_t
files_digest(struct slice content)
{
    uint64_t digest = hash_slice(content);

    return digest ? digest : 1;
}

uint64_t
files_names_digest(const char *pattern)
{
    glob_t found = { 0 };
    uint64_t digest = 1;

    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            digest = hash_mix(digest, hash_slice(slice_str(found.gl_pathv[i])));
    globfree(&found);
    return digest ? digest : 1;
}

/* 0 with errno: it cannot be read. */
static uint64_t
content_digest(const char *path, bool granted)
{
    struct slice content = source_content(path, granted);
    uint64_t digest = content.p ? files_digest(content) : 0;

    if (content.p)
        explicit_bzero((char *)content.p, content.n); /* it may be a key */
    free((char *)content.p);
    return digest;
}

static uint64_t
stamp_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return 0;
    const int64_t seen[] = { (int64_t)st.st_dev, (int64_t)st.st_ino, st.st_size, st.st_mtim.tv_sec,
                             st.st_mtim.tv_nsec };
    return files_digest(slice_of((const char *)seen, sizeof(seen)));
}

bool
conf_file_same(const struct conf_file *f)
{
    uint64_t digest, stamp;

    if (f->kind == CONF_FILE_PATTERN)
        return files_names_digest(f->path) == f->digest;
    digest = content_digest(f->path, false);
    if (digest || (errno != EACCES && errno != EPERM))
        return digest == f->digest;
    stamp = stamp_of(f->path);
    return stamp == f->stamp || !stamp; /* behind a directory that is closed to us nothing can be seen */
}

/* ---- noting ---- */

void
files_note(struct conf *c, enum conf_file_kind kind, const char *path, uint64_t digest)
{
    struct conf_files *f = c->files;
    size_t n = strlen(path) + 1;
    struct conf_file *file;

    if (conf_files_find(f, path))
        return;
    file = xcalloc(1, sizeof(*file) + n);
    memcpy(file->text, path, n);
    file->path = file->text;
    file->kind = kind;
    file->digest = digest;
    file->stamp = stamp_of(path);
    *f->end = file;
    f->end = &file->next;
    name_map_put(&f->by_path, slice_of(file->path, n - 1), file);
}

struct slice
conf_input(const struct weir_conf *line, struct slice path)
{
    struct slice full = conf_path(line, path);

    if (!conf_files_find(line->conf->files, full.p)) /* before it is read: what changes meanwhile is a change */
        files_note(line->conf, CONF_FILE_CONTENT, full.p, content_digest(full.p, true));
    return full;
}
