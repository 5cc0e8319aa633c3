/* get: typed values of a checked tree. */
#include "conf_impl.h"

static const struct conf_arg *
arg_at(const struct weir_conf *line, unsigned i)
{
    return line && i < line->n_args ? &line->args[i] : NULL;
}

static const struct conf_arg *
opt_at(const struct weir_conf *line, const char *key)
{
    if (!line)
        return NULL;
    for (unsigned i = line->n_args; i < (unsigned)line->n_args + line->n_opts; i++) {
        if (!strcmp(line->args[i].opt->key, key))
            return &line->args[i];
    }
    return NULL;
}

static const struct weir_opt *
opt_row(const struct weir_conf *line, const char *key)
{
    return line && line->reg ? row_opt(line->reg->row, slice_str(key)) : NULL;
}

unsigned
conf_args(const struct weir_conf *line)
{
    return line ? line->n_args : 0;
}

struct slice
conf_arg(const struct weir_conf *line, unsigned i)
{
    const struct conf_arg *arg = arg_at(line, i);

    return arg ? arg->text : slice_of("", 0);
}

struct slice
conf_arg_shown(const struct weir_conf *line, unsigned i)
{
    const struct conf_arg *arg = arg_at(line, i);

    return arg ? arg_shown(line, arg) : slice_of("", 0);
}

struct slice
conf_arg_masked(const struct weir_conf *line, unsigned i)
{
    const struct conf_arg *arg = arg_at(line, i);

    if (!arg)
        return slice_of("", 0);
    return arg->secret ? arg->secret->shown : arg->text;
}

bool
conf_arg_quoted(const struct weir_conf *line, unsigned i)
{
    const struct conf_arg *arg = arg_at(line, i);

    return arg && arg->flags & (ARG_DOUBLE | ARG_SINGLE) && !(arg->flags & ARG_KEY);
}

int64_t
conf_int(const struct weir_conf *line, unsigned i)
{
    const struct conf_arg *arg = arg_at(line, i);

    return arg ? arg->v.i[0] : 0;
}

int64_t
conf_int_high(const struct weir_conf *line, unsigned i)
{
    const struct conf_arg *arg = arg_at(line, i);

    return arg ? arg->v.i[1] : 0;
}

double
conf_percent(const struct weir_conf *line, unsigned i)
{
    const struct conf_arg *arg = arg_at(line, i);

    return arg ? arg->v.percent : 0;
}

void
conf_rate(const struct weir_conf *line, unsigned i, uint64_t *count, nsec_t *per)
{
    const struct conf_arg *arg = arg_at(line, i);

    *count = arg ? arg->v.rate.count : 0;
    *per = arg ? arg->v.rate.per : 0;
}

/* --- options --- */

struct slice
conf_opt(const struct weir_conf *line, const char *key)
{
    const struct conf_arg *arg = opt_at(line, key);
    const struct weir_opt *row = arg ? NULL : opt_row(line, key);

    if (arg)
        return arg->text;
    return row ? slice_str(row->def) : SLICE_NONE;
}

/* The value of an option, or of its row's default. */
static bool
opt_value(const struct weir_conf *line, const char *key, union value *v)
{
    const struct conf_arg *arg = opt_at(line, key);
    const struct weir_opt *row = arg ? NULL : opt_row(line, key);
    struct value_spec spec;

    if (arg) {
        *v = arg->v;
        return true;
    }
    if (!row || !row->def)
        return false;
    spec = value_spec_opt(row);
    return !value_parse(line->conf, &spec, slice_str(row->def), slice_str(row->def), v);
}

int64_t
conf_opt_int(const struct weir_conf *line, const char *key, int64_t otherwise)
{
    union value v;

    return opt_value(line, key, &v) ? v.i[0] : otherwise;
}

bool
conf_opt_given(const struct weir_conf *line, const char *key)
{
    return opt_at(line, key);
}

bool
conf_opt_secret(const struct weir_conf *line, const char *key)
{
    const struct conf_arg *arg = opt_at(line, key);

    return arg && (arg->secret || slice_eq(arg->text, SLICE("***")));
}

/* --- by name --- */

const struct weir_conf *
conf_get(const struct weir_conf *block, const char *name)
{
    const struct weir_conf *line = conf_find(block, name);
    struct conf *c = block ? block->conf : NULL;
    const struct name *inside;
    struct reg *reg;

    if (line || !block)
        return line;
    inside = block_name(block);
    reg = inside ? rows_find(c, inside, name_find(c, slice_str(name))) : NULL;
    if (!reg || !reg->row->def)
        return NULL;
    if (!reg->def_line)
        reg->def_line = parse_default(c, reg);
    return reg->def_line;
}

int64_t
conf_get_int(const struct weir_conf *block, const char *name)
{
    return conf_int(conf_get(block, name), 0);
}

struct slice
conf_get_str(const struct weir_conf *block, const char *name)
{
    return conf_arg(conf_get(block, name), 0);
}

double
conf_get_percent(const struct weir_conf *block, const char *name)
{
    return conf_percent(conf_get(block, name), 0);
}
