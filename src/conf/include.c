/* include: other files in place of a line. */
#include "conf_impl.h"

#include <errno.h>
#include <glob.h>

struct includer {
    const struct weir_conf *line;
    struct weir_conf *block;
    unsigned depth;
    /* Of the including file's directory, at the start of an absolute path; 0: the path was given absolute. */
    unsigned dir_bytes;
};

/* How the file is shown: the including file's directory, as it was given, and the name. */
static const char *
shown_as(const struct includer *in, const char *path)
{
    const char *parent = in->line->src->name, *slash = strrchr(parent, '/');

    if (!in->dir_bytes)
        return path;
    return arena_printf(&in->line->conf->arena, "%.*s%s", slash ? (int)(slash + 1 - parent) : 0, parent,
                        path + in->dir_bytes)
        .p;
}

static unsigned
level_of(const struct source *s)
{
    unsigned n = 0;

    for (; s; s = s->parent)
        n++;
    return n;
}

static const struct source *
open_already(const struct source *src)
{
    const struct source *s = src->parent;

    while (s && !(s->ino == src->ino && s->dev == src->dev && s->ino))
        s = s->parent;
    return s;
}

static void
include_file(const struct includer *in, const char *path)
{
    const struct weir_conf *line = in->line;
    struct conf *c = line->conf;
    const char *shown = shown_as(in, path), *why = NULL;
    struct source *src;

    if (c->n_sources >= CONF_FILES_MAX) {
        conf_error(line, 0, "more than %d files are included", CONF_FILES_MAX);
        return;
    }
    if (level_of(line->src) >= CONF_NESTING_MAX) {
        conf_error(line, 0, "files include each other more than %d deep", CONF_NESTING_MAX);
        return;
    }
    src = source_open(c, path, shown, line->src, &why);
    if (!src) {
        conf_error(line, 0, "cannot include `%s`: %s", diag_word(c, slice_str(shown)), why);
        return;
    }
    if (open_already(src)) {
        conf_error(line, 0, "`%s` includes itself\nit is open already, as %s", diag_word(c, slice_str(shown)),
                   open_already(src)->name);
        return;
    }
    parse_source(c, src, in->block, in->depth);
}

static __thread int glob_errno;

static int
on_glob_error(const char *path, int error)
{
    (void)path;
    if (error != ENOENT && error != ENOTDIR && !glob_errno)
        glob_errno = error;
    return 0;
}

/* A directory's own name holds no pattern. */
static struct slice
glob_pattern(const struct includer *in, struct slice path)
{
    struct strbuf b;
    struct slice pattern;

    strbuf_init(&b, CONF_VALUE_MAX);
    for (size_t i = 0; i < path.n; i++) {
        if (i < in->dir_bytes && strchr("*?[\\", path.p[i]))
            strbuf_addc(&b, '\\');
        strbuf_addc(&b, path.p[i]);
    }
    pattern = arena_slice(&in->line->conf->arena, strbuf_slice(&b));
    strbuf_fini(&b);
    return pattern;
}

static void
include_glob(const struct includer *in, struct slice path)
{
    struct slice pattern = glob_pattern(in, path);
    glob_t found = { 0 };
    int rc;

    files_note(in->line->conf, CONF_FILE_PATTERN, pattern.p, files_names_digest(pattern.p));
    glob_errno = 0;
    rc = glob(pattern.p, 0, on_glob_error, &found);
    if (rc == GLOB_NOSPACE)
        conf_error(in->line, 0, "no memory for so many files");
    else if (glob_errno)
        conf_error(in->line, 0, "cannot look for `%s`: %s", diag_word(in->line->conf, path), strerror(glob_errno));
    for (size_t i = 0; !rc && i < found.gl_pathc; i++)
        include_file(in, found.gl_pathv[i]);
    globfree(&found);
}

void
include_line(const struct weir_conf *line, unsigned depth)
{
    struct includer in = { line, line->parent, depth, 0 };
    struct slice path;

    if (line->n_args != 1) {
        conf_error(line, line->n_args ? 1 : -1, "`include` takes one file or pattern\ninclude conf.d/*.conf;");
        return;
    }
    if (line->args[0].flags & (ARG_BAD | ARG_VAR)) {
        if (!(line->args[0].flags & ARG_BAD))
            conf_error(line, 0, "run-time variables cannot stand in the name of a file to include");
        return;
    }
    path = source_path(&line->conf->arena, line->src, line->args[0].text);
    if (line->args[0].text.n && line->args[0].text.p[0] != '/')
        in.dir_bytes = (unsigned)strlen(line->src->dir);
    if (strpbrk(line->args[0].text.p, "*?["))
        include_glob(&in, path);
    else
        include_file(&in, path.p);
}
