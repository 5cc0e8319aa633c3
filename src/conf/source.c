/* source: the text of one file, where it stands, and how places in it are found again. */
#include "config.h" /* _GNU_SOURCE: memrchr */

#include "conf_impl.h"

#include "../base/grant.h"
#include "../base/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* NULL, or why this open file is not to be read. */
static const char *
refuse_kind(int fd, struct source *identity)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return strerror(errno);
    if (S_ISDIR(st.st_mode))
        return strerror(EISDIR);
    /* A main file may be a pipe (`-c /dev/stdin`); anything else that is not a file could make the reader wait for
     * ever. */
    if (!S_ISREG(st.st_mode) && !(identity && !identity->parent))
        return "it is not a regular file";
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0)
        return strerror(errno);
    if (identity) {
        identity->dev = st.st_dev;
        identity->ino = st.st_ino;
    }
    return NULL;
}

static struct slice
read_all(int fd, size_t max, const char **why)
{
    size_t n = 0, room = 16384;
    char *p = xmalloc(room + 1);
    ssize_t got;

    for (;;) {
        got = read(fd, p + n, room - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
        if (n > max) {
            *why = max == CONF_FILE_MAX ? "it is larger than 16 MiB" : "it is larger than 1 MiB";
            free(p);
            return SLICE_NONE;
        }
        if (n == room)
            p = xrealloc(p, (room *= 2) + 1);
    }
    if (got < 0) {
        *why = strerror(errno);
        free(p);
        return SLICE_NONE;
    }
    p[n] = '\0';
    return slice_of(p, n);
}

struct slice
source_read(struct conf *c, const char *path, size_t max, struct source *identity, const char **why)
{
    struct slice content = SLICE_NONE;
    char room[GRANT_NAME_MAX];
    int fd = open(grant_name(path, room), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *reason = fd < 0 ? strerror(errno) : refuse_kind(fd, identity);

    if (!reason)
        content = read_all(fd, max, &reason);
    if (fd >= 0)
        close(fd);
    if (!content.p)
        *why = arena_strndup(&c->arena, reason, strlen(reason)); /* strerror's buffer is borrowed */
    return content;
}

struct slice
source_content(const char *path, bool granted)
{
    struct slice content = SLICE_NONE;
    char room[GRANT_NAME_MAX];
    const char *why;
    int fd = open(granted ? grant_name(path, room) : path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int error = errno;

    if (fd >= 0 && refuse_kind(fd, NULL))
        error = EINVAL;
    else if (fd >= 0)
        content = read_all(fd, CONF_TEXT_MAX, &why);
    if (fd >= 0)
        close(fd);
    errno = error;
    return content;
}

/* The directory of a path, absolute, with a slash at its end. */
static const char *
dir_of(struct arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct slice dir = slice_of(path, slash ? (size_t)(slash + 1 - path) : 0);
    char *cwd;
    struct slice all;

    if (dir.n && dir.p[0] == '/')
        return arena_slice(a, dir).p;
    cwd = getcwd(NULL, 0);
    all = arena_printf(a, "%s%s%.*s", cwd ? cwd : "", cwd && !strcmp(cwd, "/") ? "" : "/", SLICE_FMT(dir));
    free(cwd);
    return all.p;
}

static void
enlist(struct conf *c, struct source *s)
{
    s->order = c->n_sources++;
    *c->sources_end = s;
    c->sources_end = &s->next;
}

static void
note(struct conf *c, const struct source *s, const char *path)
{
    const char *slash = strrchr(path, '/');

    files_note(c, CONF_FILE_SOURCE, arena_printf(&c->arena, "%s%s", s->dir, slash ? slash + 1 : path).p,
               s->text.p ? files_digest(s->text) : 0);
}

struct source *
source_open(struct conf *c, const char *path, const char *shown, struct source *parent, const char **why)
{
    struct source *s = arena_zalloc(&c->arena, sizeof(*s));

    s->parent = parent;
    s->dir = dir_of(&c->arena, path);
    s->text = source_read(c, path, CONF_FILE_MAX, s, why);
    note(c, s, path);
    if (!s->text.p)
        return NULL;
    s->memory = (char *)s->text.p;
    if (s->text.n > CONF_TEXT_MAX - c->text_size) {
        *why = "with it, the files of this configuration are larger than 64 MiB";
        source_release(s);
        return NULL;
    }
    c->text_size += s->text.n;
    s->name = arena_strndup(&c->arena, shown, strlen(shown));
    enlist(c, s);
    return s;
}

struct source *
source_text(struct conf *c, const char *name, struct slice text)
{
    struct source *s = arena_zalloc(&c->arena, sizeof(*s));

    s->memory = xmalloc(text.n + 1);
    if (text.n)
        memcpy(s->memory, text.p, text.n);
    s->text = slice_of(s->memory, text.n);
    s->name = arena_strndup(&c->arena, name, strlen(name));
    s->dir = dir_of(&c->arena, name);
    enlist(c, s);
    return s;
}

void
source_release(struct source *s)
{
    free(s->memory);
    s->memory = NULL;
    s->text = SLICE_NONE;
}

struct slice
source_line(const struct place *at, uint32_t *column)
{
    struct slice text = at->src->text;
    const char *p, *start, *end;

    if (at->off > text.n || !text.p)
        return SLICE_NONE;
    p = text.p + at->off;
    start = at->off ? memrchr(text.p, '\n', at->off) : NULL;
    start = start ? start + 1 : text.p;
    end = memchr(p, '\n', text.n - at->off);
    end = end ? end : text.p + text.n;
    if (end > start && end[-1] == '\r')
        end--;
    *column = (uint32_t)(p - start);
    return slice_of(start, (size_t)(end - start));
}

struct slice
source_path(struct arena *a, const struct source *s, struct slice path)
{
    if (path.n && path.p[0] == '/')
        return arena_slice(a, path);
    return arena_printf(a, "%s%.*s", s->dir, SLICE_FMT(path));
}
