/* The part of the host table that a module uses while it configures a policy. */
#include "host.h"
#include "order.h"
#include "policy.h"
#include "template.h"

#include "../base/grant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONF_FILE_MAX (1u << 20)

static struct weir_str
host_conf_arg(const struct weir_conf *line, unsigned i)
{
    return str_of_slice(conf_arg(line, i));
}

static struct weir_str
host_conf_get_str(const struct weir_conf *block, const char *name)
{
    return str_of_slice(conf_get_str(block, name));
}

static struct weir_str
host_conf_opt(const struct weir_conf *line, const char *key)
{
    return str_of_slice(conf_opt(line, key));
}

static void __attribute__((format(printf, 3, 4)))
host_conf_error(const struct weir_conf *line, int arg, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    conf_verror(line, arg, false, fmt, ap);
    va_end(ap);
}

static void __attribute__((format(printf, 3, 4)))
host_conf_warning(const struct weir_conf *line, int arg, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    conf_verror(line, arg, true, fmt, ap);
    va_end(ap);
}

static const struct weir_template *
noted(struct weir_policy *p, const struct template *t)
{
    if (t)
        order_note(p, t);
    return (const struct weir_template *)t;
}

static const struct weir_template *
host_conf_template(struct weir_policy *p, const struct weir_conf *line, unsigned i)
{
    return noted(p, template_of_arg(line, i, p->arena));
}

static const struct weir_template *
host_template_compile(struct weir_policy *p, const char *text, const struct weir_conf *at)
{
    return noted(p, template_compile(slice_str(text), at, -1, p->arena));
}

/* 0, or -1 with errno; *out in the arena. */
static int
read_all(int fd, struct arena *arena, struct weir_str *out)
{
    size_t n = 0, room;
    struct stat st;
    char *p;

    if (fstat(fd, &st) != 0)
        return -1;
    if (S_ISDIR(st.st_mode) || st.st_size > CONF_FILE_MAX) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EFBIG;
        return -1;
    }
    /* A regular file says its size; anything else may hold as much as is allowed, and one byte more shows that it holds
     * too much. */
    room = S_ISREG(st.st_mode) ? (size_t)st.st_size + 1 : CONF_FILE_MAX + 1;
    p = arena_alloc(arena, room);
    while (n < room) {
        ssize_t got = read(fd, p + n, room - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    if (n == room) {
        errno = EFBIG; /* or it grew while it was read */
        return -1;
    }
    *out = (struct weir_str){ p, n };
    return 0;
}

static const struct weir_str *
host_conf_file(struct weir_policy *p, const struct weir_conf *line, struct weir_str path)
{
    struct slice full = conf_input(line, slice_of_str(path));
    struct weir_str *out = arena_zalloc(p->arena, sizeof(*out));
    const char *name = arena_strndup(p->arena, full.p, full.n);
    char room[GRANT_NAME_MAX];
    int fd = open(grant_name(name, room), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), failed;

    failed = fd < 0 || read_all(fd, p->arena, out) != 0;
    if (failed)
        conf_error(line, -1, "cannot read `%s`: %s", name, strerror(errno));
    if (fd >= 0)
        close(fd);
    return failed ? NULL : out;
}

static void *
host_alloc(struct weir_policy *p, size_t size)
{
    return arena_zalloc(p->arena, size);
}

static struct weir_str
host_policy_scope(const struct weir_policy *p)
{
    return str_of_slice(p->scope);
}

static bool
host_upstream_exists(struct weir_policy *p, struct weir_str name)
{
    return conf_find_named(conf_of(p->line), "upstream", slice_of_str(name)) != NULL;
}

static bool
host_store_exists(struct weir_policy *p, struct weir_str name)
{
    return conf_find_named(conf_of(p->line), "store", slice_of_str(name)) != NULL;
}

static void
host_policy_default_target(struct weir_policy *p, struct weir_str upstream)
{
    p->default_target = arena_slice(p->arena, slice_of_str(upstream));
}

void
host_fill_conf(struct weir_host *h)
{
    h->conf_find = conf_find;
    h->conf_next = conf_next;
    h->conf_args = conf_args;
    h->conf_arg = host_conf_arg;
    h->conf_int = conf_int;
    h->conf_percent = conf_percent;
    h->conf_rate = conf_rate;
    h->conf_get_int = conf_get_int;
    h->conf_get_str = host_conf_get_str;
    h->conf_opt = host_conf_opt;
    h->conf_opt_int = conf_opt_int;
    h->conf_at = conf_at;
    h->conf_error = host_conf_error;
    h->conf_warning = host_conf_warning;
    h->conf_template = host_conf_template;
    h->template_compile = host_template_compile;
    h->conf_file = host_conf_file;
    h->alloc = host_alloc;
    h->policy_scope = host_policy_scope;
    h->policy_at = policy_line;
    h->upstream_exists = host_upstream_exists;
    h->store_exists = host_store_exists;
    h->policy_default_target = host_policy_default_target;
}
