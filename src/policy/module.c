#include "config.h"

#include "module.h"
#include "policy.h"
#include "template.h"

#include "../base/log.h"
#include "../base/xalloc.h"
#include "../http/reason.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

#define MODULE_FILE_MAX (256u << 20)
/* The descriptor of ABI 1.0 ends here; one that is smaller is no descriptor. */
#define MODULE_SIZE_MIN (offsetof(struct weir_module, control) + sizeof(((struct weir_module *)0)->control))

/* ---- rows ---- */

static void
apply_check(const struct weir_conf *line, void *diag)
{
    const struct weir_conf *root = conf_root(conf_of(line)), *b;
    const char *names[64];
    unsigned n = 0;

    for (b = conf_find(root, "policy"); b; b = conf_next(b)) {
        if (slice_eq(conf_arg(b, 0), conf_arg(line, 0)))
            return;
        if (n < 63)
            names[n++] = conf_arg(b, 0).p;
    }
    names[n] = NULL;
    if (conf_nearest(conf_arg(line, 0).p, names))
        conf_error(line, 0, "no `policy %s { ... }` in this file\ndid you mean `%s`?", conf_arg(line, 0).p,
                   conf_nearest(conf_arg(line, 0).p, names));
    else
        conf_error(line, 0, "no `policy %s { ... }` in this file", conf_arg(line, 0).p);
}

static const struct weir_arg modules_args[] = { { "DIR", WEIR_T_PATH, .flags = WEIR_ARG_REPEAT }, { NULL } };
static const struct weir_arg use_args[] = { { "NAME", WEIR_T_NAME, .flags = WEIR_ARG_REPEAT }, { NULL } };
static const struct weir_arg name_args[] = { { "NAME", WEIR_T_NAME }, { NULL } };

const struct weir_directive policy_rows[] = {
    { .name = "modules",
      .in = "main",
      .args = modules_args,
      .def = WEIR_MODULE_DIR,
      .help = "Directories where `use` looks for modules, in order." },
    { .name = "use",
      .in = "main",
      .args = use_args,
      .flags = WEIR_D_REPEAT,
      .help = "Loads policy modules: NAME is the file NAME.so." },
    { .name = "policy",
      .in = "main",
      .args = name_args,
      .block = "policy",
      .flags = WEIR_D_REPEAT | WEIR_D_UNIQUE_NAME,
      .help = "A bundle of policies that a route takes with `apply NAME;`." },
    { .name = "apply",
      .in = "main host route",
      .args = name_args,
      .flags = WEIR_D_REPEAT,
      .check = apply_check,
      .help = "Puts the policies of `policy NAME { ... }` here." },
    { NULL },
};

/* ---- files ---- */

static bool
find_file(const char *name, const struct slice *dirs, unsigned n_dirs, char path[PATH_MAX])
{
    for (unsigned i = 0; i < n_dirs; i++)
        if (snprintf(path, PATH_MAX, "%.*s/%s.so", SLICE_FMT(dirs[i]), name) < PATH_MAX && access(path, F_OK) == 0)
            return true;
    return false;
}

static struct module_file
file_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return (struct module_file){ 0 };
    return (struct module_file){ st.st_dev, st.st_ino, (uint64_t)st.st_size,
                                 (int64_t)st.st_mtim.tv_sec * NSEC_PER_SEC + st.st_mtim.tv_nsec };
}

/* ---- what is loaded ---- */

/* Only the thread that builds a generation adds; any thread may walk it. */
static struct module *_Atomic first;
static struct module *last;
static _Atomic unsigned count;

const struct module *
modules_all(void)
{
    return atomic_load_explicit(&first, memory_order_acquire);
}

unsigned
modules_count(void)
{
    return atomic_load_explicit(&count, memory_order_acquire);
}

static struct module *
find(const char *name)
{
    struct module *m;

    for (m = atomic_load_explicit(&first, memory_order_acquire); m; m = m->next)
        if (strcmp(m->def->name, name) == 0)
            return m;
    return NULL;
}

const struct module *
module_of_row(const struct weir_directive *row)
{
    const struct module *m;

    for (m = modules_all(); m; m = m->next)
        for (const struct weir_directive *d = m->def->directives; d && d->name; d++)
            if (d == row)
                return m;
    return NULL;
}

static struct module *
make(const struct weir_module *def, const char *path)
{
    struct module *m = xcalloc(1, sizeof(*m));

    m->def = def;
    m->path = xstrdup(path);
    m->file = file_of(path);
    m->index = modules_count();
    return m;
}

static void
add(struct module *m)
{
    if (last)
        __atomic_store_n(&last->next, m, __ATOMIC_RELEASE);
    else
        atomic_store_explicit(&first, m, memory_order_release);
    last = m;
    atomic_store_explicit(&count, m->index + 1, memory_order_release);
}

bool
module_replaced(const struct module *m, const struct slice *dirs, unsigned n_dirs)
{
    char path[PATH_MAX];
    struct module_file now;

    if (!find_file(m->def->name, dirs, n_dirs, path))
        return false;
    now = file_of(path);
    return now.device != m->file.device || now.inode != m->file.inode || now.size != m->file.size ||
           now.modified != m->file.modified;
}

/* ---- opening ---- */

static int
copy_file(int from, int to)
{
    char buf[65536];
    ssize_t n;

    while ((n = read(from, buf, sizeof(buf))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        for (ssize_t done = 0, w; done < n; done += w) {
            w = write(to, buf + done, (size_t)(n - done));
            if (w < 0 && errno != EINTR)
                return -1;
            w = w < 0 ? 0 : w;
        }
    }
    return 0;
}

static int
anonymous_file(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_EXEC);

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, MFD_CLOEXEC); /* a kernel before 6.3 */
    if (fd < 0)
        fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0700);
    return fd;
}

/*
 * A private copy, so that an upgrade may overwrite the file while its code runs. The descriptor stays open for the life
 * of the process: the dynamic linker knows a library by its name, and a number that is used again would give the wrong
 * one.
 */
static int
private_copy(const char *name, const char *path, struct err *e)
{
    int from = open(path, O_RDONLY | O_CLOEXEC), to = -1;
    struct stat st;

    if (from < 0)
        return err_errno(e, "cannot open %s", path);
    if (fstat(from, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > MODULE_FILE_MAX) {
        err_set(e, ERR_INPUT, "%s is not a module: a shared object is expected", path);
        goto out;
    }
    to = anonymous_file(name);
    if (to < 0 || copy_file(from, to) != 0) {
        err_errno(e, "cannot make a private copy of %s", path);
        if (to >= 0)
            close(to);
        to = -1;
    }
out:
    close(from);
    return to;
}

static void *
open_library(const char *name, const char *path, struct err *e)
{
    char self[64];
    int fd = private_copy(name, path, e);
    void *lib;

    if (fd < 0)
        return NULL;
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    lib = dlopen(self, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!lib && access(self, F_OK) != 0)
        lib = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE); /* no /proc here: then the file itself */
    if (lib)
        return lib;
    err_set(e, ERR_INPUT, "module `%s` (%s) cannot be loaded: %s", name, path, dlerror());
    close(fd);
    return NULL;
}

/* ---- checking ---- */

static int
check_abi(const char *name, const struct weir_module *def, struct err *e)
{
    if (def->abi_major != WEIR_ABI_MAJOR)
        return err_set(
            e, ERR_INPUT,
            "module `%s` was built for module ABI %u, this weir has ABI %u: rebuild it against this weir's headers "
            "(weir/module.h), or install the version of it made for this weir",
            name, def->abi_major, (unsigned)WEIR_ABI_MAJOR);
    if (def->abi_minor > WEIR_ABI_MINOR)
        return err_set(
            e, ERR_INPUT,
            "module `%s` needs module ABI %u.%u, this weir has %u.%u: upgrade weir, or rebuild the module against this "
            "weir's headers",
            name, def->abi_major, def->abi_minor, (unsigned)WEIR_ABI_MAJOR, (unsigned)WEIR_ABI_MINOR);
    if (def->size < MODULE_SIZE_MIN || def->size > sizeof(*def))
        return err_set(e, ERR_INPUT,
                       "module `%s` has a descriptor of %zu bytes where ABI %u.%u has %zu: rebuild it, with "
                       "WEIR_MODULE_ABI in its descriptor",
                       name, def->size, (unsigned)WEIR_ABI_MAJOR, (unsigned)WEIR_ABI_MINOR, sizeof(*def));
    return 0;
}

static bool
attaches_policy(const struct weir_module *def)
{
    for (const struct weir_directive *d = def->directives; d && d->name; d++)
        if (d->flags & WEIR_D_POLICY)
            return true;
    return false;
}

static int
check_descriptor(const char *name, const struct weir_module *def, struct err *e)
{
    if (!def->name || !def->version || !def->directives)
        return err_set(e, ERR_INPUT,
                       "module `%s` lacks a name, a version or directives in its descriptor: its author must add them",
                       name);
    if (strcmp(def->name, name) != 0)
        return err_set(e, ERR_INPUT, "the file %s.so holds module `%s`: rename the file, or write `use %s;`", name,
                       def->name, def->name);
    if (attaches_policy(def) && !def->configure)
        return err_set(e, ERR_INPUT, "module `%s` declares a policy but has no `configure`: its author must add it",
                       name);
    return 0;
}

static int
add_reasons(const char *name, const struct weir_reason *r, struct err *e)
{
    for (; r && r->code; r++) {
        struct reason *row = xcalloc(1, sizeof(*row)); /* for the life of the process, as the module */

        row->code = r->code;
        row->status = r->status;
        row->title = r->title;
        row->proxy_error = r->proxy_error ? r->proxy_error : "http_request_denied";
        if (r->status < 400 || r->status > 599 || !r->title || reason_add(row) != 0) {
            free(row);
            return err_set(e, ERR_INPUT, "module `%s` cannot add the reason `%s`: %s", name, r->code,
                           r->status < 400 || r->status > 599 || !r->title
                               ? "it needs a title and a status from 400 to 599"
                               : "another module or the core has it with another meaning");
        }
    }
    return 0;
}

/* Older modules have a shorter descriptor: the members they do not know are absent. */
static const struct weir_module *
full_descriptor(const struct weir_module *def)
{
    struct weir_module *copy;

    if (def->size == sizeof(*def))
        return def;
    copy = xcalloc(1, sizeof(*copy));
    memcpy(copy, def, def->size);
    return copy;
}

static const struct module *
admit(const char *name, const char *path, const struct weir_module *def, struct err *e)
{
    const struct weir_module *full;
    const char *error = NULL;
    struct module *m;

    if (check_abi(name, def, e) != 0)
        return NULL;
    full = full_descriptor(def);
    if (check_descriptor(name, full, e) != 0 || add_reasons(name, full->reasons, e) != 0)
        return NULL;
    if (full->load && full->load(host_table(), &error) != 0) {
        err_set(e, ERR_STATE, "module `%s` did not start: %s", name, error ? error : "it does not say why");
        return NULL;
    }
    m = make(full, path);
    if (full->variables && variable_add(full->variables, m) != 0) {
        free(m->path);
        free(m);
        err_set(e, ERR_INPUT,
                "module `%s` provides a variable that exists already: use only one of the modules that do", name);
        return NULL;
    }
    add(m);
    log_info("module", "loaded %s %s from %s", full->name, full->version, path);
    return m;
}

const struct module *
module_load(const char *name, const struct slice *dirs, unsigned n_dirs, struct err *e)
{
    const struct weir_module *def;
    const struct module *m = find(name);
    char path[PATH_MAX];
    void *lib;

    if (m)
        return m;
    if (!find_file(name, dirs, n_dirs, path)) {
        err_set(e, ERR_NOT_FOUND, "no module `%s`: there is no %s.so in %.*s%s; `modules DIR;` says where modules are",
                name, name, n_dirs ? (int)dirs[0].n : 0, n_dirs ? dirs[0].p : "",
                n_dirs > 1 ? " or the other directories of `modules`" : "");
        return NULL;
    }
    lib = open_library(name, path, e);
    if (!lib)
        return NULL;
    def = dlsym(lib, "weir_module");
    if (!def) {
        err_set(e, ERR_INPUT,
                "%s is not a weir module: it does not export `weir_module` (WEIR_MODULE in its source does that)",
                path);
        return NULL;
    }
    return admit(name, path, def, e);
}

/* ---- `use` ---- */

#define DIRS_MAX 32

static unsigned
module_dirs(struct conf *c, struct slice dirs[DIRS_MAX])
{
    const struct weir_conf *line;
    unsigned n = 0;

    for (line = conf_find(conf_root(c), "modules"); line; line = conf_next(line))
        for (unsigned i = 0; i < conf_args(line) && n < DIRS_MAX; i++)
            dirs[n++] = conf_path(line, conf_arg(line, i));
    if (!n)
        dirs[n++] = slice_str(WEIR_MODULE_DIR);
    return n;
}

static bool
is_module_name(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", s.p[i]))
            return false;
    return s.n > 0 && s.n <= 64;
}

/* The modules there are whose names are nearest. */
static const char *
near_module(struct conf *c, const char *name, const struct slice *dirs, unsigned n_dirs)
{
    const char *names[128];
    unsigned n = 0;

    for (unsigned i = 0; i < n_dirs; i++) {
        DIR *d = opendir(dirs[i].p);
        struct dirent *entry;

        while (d && n < 127 && (entry = readdir(d))) {
            size_t len = strlen(entry->d_name);
            if (len > 3 && strcmp(entry->d_name + len - 3, ".so") == 0)
                names[n++] = arena_strndup(conf_arena(c), entry->d_name, len - 3);
        }
        if (d)
            closedir(d);
    }
    names[n] = NULL;
    return conf_nearest(name, names);
}

static void
not_loaded(const struct weir_conf *line, unsigned i, const char *name, const char *near, const struct err *e)
{
    if (near)
        conf_error(line, (int)i, "%s\ndid you mean `%s`?", e->text, near);
    else
        conf_error(line, (int)i, "%s", e->text);
    conf_add_hint(conf_of(line), name, "belongs to a module that could not be loaded");
}

static void
use_one(struct conf *c, const struct weir_conf *line, unsigned i, const struct slice *dirs, unsigned n_dirs)
{
    struct slice name = conf_arg(line, i);
    const char *clash = NULL;
    struct module *m;
    struct err e;

    err_clear(&e);
    if (!is_module_name(name)) {
        conf_error(line, (int)i, "`%.*s` is not the name of a module: letters, digits, `_` and `-`", SLICE_FMT(name));
        return;
    }
    const char *text = arena_strndup(conf_arena(c), name.p, name.n);
    m = (struct module *)module_load(text, dirs, n_dirs, &e);
    if (!m) {
        not_loaded(line, i, text, e.kind == ERR_NOT_FOUND ? near_module(c, text, dirs, n_dirs) : NULL, &e);
        return;
    }
    if (m->used_by == c) {
        conf_warning(line, (int)i, "module `%s` is named twice in `use`", m->def->name);
        return;
    }
    m->used_by = c;
    if (module_replaced(m, dirs, n_dirs))
        conf_warning(
            line, (int)i,
            "the file of module `%s` is another one now: the code from %s stays in use until weir is started again",
            m->def->name, m->path);
    if (conf_add_rows(c, m->def->directives, m->def->name, &clash) != 0)
        conf_error(line, (int)i,
                   "module `%s` declares the directive `%s`, which exists already: use only one of the two",
                   m->def->name, clash ? clash : "?");
}

int
modules_use(struct conf *c)
{
    unsigned errors = conf_errors(c), n_dirs;
    struct slice dirs[DIRS_MAX];
    const struct weir_conf *line;

    for (struct module *m = atomic_load(&first); m; m = m->next)
        m->used_by = NULL;
    n_dirs = module_dirs(c, dirs);
    for (line = conf_find(conf_root(c), "use"); line; line = conf_next(line))
        for (unsigned i = 0; i < conf_args(line); i++)
            use_one(c, line, i, dirs, n_dirs);
    return conf_errors(c) == errors ? 0 : -1;
}
