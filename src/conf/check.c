/* check: every line against its row. */
#include "conf_impl.h"

#include "../base/hash.h"

#define LISTED_MAX 16 /* names told as what a block takes */

struct checker {
    struct conf *conf;
    struct table unique; /* lines of WEIR_D_UNIQUE_NAME rows, by block, name and first argument */
};

static void check_block(struct checker *k, struct weir_conf *block, const struct name *inside);

static const char *
word_of(const struct weir_conf *line, const struct conf_arg *arg)
{
    return diag_word(line->conf, arg_shown(line, arg));
}

static const char *
name_of(const struct weir_conf *line)
{
    return diag_word(line->conf, slice_of(line->name->text, line->name->n));
}

static const char *
syntax_of(const struct weir_conf *line)
{
    struct strbuf b;
    const char *text;

    strbuf_init(&b, 4096);
    help_syntax(&b, line->reg->row);
    text = arena_slice(&line->conf->arena, strbuf_slice(&b)).p;
    strbuf_fini(&b);
    return text;
}

#define opt_error(line, arg, ...) diag_line_error((line), arg_place((line), (arg)), __VA_ARGS__)

/* --- names that are not legal here --- */

/* "`bind` belongs in `listener` or `admin`" */
static const char *
belongs(const struct weir_conf *line)
{
    struct conf *c = line->conf;
    struct strbuf b;
    const char *text;
    unsigned n = 0;

    strbuf_init(&b, 1024);
    strbuf_addf(&b, "`%s` belongs in ", name_of(line));
    for (const struct reg *reg = line->name->regs; reg; reg = reg->next_name) {
        for (const struct name_link *in = reg->in; in; in = in->next)
            strbuf_addf(&b, "%s%s", n++ ? ", " : "", rows_block_text(c, in->name).p);
    }
    text = n ? arena_slice(&c->arena, strbuf_slice(&b)).p : NULL;
    strbuf_fini(&b);
    return text;
}

/* The nearest name that is legal in a block, or (NULL) anywhere. */
static const char *
nearest_in(struct conf *c, const struct name *inside, struct slice word)
{
    struct nearest near;

    nearest_init(&near, word);
    if (inside) {
        for (const struct reg_link *l = inside->inside; l; l = l->next)
            nearest_try(&near, l->reg->row->name);
        nearest_try(&near, "include");
    } else {
        for (const struct reg *reg = c->regs; reg; reg = reg->next) {
            if (reg->in)
                nearest_try(&near, reg->row->name);
        }
    }
    return near.best;
}

/* Where a row of this name is legal first. */
static const char *
home_of(struct conf *c, const char *name)
{
    const struct reg *reg = name_find(c, slice_str(name))->regs;

    while (!reg->in)
        reg = reg->next_name;
    return rows_block_text(c, reg->in->name).p;
}

/* "in `admin` there is: bind" where that is not too much to read. */
static const char *
takes(struct conf *c, const struct name *inside)
{
    struct strbuf b;
    const char *text = NULL;
    unsigned n = 0;

    strbuf_init(&b, 2048);
    for (const struct reg_link *l = inside->inside; l && n <= LISTED_MAX; l = l->next)
        strbuf_addf(&b, "%s%s", n++ ? ", " : "", l->reg->row->name);
    if (n && n <= LISTED_MAX)
        text = arena_printf(&c->arena, "in %s there are: %s", rows_block_text(c, inside).p, b.p).p;
    strbuf_fini(&b);
    return text;
}

static void
unknown(const struct weir_conf *line, const struct name *inside)
{
    struct conf *c = line->conf;
    struct slice word = slice_of(line->name->text, line->name->n);
    const char *near, *far, *list, *name = name_of(line);

    if (diag_is_full(c)) {
        conf_error(line, -1, "unknown directive");
        return;
    }
    if (line->name->hint) {
        conf_error(line, -1, "`%s` %s", name, line->name->hint);
        return;
    }
    if (word.n && memchr(word.p, '=', word.n)) /* `timeout=5s;` */
        word.n = (size_t)((const char *)memchr(word.p, '=', word.n) - word.p);
    near = nearest_in(c, inside, word);
    if (belongs(line)) {
        conf_error(line, -1, "`%s` cannot stand in %s\n%s%s%s%s", name, rows_block_text(c, inside).p, belongs(line),
                   near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
        return;
    }
    far = near ? NULL : nearest_in(c, NULL, word);
    list = near || far ? NULL : takes(c, inside);
    if (near)
        conf_error(line, -1, "unknown directive `%s` in %s\ndid you mean `%s`?", name, rows_block_text(c, inside).p,
                   near);
    else if (far)
        conf_error(line, -1, "unknown directive `%s` in %s\ndid you mean `%s`? (that belongs in %s)", name,
                   rows_block_text(c, inside).p, far, home_of(c, far));
    else
        conf_error(line, -1, "unknown directive `%s` in %s%s%s", name, rows_block_text(c, inside).p, list ? "\n" : "",
                   list ? list : "");
}

/* --- options and arguments --- */

static bool
value_is_good(const struct weir_conf *line, struct conf_arg *arg, const struct value_spec *spec)
{
    struct slice shown = arg_shown(line, arg);
    const char *open, *close, *error;

    if (arg->flags & ARG_BAD)
        return false;
    if (spec->type == WEIR_T_TEMPLATE) {
        if (arg->flags & ARG_SECRET_VAR)
            opt_error(line, arg,
                      "the value that `%s` stands for holds `${`, which would be read as a run-time variable",
                      word_of(line, arg));
        return true;
    }
    open = arg->flags & ARG_VAR ? strstr(shown.p, "${") : NULL;
    if (arg->flags & ARG_VAR) {
        close = open ? strchr(open, '}') : NULL;
        opt_error(line, arg,
                  "the run-time variable `%s` cannot stand here: `%s` is fixed when the file is loaded\n"
                  "only ${env.NAME} and ${file:PATH} can",
                  close ? diag_word(line->conf, slice_of(open, (size_t)(close + 1 - open))) : "${...}", name_of(line));
        return false;
    }
    error = value_parse(line->conf, spec, arg->text, shown, &arg->v);
    if (error)
        opt_error(line, arg, "%s", error);
    return !error;
}

static void
check_option(const struct weir_conf *line, struct conf_arg *arg)
{
    struct value_spec spec = value_spec_opt(arg->opt);

    for (const struct conf_arg *o = line->args + line->n_args; o < arg; o++) {
        if (o->opt == arg->opt) {
            opt_error(line, arg, "the option `%s` is given twice", arg->opt->key);
            return;
        }
    }
    value_is_good(line, arg, &spec);
}

/* Options to the end of the list, in their order; arguments stay in theirs. */
static void
part_options(struct weir_conf *line)
{
    const struct weir_directive *row = line->reg->row;
    struct conf_arg *options;
    unsigned args = 0, opts = 0, all = line->n_args;

    if (!row->opts || !all)
        return;
    options = arena_alloc(&line->conf->arena, all * sizeof(*options));
    for (unsigned i = 0; i < all; i++) {
        struct conf_arg *arg = &line->args[i];

        arg->opt = arg->key ? row_opt(row, slice_of(arg->text.p, arg->key)) : NULL;
        if (arg->opt) {
            arg->text = slice_of(arg->text.p + arg->key + 1, arg->text.n - arg->key - 1);
            options[opts++] = *arg;
        } else {
            line->args[args++] = *arg;
        }
    }
    memcpy(line->args + args, options, opts * sizeof(*options));
    line->n_args = (uint16_t)args;
    line->n_opts = (uint16_t)opts;
}

static void
excess(const struct weir_conf *line, const struct conf_arg *arg)
{
    const struct weir_directive *row = line->reg->row;
    struct slice key = slice_of(arg->text.p, arg->key);
    struct nearest near;

    if (!key.n || !row->opts || !row->opts->key) {
        if (row_max_args(row))
            opt_error(line, arg, "`%s` is one argument too many for `%s`\n%s", word_of(line, arg), name_of(line),
                      syntax_of(line));
        else
            opt_error(line, arg, "`%s` takes no arguments\n%s", name_of(line), syntax_of(line));
        return;
    }
    nearest_init(&near, key);
    for (const struct weir_opt *o = row->opts; o->key; o++)
        nearest_try(&near, o->key);
    if (near.best)
        opt_error(line, arg, "`%s` has no option `%s`\ndid you mean `%s`?", name_of(line), diag_word(line->conf, key),
                  near.best);
    else
        opt_error(line, arg, "`%s` has no option `%s`\n%s", name_of(line), diag_word(line->conf, key), syntax_of(line));
}

void
check_values(struct weir_conf *line)
{
    const struct weir_directive *row = line->reg->row;
    unsigned min = row_min_args(row), max = row_max_args(row);

    part_options(line);
    if (line->n_args < min)
        conf_error(line, -1, "`%s` needs %s\n%s", name_of(line), row_arg(row, line->n_args)->name, syntax_of(line));
    for (unsigned i = 0; i < line->n_args; i++) {
        if (i >= max) {
            if (!(line->args[i].flags & ARG_BAD))
                excess(line, &line->args[i]);
            break;
        }
        struct value_spec spec = value_spec_arg(row_arg(row, i));
        value_is_good(line, &line->args[i], &spec);
    }
    for (unsigned i = line->n_args; i < (unsigned)line->n_args + line->n_opts; i++)
        check_option(line, &line->args[i]);
}

/* --- lines --- */

struct unique_key {
    const struct weir_conf *line;
};

static bool
same_unique(const void *item, const void *key)
{
    const struct weir_conf *a = item, *b = ((const struct unique_key *)key)->line;

    return a->parent == b->parent && a->name == b->name && slice_eq(a->args[0].text, b->args[0].text);
}

static void
check_duplicate(struct checker *k, struct weir_conf *line)
{
    const struct weir_directive *row = line->reg->row;
    const struct weir_conf *first;
    struct unique_key key = { line };
    uint64_t hash;

    if (row->flags & WEIR_D_UNIQUE_NAME) {
        if (!line->n_args)
            return;
        hash = hash_mix(hash_slice(line->args[0].text),
                        (uint64_t)(uintptr_t)line->parent ^ (uint64_t)(uintptr_t)line->name);
        first = table_find(&k->unique, hash, same_unique, &key);
        if (first)
            conf_error(line, 0, "there is a `%s %s` already\nthe first one stands at %s", name_of(line),
                       word_of(line, &line->args[0]), conf_at(first));
        else
            table_add(&k->unique, hash, line);
        return;
    }
    first = row->flags & WEIR_D_REPEAT ? line : conf_find(line->parent, line->name->text);
    if (first && first != line)
        conf_error(line, -1, "`%s` is set already\nit may stand only once here; the first one is at %s", name_of(line),
                   conf_at(first));
}

/* Is the line's end (`;` or block) of the right kind? */
static bool
check_ending(struct weir_conf *line)
{
    const struct weir_directive *row = line->reg->row;
    unsigned i;

    if (line->has_block && !row->block) {
        conf_error(line, -1, "`%s` takes no block\n%s", name_of(line), syntax_of(line));
        return false;
    }
    if (line->has_block || !row->block || row->flags & WEIR_D_BLOCK_OPTIONAL)
        return true;
    for (i = 0; i < line->n_args && !(line->args[i].flags & ARG_FIRST); i++)
        ; /* on the next source line starts what should be inside */
    diag_line_error(line, line_end(line, i), "`%s` needs a block: a `{` is missing here\n%s", name_of(line),
                    syntax_of(line));
    return false;
}

/* An argument that could not be read, such as one of a variable that is not set, has been reported already. */
static bool
all_read(const struct weir_conf *line)
{
    for (unsigned i = 0; i < line->n_args; i++)
        if (line->args[i].flags & ARG_BAD)
            return false;
    return true;
}

static void
check_line(struct checker *k, struct weir_conf *line, const struct name *inside)
{
    struct conf *c = line->conf;
    unsigned before = c->errors;
    const struct weir_directive *row;

    line->reg = rows_find(c, inside, line->name);
    if (!line->reg) {
        unknown(line, inside);
        return;
    }
    row = line->reg->row;
    line->is_off = row->flags & WEIR_D_POLICY && line->n_args == 1 && arg_is(&line->args[0], "off");
    if (line->is_off && line->has_block)
        conf_error(line, 0, "`%s off` takes no block\nend it with `;`, or take `off` away", name_of(line));
    if (line->is_off) {
        check_duplicate(k, line);
        return;
    }
    if (!check_ending(line))
        return;
    check_values(line);
    check_duplicate(k, line);
    if (line->has_block)
        check_block(k, line, name_get(c, slice_str(row->block)));
    if (row->check && c->errors == before && all_read(line))
        row->check(line, NULL);
}

static void
check_required(const struct weir_conf *block, const struct name *inside)
{
    struct conf *c = block->conf;

    for (const struct reg_link *l = inside->inside; l; l = l->next) {
        const struct weir_directive *row = l->reg->row;
        struct strbuf b;

        if (!(row->flags & WEIR_D_REQUIRED) || conf_find(block, row->name))
            continue;
        strbuf_init(&b, 4096);
        help_syntax(&b, row);
        conf_error(block, -1, "%s needs a `%s`\nadd: %s", rows_block_text(c, inside).p, row->name, b.p);
        strbuf_fini(&b);
    }
}

static void
check_block(struct checker *k, struct weir_conf *block, const struct name *inside)
{
    for (struct weir_conf *line = block->first; line; line = line->next)
        check_line(k, line, inside);
    check_required(block, inside);
}

int
conf_check(struct conf *c)
{
    struct checker k = { .conf = c };

    if (split_tree(c))
        index_tree(c);
    check_block(&k, c->root, c->main);
    table_fini(&k.unique);
    return c->errors ? -1 : 0;
}
