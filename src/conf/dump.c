/* dump: the effective configuration, in the language it is written in. What it prints parses to a tree that it prints
 * the same. */
#include "config.h" /* _GNU_SOURCE: memmem */

#include "conf_impl.h"

struct dumper {
    const struct conf *conf;
    struct strbuf *out;
    unsigned depth;
};

static void dump_block(struct dumper *d, const struct weir_conf *block, const struct name *inside);

static void
indent(struct dumper *d)
{
    for (unsigned i = 0; i < d->depth; i++)
        strbuf_adds(d->out, "    ");
}

/* May it stand as it is? Only asked of text that no file has held so. */
static bool
is_bare(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] <= 0x20 || s.p[i] == 0x7f || strchr(";{}\"'#\\$", s.p[i]))
            return false;
    }
    return s.n > 0;
}

static void
add_double(struct strbuf *out, struct slice s)
{
    strbuf_addc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '"':
        case '\\':
            strbuf_addc(out, '\\');
            strbuf_addc(out, s.p[i]);
            break;
        case '\n':
            strbuf_adds(out, "\\n");
            break;
        case '\t':
            strbuf_adds(out, "\\t");
            break;
        default:
            strbuf_addc(out, s.p[i]);
        }
    }
    strbuf_addc(out, '"');
}

void
dump_text(struct strbuf *out, struct slice s, unsigned flags)
{
    if (!(flags & (ARG_DOUBLE | ARG_SINGLE))) {
        strbuf_addslice(out, s);
    } else if (flags & ARG_SINGLE && s.n && !memchr(s.p, '\'', s.n) && memmem(s.p, s.n, "${", 2)) {
        strbuf_addc(out, '\'');
        strbuf_addslice(out, s);
        strbuf_addc(out, '\'');
    } else {
        add_double(out, s);
    }
}

/* --- files: the dump may be read from another directory --- */

static bool
is_scheme(struct slice s)
{
    size_t i = 0;

    while (i < s.n && ((s.p[i] >= 'a' && s.p[i] <= 'z') || (i && (s.p[i] == '+' || s.p[i] == '-'))))
        i++;
    return i > 1 && i < s.n && s.p[i] == ':';
}

/* Words that stand for no file where a file could stand. */
static bool
is_no_file(struct slice s)
{
    static const char *const words[] = { "off",   "on",     "none", "auto",   "stdout", "stderr",
                                         "stdin", "syslog", "-",    "system", NULL };

    for (const char *const *w = words; *w; w++) {
        if (slice_eq(s, slice_str(*w)))
            return true;
    }
    return is_scheme(s) && !slice_starts(s, SLICE("file:"));
}

/* Rows of text that may name a file say so in their argument's name: "URL|file:PATH". */
static bool
may_be_file(enum weir_type type, const char *name, const struct conf_arg *arg)
{
    return type == WEIR_T_PATH ||
           (type == WEIR_T_STRING && name && strstr(name, "file:") && slice_starts(arg->text, SLICE("file:")));
}

static bool
add_path(struct strbuf *out, const struct weir_conf *line, const struct conf_arg *arg)
{
    bool scheme = slice_starts(arg->text, SLICE("file:"));
    struct slice path = scheme ? slice_from(arg->text, 5) : arg->text;
    struct slice shown;

    /* Hidden parts stay where they are, also when a dump is dumped. */
    if (arg->secret || (path.n && memmem(path.p, path.n, "***", 3)))
        return false;
    if (!path.n || path.p[0] == '/' || is_no_file(arg->text) || !line->src)
        return false;
    shown = arena_printf(&line->conf->arena, "%s%s%.*s", scheme ? "file:" : "", line->src->dir, SLICE_FMT(path));
    if (is_bare(shown))
        strbuf_addslice(out, shown);
    else if (!memmem(shown.p, shown.n, "${", 2))
        add_double(out, shown);
    else
        dump_text(out, shown, ARG_SINGLE);
    return true;
}

/* --- lines --- */

static void
add_arg(struct dumper *d, const struct weir_conf *line, unsigned i)
{
    const struct conf_arg *arg = &line->args[i];
    const struct weir_arg *row = line->reg ? row_arg(line->reg->row, i) : NULL;
    struct slice shown = arg_shown(line, arg);
    size_t key = arg->flags & ARG_KEY ? (size_t)arg->key + 1 : 0;

    strbuf_addc(d->out, ' ');
    if (shown.n == 3 && !memcmp(shown.p, "***", 3)) {
        strbuf_addslice(d->out, shown);
        return;
    }
    if (row && may_be_file(row->type, row->name, arg) && !key && add_path(d->out, line, arg))
        return;
    strbuf_add(d->out, shown.p, key);
    dump_text(d->out, slice_from(shown, key), arg->flags);
}

static void
add_opts(struct dumper *d, const struct weir_conf *line)
{
    for (unsigned i = line->n_args; i < (unsigned)line->n_args + line->n_opts; i++) {
        const struct conf_arg *arg = &line->args[i];

        strbuf_addf(d->out, " %s=", arg->opt->key);
        if (arg->opt->type != WEIR_T_PATH || !add_path(d->out, line, arg))
            dump_text(d->out, arg_shown(line, arg), arg->flags);
    }
}

static void
add_default_opts(struct dumper *d, const struct weir_conf *line, const struct weir_directive *row)
{
    for (const struct weir_opt *o = row->opts; o && o->key; o++) {
        if (!o->def || (line && conf_opt_given(line, o->key)))
            continue;
        strbuf_addf(d->out, " %s=", o->key);
        if (is_bare(slice_str(o->def)))
            strbuf_adds(d->out, o->def);
        else
            add_double(d->out, slice_str(o->def));
    }
}

static void
dump_line(struct dumper *d, const struct weir_conf *line)
{
    indent(d);
    strbuf_adds(d->out, line->name->text);
    for (unsigned i = 0; i < line->n_args; i++)
        add_arg(d, line, i);
    add_opts(d, line);
    if (line->reg && !line->is_off)
        add_default_opts(d, line, line->reg->row);
    if (!line->has_block) {
        strbuf_adds(d->out, ";\n");
        return;
    }
    strbuf_adds(d->out, " {\n");
    d->depth++;
    dump_block(d, line, block_name(line));
    d->depth--;
    indent(d);
    strbuf_adds(d->out, "}\n");
}

/* The line that holds where a row's directive is missing. */
static void
dump_default(struct dumper *d, const struct weir_directive *row)
{
    indent(d);
    strbuf_adds(d->out, row->name);
    if (row->def[0])
        strbuf_addf(d->out, " %s", row->def);
    add_default_opts(d, NULL, row);
    if (!row->block || row->flags & WEIR_D_BLOCK_OPTIONAL) {
        strbuf_adds(d->out, ";\n");
        return;
    }
    strbuf_adds(d->out, " {\n");
    d->depth++;
    dump_block(d, NULL, name_find(d->conf, slice_str(row->block)));
    d->depth--;
    indent(d);
    strbuf_adds(d->out, "}\n");
}

static void
dump_defaults(struct dumper *d, const struct weir_conf *block, const struct name *inside)
{
    for (const struct reg_link *l = inside ? inside->inside : NULL; l; l = l->next) {
        if (l->reg->row->def && d->depth <= CONF_NESTING_MAX && !conf_find(block, l->reg->row->name))
            dump_default(d, l->reg->row);
    }
}

/* block NULL: one that is not in the file. */
static void
dump_block(struct dumper *d, const struct weir_conf *block, const struct name *inside)
{
    bool top = inside == d->conf->main;

    if (top) /* where they are seen, and not behind ten thousand routes */
        dump_defaults(d, block, inside);
    for (const struct weir_conf *line = conf_first(block); line; line = line->next)
        dump_line(d, line);
    if (!top)
        dump_defaults(d, block, inside);
}

void
conf_dump(const struct conf *c, struct strbuf *out)
{
    struct dumper d = { c, out, 0 };

    dump_block(&d, c->root, c->main);
}
