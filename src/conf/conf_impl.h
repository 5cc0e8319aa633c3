/*
 * What the files of src/conf share: sources, names, rows by context, lines, diagnostics. Everything lives in the arena
 * of its struct conf but for the tables and the text of the files.
 */
#ifndef CONF_CONF_IMPL_H
#define CONF_CONF_IMPL_H

#include "../base/name_map.h"
#include "conf.h"
#include "files.h"

#include <sys/types.h>

#define CONF_FILE_MAX (16u << 20)   /* bytes of one file */
#define CONF_TEXT_MAX (64u << 20)   /* of all files of a configuration */
#define CONF_VALUE_MAX (1u << 20)   /* of one ${file:}, and of one argument made of such */
#define CONF_NESTING_MAX 16         /* blocks in blocks, and files in files */
#define CONF_ARGS_MAX 1024          /* of one line */
#define CONF_FILES_MAX 256
#define CONF_DIAGS_MAX 1000         /* kept for showing; more are counted */
#define CONF_SHOWN_MAX 64           /* bytes of a word in a message */

/* --- table: pointers by hash; the items know their keys --- */
struct table_slot {
    uint64_t hash;
    void *item;
};
struct table {
    struct table_slot *slots; /* owned */
    size_t room, n;           /* room is a power of two */
};
typedef bool (*table_same)(const void *item, const void *key);

void table_fini(struct table *t);
void *table_find(const struct table *t, uint64_t hash, table_same same, const void *key);
void table_add(struct table *t, uint64_t hash, void *item);

/* --- names: every directive name and block name is one struct name, so that equality is a pointer's --- */
struct reg;
struct reg_link {
    struct reg_link *next;
    struct reg *reg;
};
struct name {
    const char *text;
    size_t n;
    const char *hint;                  /* of conf_add_hint */
    struct reg *regs;                  /* rows that bear this name */
    struct reg_link *inside, **inside_end; /* rows legal in blocks of this name, in order of their declaration */
    bool secret;                       /* a WEIR_D_SECRET row bears it */
};

struct name *name_get(struct conf *c, struct slice text);  /* made where it is missing */
struct name *name_find(const struct conf *c, struct slice text);

/* --- rows: the directives that exist --- */
struct name_link {
    struct name_link *next;
    struct name *name;
};
struct reg {
    const struct weir_directive *row;
    const char *owner;
    struct name_link *in, **in_end;
    struct reg *next_name, *next;
    struct weir_conf *def_line;        /* made from row->def when first asked for */
};

void rows_init(struct conf *c);        /* those of the host: `mode` and `percent` of policies */
bool row_is_hosts(const struct weir_directive *row);
struct reg *rows_find(const struct conf *c, const struct name *block, const struct name *name);
/* "`tls` in `listener`", "the top level" */
struct slice rows_block_text(struct conf *c, const struct name *block);
#define CONF_ARG_PLAIN 0x8000u         /* a PERCENT whose sign may be missing */

/* --- sources --- */
struct source {
    struct source *next;   /* in order of opening */
    struct source *parent; /* whose include opened it */
    const char *name;      /* as shown */
    const char *dir;       /* absolute, ends with '/' */
    struct slice text;     /* borrowed from memory; empty once sealed */
    char *memory;          /* owned */
    unsigned order;
    dev_t dev;
    ino_t ino;
};

struct place {
    struct source *src;
    uint32_t off, line;
};

/* parent: whose include opens it; NULL for a main file. NULL with *why when it cannot be read. */
struct source *source_open(struct conf *c, const char *path, const char *shown, struct source *parent,
                           const char **why);
struct source *source_text(struct conf *c, const char *name, struct slice text);
void source_release(struct source *s); /* its text */
/* At most max bytes of a regular file (or, for a main file, of a pipe): malloced, NUL-terminated. p NULL with *why when
 * it cannot be read. identity: whose device and inode are noted; NULL: nobody's. */
struct slice source_read(struct conf *c, const char *path, size_t max, struct source *identity, const char **why);
struct slice source_line(const struct place *at, uint32_t *column); /* the line without its end; column from 0 */
/* The whole of a regular file, malloced; p NULL with errno: it cannot be read. At most 64 MiB. granted: also with the
 * rights of root, by the thread that builds (grant.h). */
struct slice source_content(const char *path, bool granted);
/* A path as the file of this source means it. */
struct slice source_path(struct arena *a, const struct source *s, struct slice path);

/* --- files.c --- */
struct conf_files *files_new(void);
uint64_t files_digest(struct slice content);
/* Which files a pattern finds. */
uint64_t files_names_digest(const char *pattern);
/* The first note of a path counts. digest 0: it could not be read. */
void files_note(struct conf *c, enum conf_file_kind kind, const char *path, uint64_t digest);

/* --- values --- */
union value {
    int64_t i[2];          /* STATUS: low and high; else [0] */
    double percent;
    struct {
        uint64_t count;
        nsec_t per;
    } rate;
};

struct value_spec {        /* what an argument or option may be */
    enum weir_type type;
    int64_t min, max;
    const char *choices;
    unsigned flags;
};

/* NULL, or what is wrong with it (in the arena, with what would be right below a '\n'). shown: the text as messages may
 * show it. */
const char *value_parse(struct conf *c, const struct value_spec *spec, struct slice text, struct slice shown,
                        union value *out);
const char *value_form(enum weir_type type);       /* "TIME": what it is called in syntax lines */
const char *value_help(enum weir_type type);       /* "a duration: 250ms, 5s, 10m, 24h, 7d" */
void value_bounds(struct strbuf *b, const struct value_spec *spec); /* "1ms to 1h"; nothing where there are none */
struct value_spec value_spec_arg(const struct weir_arg *a);
struct value_spec value_spec_opt(const struct weir_opt *o);

/* The i-th choice of "a|b|c"; empty past the last. */
struct slice choice_at(const char *choices, unsigned i);

/* --- lines --- */
struct secret_piece {
    struct secret_piece *next;
    struct slice value;
};
struct arg_secret {        /* of an argument with ${env.*} or ${file:} in it */
    struct slice shown;
    struct secret_piece *pieces;
};

#define ARG_DOUBLE 1u      /* in "..." */
#define ARG_SINGLE 2u      /* in '...' */
#define ARG_KEY 4u         /* key="..." or key='...': only the value is quoted */
#define ARG_FIRST 8u       /* first word of its source line */
#define ARG_BAD 16u        /* reported already: not to be checked */
#define ARG_VAR 32u        /* holds a run-time variable */
#define ARG_SECRET_VAR 64u /* a secret in it holds what looks like one */
#define ARG_OPEN_END 128u  /* a quote that is never closed: it has swallowed the rest of its line */

/* What an argument of a WEIR_D_SECRET row may start with: it then names a file, which is no secret; or all behind it is
 * one. */
#define SECRET_IN_FILE SLICE("file:")
#define SECRET_PREFIX SLICE("secret:")

struct conf_arg {
    struct slice text;     /* NUL-terminated. Of an option: what follows the '=' */
    struct arg_secret *secret;
    const struct weir_opt *opt;
    uint32_t off, len, line;
    uint16_t flags;
    uint16_t key;          /* bytes before the '=' of what may be an option; else 0 */
    union value v;
};

struct weir_conf {
    struct conf *conf;
    struct weir_conf *parent, *first, *last, *next, *next_same;
    struct name *name;
    struct reg *reg;       /* after conf_check */
    struct source *src;
    struct conf_arg *args; /* arguments, then (after conf_check) options */
    const char *at;
    uint32_t off, len, line;
    uint32_t n_children;
    uint16_t n_args, n_opts;
    bool has_block, first_on_line, is_off;
};

struct weir_conf *line_new(struct conf *c, struct source *src, struct name *name);
void line_append(struct weir_conf *block, struct weir_conf *line);
struct place line_place(const struct weir_conf *line);
struct place arg_place(const struct weir_conf *line, const struct conf_arg *arg);
struct place line_end(const struct weir_conf *line, unsigned args); /* behind its name and that many arguments */
struct slice arg_shown(const struct weir_conf *line, const struct conf_arg *arg);
bool arg_is(const struct conf_arg *arg, const char *bare_word);
const struct name *block_name(const struct weir_conf *block);       /* NULL: not known, not checked */
/* Fills next_same and the index of large blocks. */
void index_tree(struct conf *c);
/* Undoes what a missing `;` joined, where the rows tell, and reports it. Whether it did. */
bool split_tree(struct conf *c);
/* How many arguments a row wants. */
unsigned row_min_args(const struct weir_directive *row);
unsigned row_max_args(const struct weir_directive *row);
const struct weir_arg *row_arg(const struct weir_directive *row, unsigned i);
const struct weir_opt *row_opt(const struct weir_directive *row, struct slice key);
/* Arguments and options of one line against its row. */
void check_values(struct weir_conf *line);

/* --- diagnostics --- */
struct diag {
    struct place at;       /* src NULL: no place */
    const char *text;
    const struct weir_conf *line; /* the one it is about, where that is known */
    unsigned seq;
    bool warning;
};

void diag_error(struct conf *c, struct place at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* About a line whose secrets must not show. */
void diag_line_error(const struct weir_conf *line, struct place at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool diag_is_full(const struct conf *c); /* further ones are only counted */
void diag_nowhere(struct conf *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A word for a message: one line, printable, not long; NUL-terminated, in the arena. */
const char *diag_word(struct conf *c, struct slice word);

struct nearest {
    struct slice word;
    const char *best;
    unsigned distance;
};
void nearest_init(struct nearest *n, struct slice word);
void nearest_try(struct nearest *n, const char *name);

/* --- the whole --- */
#define NAMED_MAX 4        /* kinds of lines that others name: upstream, store, policy */

struct conf {
    struct arena arena;
    struct weir_conf *root;
    struct name *main;
    struct table names;
    struct table index;    /* groups of large blocks */
    struct named {         /* lines at the top by their first argument: those that were asked for */
        const struct name *name;
        struct name_map by_arg;
    } named[NAMED_MAX];
    struct reg *regs, **regs_end;
    struct source *sources, **sources_end;
    struct conf_files *files; /* a reference */
    unsigned n_sources;
    size_t text_size;
    struct diag *diags;    /* owned */
    unsigned n_diags, room_diags, errors, warnings;
    bool masked_allowed;
};

#define LARGE_BLOCK 16     /* lines; from here on conf_find looks into the index */

struct group {             /* the lines of one name in one block */
    const struct weir_conf *block;
    const struct name *name;
    struct weir_conf *first, *last;
};
const struct group *index_find(const struct conf *c, const struct weir_conf *block, const struct name *name);

/* Parses a source into a block. depth: blocks it stands in already. */
void parse_source(struct conf *c, struct source *src, struct weir_conf *block, unsigned depth);
/* The include of one line, into its parent. */
void include_line(const struct weir_conf *line, unsigned depth);
/* The line of a row's default. */
struct weir_conf *parse_default(struct conf *c, struct reg *reg);

/* As quoted as it was: a bare `off` and a "off" are different things, and so are variables in '...' and in "...". */
void dump_text(struct strbuf *out, struct slice s, unsigned flags);

/* "endpoint ADDRESS [weight=N];" */
void help_syntax(struct strbuf *b, const struct weir_directive *row);

#endif
