/*
 * diff: what differs between two trees. Each block is taken as a set of lines that are known by what they are about
 * (identity): an upstream by its name, a route by its pattern, a timeout by being the timeout. Lines of the same
 * identity are compared, the others have come or gone. Rows say all that is needed for this; no directive is known
 * here.
 */
#include "conf_impl.h"

#include "../base/xalloc.h"

#include <stdlib.h>

#define DIFF_LINE_MAX 400 /* bytes of a line in a difference */
#define DIFF_PATH_MAX 4096
#define DIFF_AHEAD 64 /* how many lines of one identity are looked at for one that is the same */

struct item {
    const struct weir_conf *line;
    struct reg *reg;                /* of the new tree; NULL: it has no such row any more */
    struct item *mate;              /* the same thing in the other tree */
    struct item *twin, **twins_end; /* further ones of its identity; the end is kept by the first */
    unsigned order;
    bool has_twin;
};

struct side {
    const struct weir_conf *block; /* NULL: it is not in the file, and defaults hold */
    struct item *items;
    unsigned n;
    struct name_map by_identity;
};

struct differ {
    struct conf *rows; /* the new tree: its rows and their defaults hold for both */
    struct arena arena;
    const struct conf_diff_events *events; /* NULL: only asked whether there is any */
    bool found;
    struct strbuf path, was, now;
};

static void diff_blocks(struct differ *d, const struct weir_conf *was, const struct weir_conf *now,
                        const struct name *inside);

/* ---- what a line is about ---- */

/* How many of its arguments say which one it is: none where there may be but one. */
static unsigned
identity_args(const struct weir_conf *line, const struct weir_directive *row)
{
    const struct weir_arg *a;
    unsigned n = 0;

    if (!row || !(row->flags & (WEIR_D_REPEAT | WEIR_D_UNIQUE_NAME)))
        return 0;
    if (!row->block)
        return line->n_args ? 1 : 0;
    for (a = row->args; a && a->type != WEIR_T_NONE && n < line->n_args; a++) {
        n++;
        if (a->flags & WEIR_ARG_REPEAT)
            break;
    }
    return n;
}

static struct slice
identity(struct differ *d, const struct weir_conf *line, const struct weir_directive *row)
{
    unsigned n = identity_args(line, row);
    struct strbuf b;
    struct slice s;

    if (!n)
        return slice_str(line->name->text);
    strbuf_init(&b, CONF_FILE_MAX + 2 * CONF_VALUE_MAX);
    strbuf_adds(&b, line->name->text);
    for (unsigned i = 0; i < n; i++) {
        strbuf_addc(&b, '\0');
        strbuf_addslice(&b, line->args[i].text);
    }
    s = arena_slice(&d->arena, strbuf_slice(&b));
    strbuf_fini(&b);
    return s;
}

/* ---- values ---- */

static bool
same_path(struct differ *d, const struct weir_conf *a, struct slice was, const struct weir_conf *b, struct slice now)
{
    if (!a->src || !b->src || !was.n || !now.n || (was.p[0] == '/' && now.p[0] == '/'))
        return slice_eq(was, now);
    return slice_eq(source_path(&d->arena, a->src, was), source_path(&d->arena, b->src, now));
}

static bool
same_value(enum weir_type type, const union value *a, const union value *b)
{
    switch (type) {
    case WEIR_T_PERCENT:
        return !(a->percent < b->percent) && !(a->percent > b->percent);
    case WEIR_T_RATE:
        return a->rate.count == b->rate.count && a->rate.per == b->rate.per;
    case WEIR_T_STATUS:
        return a->i[0] == b->i[0] && a->i[1] == b->i[1];
    default:
        return a->i[0] == b->i[0];
    }
}

static bool
is_number(enum weir_type type)
{
    return type == WEIR_T_INT || type == WEIR_T_SIZE || type == WEIR_T_DURATION || type == WEIR_T_RATE ||
           type == WEIR_T_PERCENT || type == WEIR_T_BOOL || type == WEIR_T_STATUS;
}

static bool
same_arg(struct differ *d, const struct weir_conf *was, const struct weir_conf *now, unsigned i)
{
    const struct conf_arg *a = &was->args[i], *b = &now->args[i];
    const struct weir_arg *row = now->reg ? row_arg(now->reg->row, i) : NULL;

    if (row && is_number(row->type))
        return same_value(row->type, &a->v, &b->v);
    if (row && row->type == WEIR_T_PATH)
        return same_path(d, was, a->text, now, b->text);
    return slice_eq(a->text, b->text);
}

static const struct conf_arg *
opt_of(const struct weir_conf *line, const char *key)
{
    for (unsigned i = line->n_args; i < (unsigned)line->n_args + line->n_opts; i++)
        if (line->args[i].opt && strcmp(line->args[i].opt->key, key) == 0)
            return &line->args[i];
    return NULL;
}

static bool
opt_value_of(struct conf *c, const struct weir_opt *o, const struct conf_arg *given, union value *v)
{
    struct value_spec spec = value_spec_opt(o);

    if (given) {
        *v = given->v;
        return true;
    }
    return o->def && !value_parse(c, &spec, slice_str(o->def), slice_str(o->def), v);
}

static bool
same_opt(struct differ *d, const struct weir_opt *o, const struct weir_conf *was, const struct weir_conf *now)
{
    const struct conf_arg *a = opt_of(was, o->key), *b = opt_of(now, o->key);
    union value v = { { 0, 0 } }, w = { { 0, 0 } };

    if (!a && !b)
        return true;
    if (is_number(o->type)) {
        bool has_a = opt_value_of(d->rows, o, a, &v), has_b = opt_value_of(d->rows, o, b, &w);
        return has_a == has_b && (!has_a || same_value(o->type, &v, &w));
    }
    struct slice was_text = a ? a->text : slice_str(o->def ? o->def : "");
    struct slice now_text = b ? b->text : slice_str(o->def ? o->def : "");
    return o->type == WEIR_T_PATH ? same_path(d, was, was_text, now, now_text) : slice_eq(was_text, now_text);
}

/* Everything of the lines but what stands in their blocks. */
static bool
same_head(struct differ *d, const struct weir_conf *was, const struct weir_conf *now)
{
    const struct weir_directive *row = now->reg ? now->reg->row : NULL;

    if (was->is_off != now->is_off || was->n_args != now->n_args)
        return false;
    for (unsigned i = 0; i < now->n_args; i++)
        if (!same_arg(d, was, now, i))
            return false;
    for (const struct weir_opt *o = row ? row->opts : NULL; o && o->key; o++)
        if (!same_opt(d, o, was, now))
            return false;
    return true;
}

/* ---- showing ---- */

static void
add_word(struct strbuf *out, const struct weir_conf *line, const struct conf_arg *arg)
{
    strbuf_addc(out, ' ');
    if (arg->opt)
        strbuf_addf(out, "%s=", arg->opt->key);
    dump_text(out, arg_shown(line, arg), arg->flags);
}

static void
add_head(struct strbuf *out, const struct weir_conf *line)
{
    strbuf_adds(out, line->name->text);
    for (unsigned i = 0; i < (unsigned)line->n_args + line->n_opts; i++)
        add_word(out, line, &line->args[i]);
}

/* On one line, with what the file says inside of it. */
static void
add_line(struct strbuf *out, const struct weir_conf *line, bool whole)
{
    add_head(out, line);
    if (!line->has_block || !whole) {
        strbuf_addc(out, ';');
        return;
    }
    strbuf_adds(out, " { ");
    for (const struct weir_conf *l = line->first; l && !out->truncated; l = l->next) {
        add_line(out, l, true);
        strbuf_addc(out, ' ');
    }
    strbuf_addc(out, '}');
}

static const char *
line_text(struct strbuf *out, const struct weir_conf *line, bool whole)
{
    strbuf_clear(out);
    out->truncated = false;
    if (!line)
        return "";
    add_line(out, line, whole);
    if (out->truncated && out->n >= 4)
        memcpy(out->p + out->n - 4, " ...", 4);
    else if (!whole && out->n)
        out->p[--out->n] = '\0'; /* a value reads better without its ';' */
    return out->p ? out->p : "";
}

/* conf_at would note it in the tree, and that is another thread's. */
static const char *
place_text(struct differ *d, const struct weir_conf *line)
{
    if (!line)
        return "";
    if (!line->src || !line->line)
        return "default";
    return arena_printf(&d->arena, "%s:%u", line->src->name, line->line).p;
}

static size_t
path_push(struct differ *d, const struct weir_conf *line, const struct weir_directive *row)
{
    size_t mark = d->path.n;
    unsigned n = identity_args(line, row);

    if (!d->events)
        return mark;
    if (mark)
        strbuf_adds(&d->path, " > ");
    strbuf_adds(&d->path, line->name->text);
    for (unsigned i = 0; i < n; i++)
        add_word(&d->path, line, &line->args[i]);
    return mark;
}

static void
path_pop(struct differ *d, size_t mark)
{
    d->path.n = mark;
    if (d->path.p)
        d->path.p[mark] = '\0';
    d->path.truncated = false;
}

static void
report(struct differ *d, enum conf_change change, const struct weir_conf *was, const struct weir_conf *now)
{
    bool whole = change != CONF_CHANGED || was->is_off || now->is_off;

    d->found = true;
    if (!d->events)
        return;
    struct conf_difference f = {
        .change = change,
        .line = now && now->line   ? now
                : was && was->line ? was
                                   : now,
        .path = d->path.p ? d->path.p : "",
        .was = line_text(&d->was, was, whole),
        .now = line_text(&d->now, now, whole),
        .was_at = place_text(d, was),
        .now_at = place_text(d, now),
    };
    f.secret = change == CONF_CHANGED && strcmp(f.was, f.now) == 0;
    d->events->on_difference(&f, d->events->arg);
}

/* ---- blocks ---- */

static void
collect(struct differ *d, struct side *s, const struct weir_conf *block, const struct name *inside)
{
    struct item *i, *first;

    *s = (struct side){ .block = block };
    s->items = arena_alloc(&d->arena, (block ? block->n_children : 0) * sizeof(*s->items));
    for (const struct weir_conf *l = conf_first(block); l; l = l->next) {
        i = &s->items[s->n];
        *i = (struct item){ .line = l, .order = s->n++ };
        i->reg = inside ? rows_find(d->rows, inside, name_find(d->rows, slice_str(l->name->text))) : NULL;
        struct slice key = identity(d, l, i->reg ? i->reg->row : l->reg ? l->reg->row : NULL);
        first = name_map_get(&s->by_identity, key);
        if (first) {
            *first->twins_end = i;
            first->twins_end = &i->twin;
            first->has_twin = i->has_twin = true;
        } else {
            i->twins_end = &i->twin;
            name_map_put(&s->by_identity, key, i);
        }
    }
}

static void
diff_pair(struct differ *d, const struct weir_conf *was, const struct weir_conf *now, struct reg *reg)
{
    const struct weir_conf *a = was, *b = now;

    if ((!was && !now) || (d->found && !d->events))
        return;
    if (!was || !now) {
        if (!reg)
            return; /* without a row there is no default */
        if (!reg->def_line)
            reg->def_line = parse_default(d->rows, reg);
        a = was ? was : reg->def_line;
        b = now ? now : reg->def_line;
    }
    size_t mark = path_push(d, now ? now : was, reg ? reg->row : NULL);
    if (!same_head(d, a, b))
        report(d, CONF_CHANGED, a, b);
    if (a->is_off == b->is_off && (a->has_block || b->has_block))
        diff_blocks(d, was, now, reg && reg->row->block ? name_find(d->rows, slice_str(reg->row->block)) : NULL);
    path_pop(d, mark);
}

static bool
same_line(struct differ *d, const struct item *was, const struct item *now)
{
    struct differ asked = { .rows = d->rows };

    arena_init(&asked.arena);
    diff_pair(&asked, was->line, now->line, now->reg);
    arena_fini(&asked.arena);
    return !asked.found;
}

static void
mate(struct item *was, struct item *now)
{
    was->mate = now;
    now->mate = was;
}

/* The first from `from` on that has no mate and is the same as now; few are looked at. */
static struct item *
find_same(struct differ *d, struct item *from, const struct item *now)
{
    unsigned looked = 0;

    for (struct item *i = from; i && looked < DIFF_AHEAD; i = i->twin, looked++)
        if (!i->mate && same_line(d, i, now))
            return i;
    return NULL;
}

/* Of several of one identity those that are the same belong together, and between these the rest in its order. */
static void
pair_twins(struct differ *d, struct item *was, struct item *now)
{
    struct item *a = was, *b;

    for (b = now; b; b = b->twin) {
        struct item *same = find_same(d, a, b);
        if (!same)
            same = find_same(d, was, b);
        if (!same)
            continue;
        mate(same, b);
        a = same->twin;
    }
    for (a = was, b = now; a && b; b = b->twin) {
        if (b->mate && b->mate->order >= a->order) {
            a = b->mate->twin;
        } else if (!b->mate && !a->mate) {
            mate(a, b);
            a = a->twin;
        }
    }
}

static void
pair(struct differ *d, struct side *was, struct side *now)
{
    for (size_t i = 0; i < now->by_identity.room; i++) {
        const struct name_map_entry *e = &now->by_identity.v[i];
        struct item *other = e->value ? name_map_get(&was->by_identity, e->name) : NULL;

        if (!other)
            continue;
        if (other->has_twin || ((struct item *)e->value)->has_twin)
            pair_twins(d, other, e->value);
        else
            mate(other, e->value);
    }
}

/* ---- order ---- */

static bool
is_ordered(const struct differ *d, const struct item *i)
{
    return i->mate && d->events && d->events->ordered && d->events->ordered(i->line, i->has_twin || i->mate->has_twin);
}

/* Takes out of the n items those of the longest run that has kept its order; NULL stands in their places. For each
 * length of a run the last item of the best one so far is known: the one that stood first in the old tree. */
static void
drop_longest_run(struct item **v, unsigned n)
{
    unsigned *before = xcalloc(n + 1, sizeof(*before)); /* of each item: who comes before it in its run, plus 1 */
    unsigned *last_of = xcalloc(n + 1, sizeof(*last_of)), longest = 0;

    for (unsigned i = 0; i < n; i++) {
        unsigned low = 0, high = longest;
        while (low < high) {
            unsigned middle = (low + high) / 2;
            if (v[last_of[middle]]->mate->order < v[i]->mate->order)
                low = middle + 1;
            else
                high = middle;
        }
        before[i] = low ? last_of[low - 1] + 1 : 0;
        last_of[low] = i;
        longest += low == longest;
    }
    for (unsigned at = longest ? last_of[longest - 1] + 1 : 0; at; at = before[at - 1])
        v[at - 1] = NULL;
    free(before);
    free(last_of);
}

/* As few as there can be: those outside of the longest run. */
static void
report_moved(struct differ *d, struct side *now)
{
    struct item **v = xcalloc(now->n + 1, sizeof(*v));
    unsigned n = 0;

    for (unsigned i = 0; i < now->n; i++)
        if (is_ordered(d, &now->items[i]))
            v[n++] = &now->items[i];
    drop_longest_run(v, n);
    for (unsigned i = 0; i < n; i++) {
        if (!v[i])
            continue;
        size_t mark = path_push(d, v[i]->line, v[i]->reg ? v[i]->reg->row : NULL);
        report(d, CONF_MOVED, v[i]->mate->line, v[i]->line);
        path_pop(d, mark);
    }
    free(v);
}

/* ---- the walk ---- */

static bool
has_default(const struct item *i)
{
    return i->reg && i->reg->row->def && !(i->reg->row->flags & (WEIR_D_REPEAT | WEIR_D_UNIQUE_NAME));
}

/* One side only has it: it has come or gone, or is given in place of a default, or leaves it to that. */
static void
diff_lonely(struct differ *d, const struct item *i, bool added)
{
    if (has_default(i)) {
        diff_pair(d, added ? NULL : i->line, added ? i->line : NULL, i->reg);
        return;
    }
    size_t mark = path_push(d, i->line, i->reg ? i->reg->row : i->line->reg ? i->line->reg->row : NULL);
    report(d, added ? CONF_ADDED : CONF_REMOVED, added ? NULL : i->line, added ? i->line : NULL);
    path_pop(d, mark);
}

static void
diff_blocks(struct differ *d, const struct weir_conf *was, const struct weir_conf *now, const struct name *inside)
{
    struct side old, new;

    collect(d, &old, was, inside);
    collect(d, &new, now, inside);
    pair(d, &old, &new);
    for (unsigned i = 0; i < new.n; i++) {
        if (new.items[i].mate)
            diff_pair(d, new.items[i].mate->line, new.items[i].line, new.items[i].reg);
        else
            diff_lonely(d, &new.items[i], true);
    }
    for (unsigned i = 0; i < old.n; i++)
        if (!old.items[i].mate)
            diff_lonely(d, &old.items[i], false);
    if (d->events)
        report_moved(d, &new);
    name_map_fini(&old.by_identity);
    name_map_fini(&new.by_identity);
}

void
conf_diff(const struct conf *was, struct conf *now, const struct conf_diff_events *events)
{
    struct differ d = { .rows = now, .events = events };

    arena_init(&d.arena);
    strbuf_init(&d.path, DIFF_PATH_MAX);
    strbuf_init(&d.was, DIFF_LINE_MAX);
    strbuf_init(&d.now, DIFF_LINE_MAX);
    diff_blocks(&d, was->root, now->root, now->main);
    strbuf_fini(&d.path);
    strbuf_fini(&d.was);
    strbuf_fini(&d.now);
    arena_fini(&d.arena);
}
