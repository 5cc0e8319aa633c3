/* rows: the directives that exist, by name and by the block they are legal in. */
#include "conf_impl.h"

static const struct weir_arg mode_args[] = { { "MODE", WEIR_T_WORD, 0, 0, "enforce|shadow|off" }, { 0 } };
static const struct weir_arg percent_args[] = { { "N%", WEIR_T_PERCENT, .flags = CONF_ARG_PLAIN }, { 0 } };

/* Every policy takes them, and none knows of it. */
static const struct weir_directive mode_row = {
    .name = "mode", .in = "", .args = mode_args, .def = "enforce",
    .help = "enforce: its verdicts count; shadow: they are only recorded; off: it is not asked",
};
static const struct weir_directive percent_row = {
    .name = "percent", .in = "", .args = percent_args, .def = "100%",
    .help = "share of the exchanges that it is asked about",
};

/* Calls fn for each of the space-separated words until it returns false; false then. */
static bool
each_word(const char *words, bool (*fn)(void *arg, struct slice word), void *arg)
{
    while (*words) {
        size_t n = strcspn(words, " ");

        if (n && !fn(arg, slice_of(words, n)))
            return false;
        words += n;
        words += strspn(words, " ");
    }
    return true;
}

bool
row_is_hosts(const struct weir_directive *row)
{
    return row == &mode_row || row == &percent_row;
}

static bool
legal_in(const struct reg *reg, const struct name *block)
{
    for (const struct name_link *l = reg->in; l; l = l->next) {
        if (l->name == block)
            return true;
    }
    return false;
}

struct reg *
rows_find(const struct conf *c, const struct name *block, const struct name *name)
{
    struct reg *reg = name && block ? name->regs : NULL;

    while (reg && !legal_in(reg, block))
        reg = reg->next_name;
    return reg;
}

static struct reg *
reg_new(struct conf *c, const struct weir_directive *row, const char *owner)
{
    struct reg *reg = arena_zalloc(&c->arena, sizeof(*reg));
    struct name *name = name_get(c, slice_str(row->name));
    struct reg **end = &name->regs;

    reg->row = row;
    reg->owner = owner;
    reg->in_end = &reg->in;
    while (*end)
        end = &(*end)->next_name;
    *end = reg;
    *c->regs_end = reg;
    c->regs_end = &reg->next;
    if (row->flags & WEIR_D_SECRET)
        name->secret = true;
    return reg;
}

static void
allow_in(struct conf *c, struct reg *reg, struct slice block)
{
    struct name *name = name_get(c, block);
    struct name_link *in;
    struct reg_link *inside;

    if (legal_in(reg, name))
        return;
    in = arena_zalloc(&c->arena, sizeof(*in));
    in->name = name;
    *reg->in_end = in;
    reg->in_end = &in->next;
    inside = arena_zalloc(&c->arena, sizeof(*inside));
    inside->reg = reg;
    *name->inside_end = inside;
    name->inside_end = &inside->next;
}

void
rows_init(struct conf *c)
{
    reg_new(c, &mode_row, NULL);
    reg_new(c, &percent_row, NULL);
}

struct adding {
    struct conf *conf;
    struct reg *reg;
};

static bool
allow_word(void *arg, struct slice word)
{
    struct adding *a = arg;

    allow_in(a->conf, a->reg, word);
    return true;
}

struct clash {
    struct conf *conf;
    const struct weir_directive *rows, *row; /* row: the one looked at, among rows */
};

static bool
word_is(void *arg, struct slice word)
{
    return !slice_eq(word, *(struct slice *)arg);
}

static bool
has_word(const char *words, struct slice word)
{
    return !each_word(words, word_is, &word);
}

/* Is this block free of another directive of the row's name? */
static bool
is_free(void *arg, struct slice block)
{
    struct clash *k = arg;
    const char *name = k->row->name;
    bool host_name = !strcmp(name, mode_row.name) || !strcmp(name, percent_row.name);

    if (rows_find(k->conf, name_find(k->conf, block), name_find(k->conf, slice_str(name))))
        return false;
    for (const struct weir_directive *r = k->rows; r->name; r++) {
        if (r < k->row && !strcmp(r->name, name) && has_word(r->in, block))
            return false;
        if (host_name && r->flags & WEIR_D_POLICY && r->block && slice_eq(slice_str(r->block), block))
            return false;
    }
    return true;
}

int
conf_add_rows(struct conf *c, const struct weir_directive *rows, const char *owner, const char **clash)
{
    struct clash k = { c, rows, NULL };

    for (k.row = rows; k.row->name; k.row++) {
        if (each_word(k.row->in, is_free, &k))
            continue;
        if (clash)
            *clash = k.row->name;
        return -1;
    }
    for (const struct weir_directive *row = rows; row->name; row++) {
        struct adding a = { c, reg_new(c, row, owner) };

        each_word(row->in, allow_word, &a);
        if (row->flags & WEIR_D_POLICY && row->block) {
            allow_in(c, name_find(c, slice_str(mode_row.name))->regs, slice_str(row->block));
            allow_in(c, name_find(c, slice_str(percent_row.name))->regs, slice_str(row->block));
        }
    }
    return 0;
}

void
conf_add_hint(struct conf *c, const char *name, const char *hint)
{
    name_get(c, slice_str(name))->hint = arena_strndup(&c->arena, hint, strlen(hint));
}

struct slice
rows_block_text(struct conf *c, const struct name *block)
{
    const struct reg *reg = c->regs;

    if (block == c->main)
        return SLICE("the top level");
    while (reg && !(reg->row->block && !strcmp(reg->row->block, block->text)))
        reg = reg->next;
    if (!reg || !strcmp(reg->row->name, block->text) || !reg->in || reg->in->name == c->main)
        return arena_printf(&c->arena, "`%s`", reg ? reg->row->name : block->text);
    return arena_printf(&c->arena, "`%s` of `%s`", reg->row->name, reg->in->name->text);
}

/* --- what a row wants --- */

unsigned
row_min_args(const struct weir_directive *row)
{
    unsigned n = 0;

    for (const struct weir_arg *a = row->args; a && a->type != WEIR_T_NONE && !(a->flags & WEIR_ARG_OPTIONAL); a++)
        n++;
    return n;
}

unsigned
row_max_args(const struct weir_directive *row)
{
    unsigned n = 0;

    for (const struct weir_arg *a = row->args; a && a->type != WEIR_T_NONE; a++) {
        if (a->flags & WEIR_ARG_REPEAT)
            return CONF_ARGS_MAX;
        n++;
    }
    return n;
}

const struct weir_arg *
row_arg(const struct weir_directive *row, unsigned i)
{
    const struct weir_arg *a = row->args;

    while (a && a->type != WEIR_T_NONE) {
        if (!i || a->flags & WEIR_ARG_REPEAT)
            return a;
        i--;
        a++;
    }
    return NULL;
}

const struct weir_opt *
row_opt(const struct weir_directive *row, struct slice key)
{
    for (const struct weir_opt *o = row->opts; o && o->key; o++) {
        if (slice_eq(slice_str(o->key), key))
            return o;
    }
    return NULL;
}
