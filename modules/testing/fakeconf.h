/*
 * fakeconf: just enough of a configuration to test a module's `configure`: one policy directive with its block, read
 * from text against the module's own rows. Values are typed by the rows; the text is trusted.
 */
#ifndef FAKECONF_H
#define FAKECONF_H

#include <weir/types.h>

#define FAKECONF_ARGS 16

struct weir_conf {
    const struct weir_directive *rows, *row;
    char *words[FAKECONF_ARGS];   /* arguments */
    unsigned n_words;
    char *keys[FAKECONF_ARGS], *values[FAKECONF_ARGS]; /* options */
    unsigned n_keys;
    struct weir_conf *first, *next; /* lines of the block; the next line of the same one */
};

/* Aborts where the text does not fit the rows: the test is wrong. */
struct weir_conf *fakeconf_parse(const struct weir_directive *rows, const char *text);
void fakeconf_free(struct weir_conf *c);

const struct weir_conf *fakeconf_find(const struct weir_conf *block, const char *name);
const struct weir_conf *fakeconf_next(const struct weir_conf *line);
/* The value of a text of this type: INT, SIZE, DURATION (ns), BOOL. */
int64_t fakeconf_number(enum weir_type type, const char *text);
const struct weir_directive *fakeconf_row(const struct weir_directive *rows, const char *in, const char *name);
const struct weir_opt *fakeconf_opt_row(const struct weir_conf *line, const char *key);
const char *fakeconf_opt(const struct weir_conf *line, const char *key); /* or the row's default, or NULL */

#endif
