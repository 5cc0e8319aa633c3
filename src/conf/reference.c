/* reference: what the rows say, for gateway.conf(5), in mdoc. */
#include "conf_impl.h"

/* Text of a line: no backslash counts, no line starts with what roff obeys. */
static void
add_text(struct strbuf *b, const char *s)
{
    char before = 0;

    if (*s == '.' || *s == '\'')
        strbuf_adds(b, "\\&");
    for (; *s; s++) {
        if (*s == '\\')
            strbuf_adds(b, "\\e");
        else if (*s == ' ' && before == '.' && s[1] >= 'A' && s[1] <= 'Z') /* mdoc: a sentence, a line */
            strbuf_addc(b, '\n');
        else if (*s == '-')
            strbuf_adds(b, "\\-");
        else
            strbuf_addc(b, *s);
        before = *s;
    }
}

static void
add_sentence(struct strbuf *b, const char *s)
{
    size_t n = strlen(s);

    add_text(b, s);
    strbuf_adds(b, n && s[n - 1] != '.' ? ".\n" : "\n");
}

/* What blocks are called, without the quotes that messages put around it. */
static void
add_block(struct conf *c, struct strbuf *b, const struct name *block)
{
    const char *p = rows_block_text(c, block).p;

    for (; *p; p++) {
        if (*p != '`')
            strbuf_addc(b, *p);
    }
}

/* A word on a macro line: short ones could be taken for macros or punctuation, so they are guarded. */
static void
add_word(struct strbuf *b, const char *macro, const char *s)
{
    strbuf_addf(b, " %s %s", macro, strlen(s) <= 3 ? "\\&" : "");
    add_text(b, s);
}

static void
add_choices(struct strbuf *b, const char *choices)
{
    for (unsigned i = 0; choice_at(choices, i).n; i++) {
        char word[128];

        snprintf(word, sizeof(word), "%.*s", SLICE_FMT(choice_at(choices, i)));
        if (i)
            strbuf_adds(b, " No \\&|");
        add_word(b, "Cm", word);
    }
}

static void
add_arg(struct strbuf *b, const struct weir_arg *a)
{
    if (a->flags & WEIR_ARG_OPTIONAL)
        strbuf_adds(b, " Oo");
    if (a->type == WEIR_T_WORD && a->choices)
        add_choices(b, a->choices);
    else
        add_word(b, "Ar", a->name);
    if (a->flags & WEIR_ARG_REPEAT)
        strbuf_adds(b, " No ...");
    if (a->flags & WEIR_ARG_OPTIONAL)
        strbuf_adds(b, " Oc");
}

static void
add_opt(struct strbuf *b, const struct weir_opt *o)
{
    strbuf_adds(b, " Oo");
    add_word(b, "Cm", o->key);
    strbuf_adds(b, " Ns = Ns");
    if (o->type == WEIR_T_WORD && o->choices)
        add_choices(b, o->choices);
    else
        add_word(b, "Ar", value_form(o->type));
    strbuf_adds(b, " Oc");
}

static void
add_syntax(struct strbuf *b, const struct weir_directive *row)
{
    strbuf_adds(b, ".It");
    add_word(b, "Ic", row->name);
    for (const struct weir_arg *a = row->args; a && a->type != WEIR_T_NONE; a++)
        add_arg(b, a);
    for (const struct weir_opt *o = row->opts; o && o->key; o++)
        add_opt(b, o);
    if (row->block)
        strbuf_adds(b, row->flags & WEIR_D_BLOCK_OPTIONAL ? " Oo No { ... } Oc" : " No { ... }");
    strbuf_addc(b, '\n');
}

static void
add_bounds(struct strbuf *b, const char *name, const struct value_spec *spec, const char *def)
{
    struct strbuf bounds;

    strbuf_init(&bounds, 128);
    value_bounds(&bounds, spec);
    if (bounds.n || def) {
        strbuf_adds(b, ".br\n");
        add_text(b, name);
        strbuf_adds(b, ": ");
        add_text(b, bounds.n ? bounds.p : "");
        strbuf_adds(b, bounds.n && def ? "; " : "");
        if (def) {
            strbuf_adds(b, "default ");
            add_text(b, *def ? def : "empty");
        }
        strbuf_adds(b, ".\n");
    }
    strbuf_fini(&bounds);
}

static void
add_facts(struct conf *c, struct strbuf *b, const struct reg *reg)
{
    const struct weir_directive *row = reg->row;
    unsigned n = 0;

    strbuf_adds(b, ".br\nContext: ");
    for (const struct name_link *in = row_is_hosts(row) ? NULL : reg->in; in; in = in->next) {
        strbuf_adds(b, n++ ? ", " : "");
        add_block(c, b, in->name);
    }
    strbuf_adds(b, row_is_hosts(row) ? "every policy.\n" : ".\n");
    if (row->flags & WEIR_D_REQUIRED)
        strbuf_adds(b, "Required.\n");
    if (row->flags & (WEIR_D_REPEAT | WEIR_D_UNIQUE_NAME))
        strbuf_adds(b, "May be repeated.\n");
    if (row->def && *row->def) {
        strbuf_adds(b, "Default: ");
        add_text(b, row->def);
        strbuf_adds(b, ".\n");
    }
}

static void
add_row(struct conf *c, struct strbuf *b, const struct reg *reg)
{
    const struct weir_directive *row = reg->row;

    add_syntax(b, row);
    add_sentence(b, row->help ? row->help : "");
    add_facts(c, b, reg);
    for (const struct weir_arg *a = row->args; a && a->type != WEIR_T_NONE; a++) {
        struct value_spec spec = value_spec_arg(a);

        add_bounds(b, a->name, &spec, NULL);
    }
    for (const struct weir_opt *o = row->opts; o && o->key; o++) {
        struct value_spec spec = value_spec_opt(o);

        add_bounds(b, o->key, &spec, o->def);
    }
}

/* Is a row described here: under the first block that it is legal in, those of the host under none? */
static bool
is_home(const struct reg *reg, const struct name *block)
{
    if (row_is_hosts(reg->row))
        return block == NULL;
    return reg->in && reg->in->name == block;
}

static void
add_section(struct conf *c, struct strbuf *b, const struct name *block)
{
    bool begun = false;

    for (const struct reg *reg = c->regs; reg; reg = reg->next) {
        if (!is_home(reg, block))
            continue;
        if (!begun) {
            strbuf_adds(b, ".Ss ");
            if (block && block != c->main)
                add_block(c, b, block);
            else
                strbuf_adds(b, block ? "Top level" : "Every policy");
            strbuf_adds(b, "\n.Bl -tag -width Ds\n");
            begun = true;
            if (block == c->main)
                strbuf_adds(b, ".It Ic include Ar FILE\n"
                               "Other files in place of this line: one, or all that fit a pattern such as\n"
                               ".Pa conf.d/*.conf ,\n"
                               "relative to the directory of the file it stands in.\n"
                               "A missing file is an error, a pattern that fits none is not.\n"
                               ".br\nContext: every block.\nMay be repeated.\n");
        }
        add_row(c, b, reg);
    }
    if (begun)
        strbuf_adds(b, ".El\n");
}

void
conf_reference(struct conf *c, struct strbuf *out)
{
    add_section(c, out, c->main);
    for (const struct reg *reg = c->regs; reg; reg = reg->next) {
        const struct reg *first = c->regs;

        if (!reg->in || reg->in->name == c->main || row_is_hosts(reg->row))
            continue;
        while (!is_home(first, reg->in->name))
            first = first->next;
        if (first == reg)
            add_section(c, out, reg->in->name);
    }
    add_section(c, out, NULL);
}
