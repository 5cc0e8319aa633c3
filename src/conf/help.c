/* help: what the rows say, for `weir help`. */
#include "conf_impl.h"

#define NAME_WIDTH 22

static void
add_arg_form(struct strbuf *b, const struct weir_arg *a)
{
    const char *choices = a->type == WEIR_T_WORD ? a->choices : NULL;

    strbuf_adds(b, a->flags & WEIR_ARG_OPTIONAL ? " [" : " ");
    strbuf_adds(b, choices ? choices : a->name);
    strbuf_adds(b, a->flags & WEIR_ARG_REPEAT ? "..." : "");
    strbuf_adds(b, a->flags & WEIR_ARG_OPTIONAL ? "]" : "");
}

static const char *
opt_form(const struct weir_opt *o)
{
    return o->type == WEIR_T_WORD && o->choices ? o->choices : value_form(o->type);
}

void
help_syntax(struct strbuf *b, const struct weir_directive *row)
{
    strbuf_adds(b, row->name);
    for (const struct weir_arg *a = row->args; a && a->type != WEIR_T_NONE; a++)
        add_arg_form(b, a);
    for (const struct weir_opt *o = row->opts; o && o->key; o++)
        strbuf_addf(b, " [%s=%s]", o->key, opt_form(o));
    if (row->block)
        strbuf_adds(b, row->flags & WEIR_D_BLOCK_OPTIONAL ? " [{ ... }]" : " { ... }");
    if (!row->block || row->flags & WEIR_D_BLOCK_OPTIONAL)
        strbuf_adds(b, ";");
}

/* "    NAME                what it is, its bounds, its default" */
static void
add_value(struct strbuf *b, const char *name, const struct value_spec *spec, const char *def)
{
    bool is_word = spec->type == WEIR_T_WORD;

    if (is_word && spec->choices && !strchr(spec->choices, '|') && !def)
        return; /* the syntax line says it all */
    strbuf_addf(b, "    %-*s ", NAME_WIDTH, name);
    strbuf_adds(b, is_word && spec->choices ? spec->choices : value_help(spec->type));
    if (spec->min || spec->max) {
        size_t before = b->n;

        strbuf_adds(b, "; ");
        value_bounds(b, spec);
        if (b->n == before + 2)
            b->n = before;
    }
    if (def)
        strbuf_addf(b, "; default %s", *def ? def : "\"\"");
    strbuf_addc(b, '\n');
}

static void
add_row(struct conf *c, struct strbuf *b, const struct reg *reg)
{
    const struct weir_directive *row = reg->row;
    unsigned n = 0;

    help_syntax(b, row);
    strbuf_addf(b, "\n    %s\n\n    %-*s ", row->help ? row->help : "", NAME_WIDTH, "in");
    for (const struct name_link *in = reg->in; in; in = in->next)
        strbuf_addf(b, "%s%s", n++ ? ", " : "", rows_block_text(c, in->name).p);
    strbuf_addc(b, '\n');
    for (const struct weir_arg *a = row->args; a && a->type != WEIR_T_NONE; a++) {
        struct value_spec spec = value_spec_arg(a);

        add_value(b, a->name, &spec, NULL);
    }
    for (const struct weir_opt *o = row->opts; o && o->key; o++) {
        struct value_spec spec = value_spec_opt(o);

        add_value(b, o->key, &spec, o->def);
    }
    if (row->def)
        strbuf_addf(b, "    %-*s %s\n", NAME_WIDTH, "default",
                    *row->def ? row->def : "what its inside has as defaults");
    if (row->flags & WEIR_D_REQUIRED)
        strbuf_addf(b, "    %-*s %s\n", NAME_WIDTH, "required", "yes");
    if (row->flags & (WEIR_D_REPEAT | WEIR_D_UNIQUE_NAME))
        strbuf_addf(b, "    %-*s %s\n", NAME_WIDTH, "repeated",
                    row->flags & WEIR_D_UNIQUE_NAME ? "yes, each with another name" : "yes");
    if (row->flags & WEIR_D_POLICY)
        strbuf_addf(b, "    %-*s `%s off;` drops one that an outer block has set\n", NAME_WIDTH, "off", row->name);
    if (reg->owner)
        strbuf_addf(b, "    %-*s %s\n", NAME_WIDTH, "declared by", reg->owner);
}

/* What stands inside of it. */
static void
add_inside(struct strbuf *b, const struct name *block)
{
    for (const struct reg_link *l = block->inside; l; l = l->next)
        strbuf_addf(b, "    %-*s %s\n", NAME_WIDTH, l->reg->row->name, l->reg->row->help ? l->reg->row->help : "");
}

static void
add_all(struct conf *c, struct strbuf *b)
{
    strbuf_adds(b, "At the top level:\n");
    strbuf_addf(b, "    %-*s %s\n", NAME_WIDTH, "include", "other files in place of this line: include conf.d/*.conf;");
    add_inside(b, c->main);
    for (const struct reg *reg = c->regs; reg; reg = reg->next) {
        const struct name *block = reg->row->block ? name_get(c, slice_str(reg->row->block)) : NULL;
        const struct reg *first = c->regs;

        if (!block || !block->inside)
            continue;
        while (!first->row->block || strcmp(first->row->block, reg->row->block) != 0)
            first = first->next;
        if (first != reg) /* listed already */
            continue;
        strbuf_addf(b, "\nIn %s:\n", rows_block_text(c, block).p);
        add_inside(b, block);
    }
}

static int
no_such(struct conf *c, const char *directive, struct strbuf *out)
{
    struct name *name = name_find(c, slice_str(directive));
    struct nearest near;

    if (name && name->hint) {
        strbuf_addf(out, "`%s` %s\n", directive, name->hint);
        return -1;
    }
    nearest_init(&near, slice_str(directive));
    for (const struct reg *reg = c->regs; reg; reg = reg->next)
        nearest_try(&near, reg->row->name);
    strbuf_addf(out, "there is no directive `%s`", diag_word(c, slice_str(directive)));
    if (near.best)
        strbuf_addf(out, "; did you mean `%s`?\n", near.best);
    else
        strbuf_adds(out, "; `weir help` lists them all\n");
    return -1;
}

int
conf_help(struct conf *c, const char *directive, struct strbuf *out)
{
    const struct name *name;
    unsigned n = 0;

    if (!directive || !*directive) {
        add_all(c, out);
        return 0;
    }
    if (!strcmp(directive, "include")) {
        strbuf_adds(out, "include FILE;\n    other files in place of this line: a file, or a pattern such as "
                         "conf.d/*.conf, relative to this file\n");
        return 0;
    }
    name = name_find(c, slice_str(directive));
    for (const struct reg *reg = name ? name->regs : NULL; reg; reg = reg->next_name) {
        const struct name *block = reg->row->block ? name_get(c, slice_str(reg->row->block)) : NULL;

        if (!reg->in)
            continue;
        strbuf_adds(out, n++ ? "\n" : "");
        add_row(c, out, reg);
        if (block && block->inside) {
            strbuf_adds(out, "\n    Inside:\n");
            add_inside(out, block);
        }
    }
    return n ? 0 : no_such(c, directive, out);
}
