/* tree: how lines are put together, found again, and taken apart where a missing `;` has joined two. */
#include "conf_impl.h"

#include "../base/hash.h"

struct weir_conf *
line_new(struct conf *c, struct source *src, struct name *name)
{
    struct weir_conf *line = arena_zalloc(&c->arena, sizeof(*line));

    line->conf = c;
    line->src = src;
    line->name = name;
    return line;
}

void
line_append(struct weir_conf *block, struct weir_conf *line)
{
    line->parent = block;
    if (block->last)
        block->last->next = line;
    else
        block->first = line;
    block->last = line;
    block->n_children++;
}

struct place
line_place(const struct weir_conf *line)
{
    if (line->parent || line->src)
        return (struct place){ line->src, line->off, line->line };
    return (struct place){ line->conf->sources, 0, 1 };
}

struct place
arg_place(const struct weir_conf *line, const struct conf_arg *arg)
{
    return (struct place){ line->src, arg->off, arg->line };
}

struct place
line_end(const struct weir_conf *line, unsigned args)
{
    struct place at = line_place(line);
    uint32_t len = line->len, off;

    if (args) {
        at = arg_place(line, &line->args[args - 1]);
        len = line->args[args - 1].len;
    }
    for (off = at.off; off < at.off + len && off < at.src->text.n; off++)
        at.line += at.src->text.p[off] == '\n';
    at.off += len;
    return at;
}

struct slice
arg_shown(const struct weir_conf *line, const struct conf_arg *arg)
{
    struct slice shown = arg->text;

    if (!arg->opt && line->name->secret && (!line->reg || line->reg->row->flags & WEIR_D_SECRET) &&
        !slice_starts(arg->text, SECRET_IN_FILE))
        return slice_starts(arg->text, SECRET_PREFIX) ? SLICE("secret:***") : SLICE("***");
    if (arg->secret) {
        shown = arg->secret->shown;
        if (arg->opt)
            shown = slice_from(shown, (size_t)arg->key + 1);
    }
    return shown;
}

bool
arg_is(const struct conf_arg *arg, const char *bare_word)
{
    return !(arg->flags & (ARG_DOUBLE | ARG_SINGLE)) && slice_eq(arg->text, slice_str(bare_word));
}

const struct name *
block_name(const struct weir_conf *block)
{
    if (!block->parent && !block->reg)
        return block->conf->main;
    return block->reg && block->reg->row->block ? name_find(block->conf, slice_str(block->reg->row->block)) : NULL;
}

/* --- index --- */

struct group_key {
    const struct weir_conf *block;
    const struct name *name;
};

static uint64_t
group_hash(const struct weir_conf *block, const struct name *name)
{
    return hash_mix((uint64_t)(uintptr_t)block, (uint64_t)(uintptr_t)name);
}

static bool
group_is(const void *item, const void *key)
{
    const struct group *g = item;
    const struct group_key *k = key;

    return g->block == k->block && g->name == k->name;
}

const struct group *
index_find(const struct conf *c, const struct weir_conf *block, const struct name *name)
{
    struct group_key key = { block, name };

    return table_find(&c->index, group_hash(block, name), group_is, &key);
}

static void
index_line(struct conf *c, struct weir_conf *line)
{
    struct group *g = (struct group *)index_find(c, line->parent, line->name);

    if (g) {
        g->last->next_same = line;
        g->last = line;
        return;
    }
    g = arena_alloc(&c->arena, sizeof(*g));
    *g = (struct group){ line->parent, line->name, line, line };
    table_add(&c->index, group_hash(line->parent, line->name), g);
}

static void
index_block(struct weir_conf *block)
{
    struct weir_conf *line, *later;

    for (line = block->first; line; line = line->next) {
        line->next_same = NULL;
        if (line->first)
            index_block(line);
    }
    for (line = block->first; line; line = line->next) {
        if (block->n_children > LARGE_BLOCK) {
            index_line(block->conf, line);
            continue;
        }
        for (later = line->next; later && later->name != line->name; later = later->next)
            ;
        line->next_same = later;
    }
}

void
index_tree(struct conf *c)
{
    table_fini(&c->index);
    index_block(c->root);
}
