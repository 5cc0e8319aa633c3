/* conf: the life of a configuration, and the way through its tree. */
#include "conf_impl.h"

#include "../base/hash.h"
#include "../base/xalloc.h"

#include <stdlib.h>

struct conf *
conf_new(void)
{
    struct conf *c = xcalloc(1, sizeof(*c));

    arena_init(&c->arena);
    c->regs_end = &c->regs;
    c->sources_end = &c->sources;
    c->files = files_new();
    c->main = name_get(c, SLICE("main"));
    c->root = line_new(c, NULL, c->main);
    c->root->has_block = true;
    rows_init(c);
    return c;
}

void
conf_free(struct conf *c)
{
    if (!c)
        return;
    conf_seal(c);
    table_fini(&c->names);
    table_fini(&c->index);
    for (int i = 0; i < NAMED_MAX; i++)
        name_map_fini(&c->named[i].by_arg);
    free(c->diags);
    conf_files_put(c->files);
    arena_fini(&c->arena);
    free(c);
}

struct arena *
conf_arena(struct conf *c)
{
    return &c->arena;
}

void
conf_seal(struct conf *c)
{
    for (struct source *s = c->sources; s; s = s->next)
        source_release(s);
}

void
conf_allow_masked(struct conf *c)
{
    c->masked_allowed = true;
}

/* Everything that parsing left to the tree as a whole. */
static int
finish_parse(struct conf *c)
{
    split_tree(c);
    index_tree(c);
    return c->errors ? -1 : 0;
}

int
conf_parse_file(struct conf *c, const char *path)
{
    const char *why = NULL;
    struct source *src = source_open(c, path, path, NULL, &why);

    if (!src) {
        diag_nowhere(c, "%s: error: cannot read the configuration: %s", diag_word(c, slice_str(path)), why);
        return -1;
    }
    parse_source(c, src, c->root, 0);
    return finish_parse(c);
}

int
conf_parse_text(struct conf *c, const char *name, struct slice text)
{
    if (text.n > CONF_FILE_MAX) {
        diag_nowhere(c, "%s: error: it is larger than 16 MiB", diag_word(c, slice_str(name)));
        return -1;
    }
    parse_source(c, source_text(c, name, text), c->root, 0);
    return finish_parse(c);
}

/* --- names --- */

static bool
name_is(const void *item, const void *key)
{
    const struct name *name = item;
    const struct slice *text = key;

    return slice_eq(slice_of(name->text, name->n), *text);
}

struct name *
name_find(const struct conf *c, struct slice text)
{
    return table_find(&c->names, hash_slice(text), name_is, &text);
}

struct name *
name_get(struct conf *c, struct slice text)
{
    uint64_t hash = hash_slice(text);
    struct name *name = table_find(&c->names, hash, name_is, &text);

    if (name)
        return name;
    name = arena_zalloc(&c->arena, sizeof(*name));
    name->text = arena_strndup(&c->arena, text.p, text.n);
    name->n = text.n;
    name->inside_end = &name->inside;
    table_add(&c->names, hash, name);
    return name;
}

/* --- the tree --- */

const struct weir_conf *
conf_root(const struct conf *c)
{
    return c->root;
}

const struct weir_conf *
conf_first(const struct weir_conf *block)
{
    return block ? block->first : NULL;
}

const struct weir_conf *
conf_sibling(const struct weir_conf *line)
{
    return line ? line->next : NULL;
}

const struct weir_conf *
conf_parent(const struct weir_conf *line)
{
    return line ? line->parent : NULL;
}

const struct weir_conf *
conf_find(const struct weir_conf *block, const char *name)
{
    const struct name *interned;
    const struct weir_conf *line;

    if (!block || !block->first)
        return NULL;
    interned = name_find(block->conf, slice_str(name));
    if (!interned)
        return NULL;
    if (block->n_children > LARGE_BLOCK) {
        const struct group *g = index_find(block->conf, block, interned);

        return g ? g->first : NULL;
    }
    for (line = block->first; line && line->name != interned; line = line->next)
        ;
    return line;
}

/* The map of that kind of lines, made when it is first asked for; NULL: there are no such lines. */
static const struct name_map *
named_map(struct conf *c, const char *name)
{
    const struct weir_conf *line = conf_find(c->root, name);
    struct named *n = c->named;

    if (!line)
        return NULL;
    while (n->name && n->name != line->name)
        if (++n == c->named + NAMED_MAX)
            return NULL;
    if (!n->name)
        for (n->name = line->name; line; line = conf_next(line))
            name_map_put(&n->by_arg, conf_arg(line, 0), (void *)line);
    return &n->by_arg;
}

const struct weir_conf *
conf_find_named(struct conf *c, const char *name, struct slice arg)
{
    const struct name_map *m = named_map(c, name);

    return m ? name_map_get(m, arg) : NULL;
}

const struct weir_conf *
conf_next(const struct weir_conf *line)
{
    return line ? line->next_same : NULL;
}

const char *
conf_name(const struct weir_conf *line)
{
    return line->name->text;
}

const char *
conf_at(const struct weir_conf *line)
{
    struct weir_conf *l = (struct weir_conf *)line; /* the place is a cache, no part of the value */

    if (!l)
        return "";
    if (!l->at) {
        if (l->src && l->line)
            l->at = arena_printf(&l->conf->arena, "%s:%u", l->src->name, l->line).p;
        else if (l->src || !l->conf->sources)
            l->at = "default";
        else
            l->at = l->conf->sources->name; /* the top of the file */
    }
    return l->at;
}

const struct weir_directive *
conf_row(const struct weir_conf *line)
{
    return line && line->reg ? line->reg->row : NULL;
}

bool
conf_is_off(const struct weir_conf *line)
{
    return line && line->is_off;
}

struct conf *
conf_of(const struct weir_conf *line)
{
    return line->conf;
}

struct slice
conf_path(const struct weir_conf *line, struct slice path)
{
    struct conf *c = line->conf;

    if (slice_starts(path, SLICE("file:")))
        path = slice_from(path, 5);
    if (line->src)
        return source_path(&c->arena, line->src, path);
    return c->sources ? source_path(&c->arena, c->sources, path) : arena_slice(&c->arena, path);
}
