/* script: Lua scripts by their text, with the name by which Redis keeps them (SHA-1 of the text). One table per worker
 * and store. */
#ifndef STORE_SCRIPT_H
#define STORE_SCRIPT_H

#include <stddef.h>

#define SCRIPTS_MAX 64
#define SCRIPT_TEXT_MAX (64 * 1024)

struct script {
    const char *given; /* where the caller's text was: a guess that saves the search */
    char *text;        /* owned */
    size_t n;
    char sha[41];
    unsigned refs;       /* calls under way */
    const void *loading; /* the node to which the text is under way; compared, never followed */
};

struct script_table {
    struct script *scripts[SCRIPTS_MAX];
    unsigned n, next_out;
};

/* Takes a reference. NULL: too long, or all places are taken by scripts in use. */
struct script *script_get(struct script_table *t, const char *text);
void script_put(struct script *s);
void script_table_fini(struct script_table *t);

#endif
