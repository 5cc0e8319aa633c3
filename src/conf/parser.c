/*
 * parser: words to lines and blocks. After an error it goes on where a reader would: a missing `;` ends its line, and
 * in a file that has fewer `}` than `{` the indentation tells which block was left open.
 */
#include "lexer.h"

#include "../base/xalloc.h"

#include <stdlib.h>

struct parser {
    struct conf *conf;
    struct source *src;
    struct lexer lexer;
    struct weir_conf *block;     /* the lines go into */
    unsigned depth, base;        /* blocks around the next line; of those, around the whole source */
    unsigned unclosed;           /* `}` that this source lacks, as far as they were not told of */
    struct conf_arg *args;       /* of the line at hand: CONF_ARGS_MAX */
    unsigned n_args;
    struct place end;            /* behind the last word */
};

static struct place
token_place(const struct parser *p, const struct token *t)
{
    return (struct place){ p->src, t->off, t->line };
}

static uint32_t
column_of(struct place at)
{
    uint32_t column = 0;

    source_line(&at, &column);
    return column;
}

static unsigned
count_unclosed(struct conf *c, struct source *src)
{
    struct lexer l;
    struct token t;
    long open = 0;

    lexer_init(&l, c, src);
    l.silent = true;
    while ((t = lexer_next(&l)).kind != TOKEN_END) {
        open += (t.kind == TOKEN_OPEN) - (t.kind == TOKEN_CLOSE);
        if (t.flags & ARG_OPEN_END)
            open -= lexer_swallowed(&l, &t);
    }
    return open > 0 ? (unsigned)open : 0;
}

static const char *
line_word(struct parser *p, const struct weir_conf *line)
{
    return diag_word(p->conf, slice_of(line->name->text, line->name->n));
}

static void
leave_block(struct parser *p)
{
    p->block = p->block->parent;
    p->depth--;
}

/* --- blocks left open --- */

/* A word or `}` that starts a source line left of (or, a word, in one column with) what opened the block cannot stand
 * in it. */
static void
close_by_indent(struct parser *p, const struct token *t)
{
    struct place at = token_place(p, t);
    uint32_t column, limit = t->kind == TOKEN_CLOSE;

    if (!p->unclosed || !(t->flags & ARG_FIRST))
        return;
    column = column_of(at);
    while (p->unclosed && p->depth > p->base && p->block->first_on_line &&
           column + limit <= column_of(line_place(p->block))) {
        diag_error(p->conf, at, "a `}` is missing before this\nthe block of `%s` that starts in line %u is still open",
                   line_word(p, p->block), p->block->line);
        p->unclosed--;
        leave_block(p);
    }
}

static void
close_at_end(struct parser *p)
{
    for (; p->depth > p->base; leave_block(p))
        diag_error(p->conf, line_place(p->block), "the block of `%s` is never closed\na `}` is missing",
                   line_word(p, p->block));
}

/* Past the `}` that belongs to a `{` just read, whatever is between. */
static void
skip_block(struct parser *p)
{
    bool silent = p->lexer.silent;
    unsigned open = 1;

    p->lexer.silent = true;
    while (open) {
        struct token t = lexer_next(&p->lexer);

        if (t.kind == TOKEN_END)
            break;
        open += t.kind == TOKEN_OPEN;
        open -= t.kind == TOKEN_CLOSE;
    }
    p->lexer.silent = silent;
}

/* --- lines --- */

static void
add_arg(struct parser *p, const struct token *t)
{
    if (p->n_args == CONF_ARGS_MAX)
        diag_error(p->conf, token_place(p, t), "more than %d arguments\nis a `;` missing?", CONF_ARGS_MAX);
    if (p->n_args < CONF_ARGS_MAX)
        resolve_word(p->conf, p->src, t, &p->args[p->n_args]);
    p->n_args++;
    p->end = (struct place){ p->src, t->off + t->len, t->end_line };
}

static struct weir_conf *
new_line(struct parser *p, const struct token *t)
{
    struct slice text = slice_of(p->src->text.p + t->off, t->len);
    struct weir_conf *line;

    if (t->flags & (ARG_DOUBLE | ARG_SINGLE) && !(t->flags & (ARG_KEY | ARG_BAD)))
        diag_error(p->conf, token_place(p, t), "the name of a directive stands without quotes");
    line = line_new(p->conf, p->src, name_get(p->conf, text));
    line->off = t->off;
    line->len = t->len;
    line->line = t->line;
    line->first_on_line = t->flags & ARG_FIRST;
    p->end = (struct place){ p->src, t->off + t->len, t->end_line };
    p->n_args = 0;
    return line;
}

static void
store_args(struct parser *p, struct weir_conf *line)
{
    unsigned n = p->n_args < CONF_ARGS_MAX ? p->n_args : CONF_ARGS_MAX;

    line->n_args = (uint16_t)n;
    if (!n)
        return;
    line->args = arena_alloc(&p->conf->arena, n * sizeof(*line->args));
    memcpy(line->args, p->args, n * sizeof(*line->args));
}

/* `workers auto` and then, on a line of its own, `include x;`: rows cannot tell these apart later, as includes are no
 * lines of the tree. */
static struct weir_conf *
cut_include(struct parser *p, struct weir_conf *line)
{
    struct conf_arg *arg = line->n_args >= 2 ? &line->args[line->n_args - 2] : NULL;
    struct weir_conf *include;

    if (!arg || !(arg->flags & ARG_FIRST) || !arg_is(arg, "include") ||
        column_of(arg_place(line, arg)) > column_of(line_place(line)))
        return NULL;
    line->n_args = (uint16_t)(line->n_args - 2);
    diag_error(p->conf, line_end(line, line->n_args),
               "a `;` is missing here\n`include` on the next line is a directive of its own");
    include = line_new(p->conf, p->src, name_get(p->conf, SLICE("include")));
    include->off = arg->off;
    include->len = arg->len;
    include->line = arg->line;
    include->args = arg + 1;
    include->n_args = 1;
    return include;
}

static void
end_line(struct parser *p, struct weir_conf *line)
{
    struct weir_conf *include = NULL;

    store_args(p, line);
    if (!strcmp(line->name->text, "include")) {
        include = line;
    } else {
        include = cut_include(p, line);
        line_append(p->block, line);
    }
    if (include) {
        include->parent = p->block;
        include_line(include, p->depth);
    }
}

static void
open_block(struct parser *p, struct weir_conf *line, const struct token *t)
{
    store_args(p, line);
    line->has_block = true;
    if (!strcmp(line->name->text, "include")) {
        diag_error(p->conf, token_place(p, t), "`include` takes no block\nend it with `;`");
        skip_block(p);
        return;
    }
    line_append(p->block, line);
    if (p->depth >= CONF_NESTING_MAX) {
        diag_error(p->conf, token_place(p, t), "blocks are nested more than %d deep", CONF_NESTING_MAX);
        skip_block(p);
        return;
    }
    p->block = line;
    p->depth++;
}

/* A quote without an end has swallowed the rest of the line: what ended it counts all the same. */
static void
end_swallowed(struct parser *p, struct weir_conf *line, const struct token *t)
{
    int closes = lexer_swallowed(&p->lexer, t);

    if (closes < 0) {
        open_block(p, line, t);
        return;
    }
    end_line(p, line);
    for (; closes && p->depth > p->base; closes--)
        leave_block(p);
}

/* From the name on. Returns the token that is still to be looked at: a `}` or the end, where the `;` is missing; else
 * an empty word. */
static struct token
parse_line(struct parser *p, const struct token *name)
{
    struct weir_conf *line = new_line(p, name);
    struct token t = *name;

    while (!(t.flags & ARG_OPEN_END) && (t = lexer_next(&p->lexer)).kind == TOKEN_WORD)
        add_arg(p, &t);
    if (t.flags & ARG_OPEN_END) {
        end_swallowed(p, line, &t);
        return (struct token){ .kind = TOKEN_WORD };
    }
    if (t.kind == TOKEN_OPEN) {
        open_block(p, line, &t);
        return (struct token){ .kind = TOKEN_WORD };
    }
    if (t.kind == TOKEN_SEMICOLON) {
        end_line(p, line);
        return (struct token){ .kind = TOKEN_WORD };
    }
    diag_error(p->conf, p->end, "a `;` is missing here\na directive ends with `;` or with a `{ block }`");
    end_line(p, line);
    return t;
}

static void
parse_token(struct parser *p, const struct token *t)
{
    struct place at = token_place(p, t);

    close_by_indent(p, t);
    switch (t->kind) {
    case TOKEN_SEMICOLON:
        diag_error(p->conf, at, "there is nothing before this `;`\ntake it away: a block ends with its `}` alone");
        break;
    case TOKEN_OPEN:
        diag_error(p->conf, at, "there is no name before this `{`");
        skip_block(p);
        break;
    case TOKEN_CLOSE:
        if (p->depth > p->base)
            leave_block(p);
        else
            diag_error(p->conf, at, "there is no block that this `}` could close");
        break;
    default:
        break;
    }
}

void
parse_source(struct conf *c, struct source *src, struct weir_conf *block, unsigned depth)
{
    struct parser p = { .conf = c, .src = src, .block = block, .depth = depth, .base = depth };
    struct token t;

    p.unclosed = count_unclosed(c, src);
    p.args = xmalloc(CONF_ARGS_MAX * sizeof(*p.args));
    lexer_init(&p.lexer, c, src);
    while ((t = lexer_next(&p.lexer)).kind != TOKEN_END) {
        if (t.kind == TOKEN_WORD) {
            close_by_indent(&p, &t);
            t = parse_line(&p, &t);
        }
        if (t.kind == TOKEN_END)
            break;
        if (t.kind != TOKEN_WORD)
            parse_token(&p, &t);
    }
    close_at_end(&p);
    free(p.args);
}

struct weir_conf *
parse_default(struct conf *c, struct reg *reg)
{
    const struct weir_directive *row = reg->row;
    struct weir_conf *line = line_new(c, NULL, name_get(c, slice_str(row->name)));
    struct parser p = { .conf = c };
    struct token t;

    p.src = arena_zalloc(&c->arena, sizeof(*p.src));
    p.src->name = "default";
    p.src->dir = c->sources ? c->sources->dir : "/";
    p.src->text = slice_str(row->def);
    p.args = xmalloc(CONF_ARGS_MAX * sizeof(*p.args));
    line->src = p.src;
    line->reg = reg;
    line->has_block = row->block && !(row->flags & WEIR_D_BLOCK_OPTIONAL);
    lexer_init(&p.lexer, c, p.src);
    while ((t = lexer_next(&p.lexer)).kind == TOKEN_WORD)
        add_arg(&p, &t);
    store_args(&p, line);
    check_values(line);
    free(p.args);
    line->at = "default";
    return line;
}
