/*
 * conf: a configuration file as a checked, immutable tree. Syntax and types only: what the values mean is known by the
 * directory whose rows declare them.
 *
 *     struct conf *c = conf_new();
 *     conf_add_rows(c, rows, owner, NULL)  the core's directives
 *     conf_parse_file(c, "gateway.conf")   lexer, raw tree, includes, ${env.*} and ${file:} resolved
 *     conf_add_rows(c, ...)                those of modules: which ones, `use` in the raw tree says
 *     conf_check(c)                        every line against its row: context, arity, types, bounds, duplicates
 *     ... builders read values and report with conf_error ...
 *     conf_errors(c) == 0                  or print conf_diagnostics
 *
 * `struct weir_conf` of the public ABI is one line (or block) of the tree.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "../base/arena.h"
#include "../base/clock.h"
#include "../base/strbuf.h"

#include <stdio.h>
#include <weir/types.h>

struct conf;

struct conf *conf_new(void);
void conf_free(struct conf *c);
struct arena *conf_arena(struct conf *c); /* lives as long as c */

/* Parses a file (or text with a name for messages) into the raw tree. 0, or -1: there are diagnostics. */
int conf_parse_file(struct conf *c, const char *path);
int conf_parse_text(struct conf *c, const char *name, struct slice text);
/* Rows are borrowed for ever; end with name NULL. -1: a row of that name exists in an overlapping context (*clash says
 * which), and none of these rows was added. Those known before the parse make its errors better (a `;` missing before a
 * known name), so the core adds its rows first. A block row whose def is "" holds, with its inner defaults, where it is
 * missing. max 0 beside a min: no upper bound. */
int conf_add_rows(struct conf *c, const struct weir_directive *rows, const char *owner, const char **clash);
/* A name that would exist had something been built in or loaded: the error for it reads
 * "`name` HINT" ("needs --with-brotli"). */
void conf_add_hint(struct conf *c, const char *name, const char *hint);
/* For checks of a dump: `***` is taken where a value of any type may stand (it counts as the smallest one). Else it is
 * an error there. */
void conf_allow_masked(struct conf *c);
/* Once, after the last parse. 0, or -1: there are errors, of the parse or of the check. */
int conf_check(struct conf *c);
/* Frees what only diagnostics need (the text of the files). The tree stays; later diagnostics come without the source
 * line. */
void conf_seal(struct conf *c);

/* --- diagnostics --- */
/* arg: index of the argument the caret stands under; -1: the name. What follows a '\n' in the text is printed below the
 * caret: it says what would be right ("there is no store `%s`\ndid you mean `%s`?"). Values that came from ${env.*} and
 * ${file:}, and arguments of WEIR_D_SECRET rows, are replaced by *** in the text. */
void conf_error(const struct weir_conf *line, int arg, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void conf_warning(const struct weir_conf *line, int arg, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void conf_verror(const struct weir_conf *line, int arg, bool warning, const char *fmt, va_list ap)
    __attribute__((format(printf, 4, 0)));
/* The same, under an option (or the name, where the option is not given). */
void conf_opt_error(const struct weir_conf *line, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
unsigned conf_errors(const struct conf *c);
unsigned conf_warnings(const struct conf *c);
/* All of them in order of file and line: FILE:LINE:COL: error: TEXT, the source line, a caret, what would be right. */
void conf_diagnostics(const struct conf *c, struct strbuf *out);
/* The nearest of `names` (NULL-terminated) for "did you mean"; NULL when nothing is near. */
const char *conf_nearest(const char *word, const char *const *names);

/* --- the tree --- */
const struct weir_conf *conf_root(const struct conf *c);              /* the block "main" */
const struct weir_conf *conf_first(const struct weir_conf *block);    /* its lines in order, includes spliced in */
const struct weir_conf *conf_sibling(const struct weir_conf *line);
const struct weir_conf *conf_parent(const struct weir_conf *line);
const struct weir_conf *conf_find(const struct weir_conf *block, const char *name); /* first of that name; NULL: none */
const struct weir_conf *conf_next(const struct weir_conf *line);      /* next of the same name in the same block */
/* Of a checked tree: the last line of that name at the top whose first argument is `arg`, whatever their number; NULL:
 * none. Thread that builds. */
const struct weir_conf *conf_find_named(struct conf *c, const char *name, struct slice arg);
const char *conf_name(const struct weir_conf *line);
/* "gateway.conf:12", interned in the tree's arena: the first call for a line belongs to the thread that builds. */
const char *conf_at(const struct weir_conf *line);
const struct weir_directive *conf_row(const struct weir_conf *line);  /* after conf_check */
bool conf_is_off(const struct weir_conf *line);                       /* `NAME off;` of a policy */
struct conf *conf_of(const struct weir_conf *line);

/* --- values: typed by the row, after conf_check. Index past the end: 0 / empty. --- */
unsigned conf_args(const struct weir_conf *line);
struct slice conf_arg(const struct weir_conf *line, unsigned i);      /* text; NUL-terminated */
struct slice conf_arg_shown(const struct weir_conf *line, unsigned i); /* fit for views and logs: secrets are *** */
/* The same for an argument of a WEIR_D_SECRET row whose owner hides the secret part: only what came from ${env.*} and
 * ${file:} is ***. */
struct slice conf_arg_masked(const struct weir_conf *line, unsigned i);
bool conf_arg_quoted(const struct weir_conf *line, unsigned i);
/* INT SIZE DURATION BOOL; STATUS: low; WORD: which choice */
int64_t conf_int(const struct weir_conf *line, unsigned i);
int64_t conf_int_high(const struct weir_conf *line, unsigned i);      /* STATUS: high end of the range */
double conf_percent(const struct weir_conf *line, unsigned i);
void conf_rate(const struct weir_conf *line, unsigned i, uint64_t *count, nsec_t *per);
struct slice conf_opt(const struct weir_conf *line, const char *key); /* or the row's default; p NULL: neither */
int64_t conf_opt_int(const struct weir_conf *line, const char *key, int64_t otherwise);
bool conf_opt_given(const struct weir_conf *line, const char *key);
/* Does it come, in part at least, from ${env.*} or ${file:}, or is it the *** of a dump? */
bool conf_opt_secret(const struct weir_conf *line, const char *key);

/* The first argument of directive NAME in a block, or its row's default. */
int64_t conf_get_int(const struct weir_conf *block, const char *name);
struct slice conf_get_str(const struct weir_conf *block, const char *name);
double conf_get_percent(const struct weir_conf *block, const char *name);
/* The line NAME in a block, or a line made from the row's default, or NULL when there is neither: read options of
 * defaulted lines with it. One default line serves all blocks: it has no parent, and its conf_at is "default". Building
 * thread only. */
const struct weir_conf *conf_get(const struct weir_conf *block, const char *name);
/* Absolute path of a file named on this line. */
/* (A leading "file:" is cut.) */
struct slice conf_path(const struct weir_conf *line, struct slice path);
/* The same for a file whose content the configuration takes: it is noted with what it holds (files.h). Building thread
 * only. */
struct slice conf_input(const struct weir_conf *line, struct slice path);

/* --- showing --- */
/* The effective configuration with defaults; parses back to the same. Secrets as ***, files absolute (values of type
 * PATH but for words like `stdout` and other schemes than "file:"; STRING arguments that start with "file:" where their
 * name says so, as "URL|file:PATH"), included files in place. */
void conf_dump(const struct conf *c, struct strbuf *out);

enum conf_change {
    CONF_ADDED,
    CONF_REMOVED,
    CONF_CHANGED, /* another value, or one in place of the default */
    CONF_MOVED    /* the same in another order, where `ordered` says that this matters */
};
struct conf_difference {     /* strings are valid during the call only */
    enum conf_change change;
    const struct weir_conf *line; /* of the new tree; of the old one where it is not in the new */
    const char *path;        /* "host api.example.com > route /orders/ > timeout" */
    const char *was, *now;   /* the line as it stands there, secrets as ***; "" where there is none */
    const char *was_at, *now_at; /* "gateway.conf:12", "default", or "" */
    bool secret;             /* what differs is not shown */
};
struct conf_diff_events {
    void (*on_difference)(const struct conf_difference *d, void *arg);
    /* Does it matter where such a line stands among its siblings? twin: there are others of its name and identity.
     * NULL: it never does. */
    bool (*ordered)(const struct weir_conf *line, bool twin);
    void *arg;
};
/* What differs between two checked trees of the same rows in what they mean: values are compared as what they are (1m
 * is 60s), a line that is missing counts as its default, and blocks are found again by their names and patterns. In
 * the order of the new tree; of each block what was taken away comes last. The old tree is only read, so another
 * thread may read it meanwhile; the new one belongs to this thread. */
void conf_diff(const struct conf *was, struct conf *now, const struct conf_diff_events *events);

/* Text of `weir help` (all) or `weir help DIRECTIVE`; -1: no such directive (out then has suggestions). */
int conf_help(struct conf *c, const char *directive, struct strbuf *out);
/* The reference section of gateway.conf(5) in mdoc, from the rows. */
void conf_reference(struct conf *c, struct strbuf *out);

#endif
