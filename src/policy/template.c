#include "config.h"

#include "template.h"
#include "variable.h"

struct piece {
    const struct variable *variable; /* NULL: literal */
    struct slice text;               /* literal, or what follows the variable's prefix */
};

struct template
{
    struct piece *pieces;
    unsigned n;
};

#define PIECES_MAX 64

struct parse {
    const struct weir_conf *at;
    int arg;
    struct arena *arena;
    struct piece pieces[PIECES_MAX];
    unsigned n;
    bool bad;
};

static void
add_piece(struct parse *p, const struct variable *v, struct slice text)
{
    if (p->n == PIECES_MAX) {
        if (!p->bad)
            conf_error(p->at, p->arg, "more than %d pieces in one text", PIECES_MAX);
        p->bad = true;
        return;
    }
    p->pieces[p->n++] = (struct piece){ v, text };
}

static void
unknown(struct parse *p, struct slice name)
{
    const char *near = variable_nearest(name, p->arena), *dot = memchr(name.p, '.', name.n);

    p->bad = true;
    if (!variable_namespace_known(name) && dot && !near)
        conf_error(p->at, p->arg, "unknown variable `${%.*s}`\nno module in `use` provides `%.*s.*`", SLICE_FMT(name),
                   (int)(dot - name.p), name.p);
    else if (near)
        conf_error(p->at, p->arg, "unknown variable `${%.*s}`\ndid you mean `${%s}`?", SLICE_FMT(name), near);
    else
        conf_error(p->at, p->arg, "unknown variable `${%.*s}`", SLICE_FMT(name));
}

static void
add_variable(struct parse *p, struct slice name)
{
    struct slice rest;
    const struct variable *v = variable_find(name, &rest);

    if (!v) {
        unknown(p, name);
        return;
    }
    /* Loaded once, a module's variables stay; a configuration may name those of modules that it uses itself. */
    if (v->owner && v->owner->used_by != conf_of(p->at)) {
        p->bad = true;
        conf_error(p->at, p->arg, "unknown variable `${%.*s}`\nit is of module `%s`: add that to `use`",
                   SLICE_FMT(name), v->owner->def->name);
        return;
    }
    add_piece(p, v, rest);
}

/* Splits text at ${...}. It has been copied to the arena, so that pieces may point into it. */
static void
split(struct parse *p, struct slice text)
{
    size_t from = 0;

    while (from < text.n) {
        const char *open = memmem(text.p + from, text.n - from, "${", 2);
        size_t start = open ? (size_t)(open - text.p) : text.n;
        const char *close = open ? memchr(open, '}', text.n - start) : NULL;

        if (start > from)
            add_piece(p, NULL, slice_of(text.p + from, start - from));
        if (!open)
            return;
        if (!close) {
            p->bad = true;
            conf_error(p->at, p->arg, "`${` without its `}`");
            return;
        }
        if (close == open + 2) {
            p->bad = true;
            conf_error(p->at, p->arg, "`${}` names no variable");
        } else {
            add_variable(p, slice_of(open + 2, (size_t)(close - open - 2)));
        }
        from = (size_t)(close + 1 - text.p);
    }
}

struct template *
template_compile(struct slice text, const struct weir_conf *at, int arg, struct arena *arena)
{
    struct parse p = { .at = at, .arg = arg, .arena = arena };
    struct template *t;

    split(&p, arena_slice(arena, text));
    if (p.bad)
        return NULL;
    t = arena_alloc(arena, sizeof(*t));
    t->n = p.n;
    t->pieces = arena_alloc(arena, p.n * sizeof(*t->pieces));
    if (p.n)
        memcpy(t->pieces, p.pieces, p.n * sizeof(*t->pieces));
    return t;
}

struct template *
template_of_arg(const struct weir_conf *line, unsigned i, struct arena *arena)
{
    return template_compile(conf_arg(line, i), line, (int)i, arena);
}

static struct slice
piece_text(const struct piece *p, struct weir_exchange *x)
{
    return p->variable ? variable_get(p->variable, x, p->text) : p->text;
}

struct slice
template_text(const struct template *t, struct weir_exchange *x)
{
    struct slice parts[PIECES_MAX];
    size_t n = 0;
    char *p;

    if (t->n == 0)
        return SLICE("");
    if (t->n == 1) {
        parts[0] = piece_text(&t->pieces[0], x);
        return parts[0].p ? parts[0] : SLICE("");
    }
    for (unsigned i = 0; i < t->n; i++) {
        parts[i] = piece_text(&t->pieces[i], x);
        n += parts[i].n;
    }
    p = arena_alloc(x->arena, n + 1);
    n = 0;
    for (unsigned i = 0; i < t->n; i++) {
        if (parts[i].n)
            memcpy(p + n, parts[i].p, parts[i].n);
        n += parts[i].n;
    }
    p[n] = '\0';
    return slice_of(p, n);
}

static bool
is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

struct slice
template_field(const struct template *t, struct weir_exchange *x)
{
    static const char hex[] = "0123456789ABCDEF";
    struct slice text = template_text(t, x);
    size_t controls = 0, n = 0;

    for (size_t i = 0; i < text.n; i++)
        controls += is_control(text.p[i]);
    if (!controls)
        return text;
    char *p = arena_alloc(x->arena, text.n + 2 * controls);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if (!is_control(text.p[i])) {
            p[n++] = text.p[i];
            continue;
        }
        p[n++] = '%';
        p[n++] = hex[c >> 4];
        p[n++] = hex[c & 15];
    }
    return slice_of(p, n);
}

bool
template_is_literal(const struct template *t)
{
    return t->n == 0 || (t->n == 1 && !t->pieces[0].variable);
}

bool
template_piece(const struct template *t, unsigned i, const struct variable **v, struct slice *rest)
{
    if (i >= t->n)
        return false;
    *v = t->pieces[i].variable;
    *rest = t->pieces[i].text;
    return true;
}
