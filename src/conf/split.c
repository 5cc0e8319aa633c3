/*
 * split: two lines that a missing `;` has joined are told apart by the rows: a word that starts a source line, not
 * further in than the line it belongs to, names a directive that is legal there, and what follows it would be right for
 * that directive.
 */
#include "conf_impl.h"

static uint32_t
column_of(struct place at)
{
    uint32_t column = 0;

    source_line(&at, &column);
    return column;
}

static unsigned
count_args(const struct weir_directive *row, const struct conf_arg *args, unsigned n)
{
    unsigned count = 0;

    for (unsigned i = 0; i < n; i++)
        count += !(args[i].key && row_opt(row, slice_of(args[i].text.p, args[i].key)));
    return count;
}

static bool
fits(const struct weir_directive *row, const struct weir_conf *line, unsigned first, bool has_block)
{
    unsigned n = count_args(row, line->args + first, line->n_args - first);
    bool off = n == 1 && row->flags & WEIR_D_POLICY && arg_is(&line->args[first], "off") && !has_block;
    bool block_fits = row->block ? has_block || row->flags & WEIR_D_BLOCK_OPTIONAL : !has_block;

    return off || (block_fits && n >= row_min_args(row) && n <= row_max_args(row));
}

/* Does argument i start a line of its own? Its row, or NULL. */
static struct reg *
starts_line(const struct weir_conf *line, const struct name *block, unsigned i, bool has_block)
{
    const struct conf_arg *arg = &line->args[i];
    struct name *name;
    struct reg *own, *reg;

    if (!(arg->flags & ARG_FIRST) || arg->flags & (ARG_DOUBLE | ARG_SINGLE | ARG_BAD))
        return NULL;
    name = name_find(line->conf, arg->text);
    reg = name ? rows_find(line->conf, block, name) : NULL;
    if (!reg || column_of(arg_place(line, arg)) > column_of(line_place(line)))
        return NULL;
    own = rows_find(line->conf, block, line->name);
    if (own && count_args(own->row, line->args, i) < row_min_args(own->row))
        return NULL;
    return fits(reg->row, line, i + 1, has_block) ? reg : NULL;
}

/* Makes a line of its own of argument i and what follows it. */
static void
cut(struct weir_conf *line, unsigned i)
{
    struct conf_arg *arg = &line->args[i];
    struct weir_conf *tail = line_new(line->conf, line->src, name_get(line->conf, arg->text)), *child;
    struct place at = line_end(line, i);

    tail->off = arg->off;
    tail->len = arg->len;
    tail->line = arg->line;
    tail->first_on_line = true;
    tail->args = arg + 1;
    tail->n_args = (uint16_t)(line->n_args - i - 1);
    tail->has_block = line->has_block;
    tail->first = line->first;
    tail->last = line->last;
    tail->n_children = line->n_children;
    for (child = tail->first; child; child = child->next)
        child->parent = tail;
    tail->parent = line->parent;
    tail->next = line->next;
    if (line->parent->last == line)
        line->parent->last = tail;
    line->parent->n_children++;
    line->next = tail;
    line->n_args = (uint16_t)i;
    line->has_block = false;
    line->first = line->last = NULL;
    line->n_children = 0;
    diag_error(line->conf, at, "a `;` is missing here\n`%s` on the next line is a directive of its own",
               diag_word(line->conf, slice_str(tail->name->text)));
}

static bool
split_line(struct weir_conf *line, const struct name *block)
{
    bool did = false;


    /* From the end, so that each tail ends where the one behind it starts. */
    for (unsigned i = line->n_args; i-- > 0;) {
        if (!starts_line(line, block, i, line->has_block))
            continue;
        cut(line, i);
        did = true;
    }
    return did;
}

/* The inside of a line's block, as far as its row is known by now. */
static const struct name *
inside_of(const struct weir_conf *line, const struct name *block)
{
    struct reg *reg = block ? rows_find(line->conf, block, line->name) : NULL;

    return reg && reg->row->block ? name_find(line->conf, slice_str(reg->row->block)) : NULL;
}

static bool
split_block(struct weir_conf *first, const struct name *block)
{
    bool did = false;

    for (struct weir_conf *line = first; line; line = line->next) {
        if (block && line->n_args && line->line != line->args[line->n_args - 1].line)
            did |= split_line(line, block);
        if (line->first)
            did |= split_block(line->first, inside_of(line, block));
    }
    return did;
}

bool
split_tree(struct conf *c)
{
    return split_block(c->root->first, c->main);
}
