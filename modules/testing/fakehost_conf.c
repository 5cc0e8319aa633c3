/* fakehost_conf: configuration and the policy. */
#include "fakehost_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct weir_conf *
h_conf_find(const struct weir_conf *block, const char *name)
{
    return fakeconf_find(block, name);
}

static unsigned
h_conf_args(const struct weir_conf *line)
{
    return line->n_words;
}

static struct weir_str
h_conf_arg(const struct weir_conf *line, unsigned i)
{
    return i < line->n_words ? fake_str(line->words[i]) : (struct weir_str){ "", 0 };
}

static int64_t
h_conf_int(const struct weir_conf *line, unsigned i)
{
    return fakeconf_number(line->row->args[i].type, line->words[i]);
}

static double
h_conf_percent(const struct weir_conf *line, unsigned i)
{
    return strtod(line->words[i], NULL);
}

static void
h_conf_rate(const struct weir_conf *line, unsigned i, uint64_t *count, int64_t *per_ns)
{
    char *slash;
    *count = strtoull(line->words[i], &slash, 10);
    *per_ns = (slash[1] == 's' ? 1 : slash[1] == 'm' ? 60 : 3600) * FAKE_SECOND;
}

static struct weir_str
h_conf_get_str(const struct weir_conf *block, const char *name)
{
    const struct weir_conf *line = fakeconf_find(block, name);
    const struct weir_directive *row = fakeconf_row(block->rows, block->row->block, name);
    return line ? h_conf_arg(line, 0) : fake_str(row ? row->def : NULL);
}

static int64_t
h_conf_get_int(const struct weir_conf *block, const char *name)
{
    const struct weir_directive *row = fakeconf_row(block->rows, block->row->block, name);
    struct weir_str s = h_conf_get_str(block, name);
    return s.p ? fakeconf_number(row->args[0].type, s.p) : 0;
}

static struct weir_str
h_conf_opt(const struct weir_conf *line, const char *key)
{
    return fake_str(fakeconf_opt(line, key));
}

static int64_t
h_conf_opt_int(const struct weir_conf *line, const char *key, int64_t otherwise)
{
    const char *text = fakeconf_opt(line, key);
    return text ? fakeconf_number(fakeconf_opt_row(line, key)->type, text) : otherwise;
}

static const char *
h_conf_at(const struct weir_conf *line)
{
    return "gateway.conf:1";
}

static void
h_conf_error(const struct weir_conf *line, int arg, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fake_append(fake.errors, sizeof(fake.errors), fmt, ap);
    va_end(ap);
}

static void
h_conf_warning(const struct weir_conf *line, int arg, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fake_append(fake.warnings, sizeof(fake.warnings), fmt, ap);
    va_end(ap);
}

static void *
h_alloc(struct weir_policy *p, size_t size)
{
    return p->memory[p->n_memory++] = calloc(1, size ? size : 1);
}

static const struct weir_template *
h_template_compile(struct weir_policy *p, const char *text, const struct weir_conf *at)
{
    struct weir_template *t = h_alloc(p, sizeof(*t));
    snprintf(t->text, sizeof(t->text), "%s", text);
    return t;
}

static const struct weir_template *
h_conf_template(struct weir_policy *p, const struct weir_conf *line, unsigned i)
{
    return h_template_compile(p, line->words[i], line);
}

static const struct weir_str *
h_conf_file(struct weir_policy *p, const struct weir_conf *line, struct weir_str path)
{
    if (fake.file_name && strlen(fake.file_name) == path.n && memcmp(fake.file_name, path.p, path.n) == 0)
        return &fake.file;
    h_conf_error(line, 0, "no such file: %.*s", (int)path.n, path.p);
    return NULL;
}

static struct weir_str
h_policy_scope(const struct weir_policy *p)
{
    return fake_str(fake.scope);
}

static const char *
h_policy_at(const struct weir_policy *p)
{
    return "gateway.conf:1";
}

static bool
h_upstream_exists(struct weir_policy *p, struct weir_str name)
{
    return !fake.upstreams[0] || fake_has_word(fake.upstreams, name);
}

static bool
h_store_exists(struct weir_policy *p, struct weir_str name)
{
    return !fake.stores[0] || fake_has_word(fake.stores, name);
}

static void
h_policy_default_target(struct weir_policy *p, struct weir_str upstream)
{
    fake_set_text(fake.default_target, sizeof(fake.default_target), upstream);
}

void
fake_fill_conf(struct weir_host *h)
{
    h->conf_find = h_conf_find;
    h->conf_next = fakeconf_next;
    h->conf_args = h_conf_args;
    h->conf_arg = h_conf_arg;
    h->conf_int = h_conf_int;
    h->conf_percent = h_conf_percent;
    h->conf_rate = h_conf_rate;
    h->conf_get_int = h_conf_get_int;
    h->conf_get_str = h_conf_get_str;
    h->conf_opt = h_conf_opt;
    h->conf_opt_int = h_conf_opt_int;
    h->conf_at = h_conf_at;
    h->conf_error = h_conf_error;
    h->conf_warning = h_conf_warning;
    h->conf_template = h_conf_template;
    h->template_compile = h_template_compile;
    h->conf_file = h_conf_file;
    h->alloc = h_alloc;
    h->policy_scope = h_policy_scope;
    h->policy_at = h_policy_at;
    h->upstream_exists = h_upstream_exists;
    h->store_exists = h_store_exists;
    h->policy_default_target = h_policy_default_target;
}
