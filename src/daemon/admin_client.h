/* admin_client: what the commands that talk to the running daemon share: their options, and one request. */
#ifndef DAEMON_ADMIN_CLIENT_H
#define DAEMON_ADMIN_CLIENT_H

#include "command.h"

#include <jansson.h>
#include <stdbool.h>

#define ADMIN_WORD_JSON 1u  /* --json */
#define ADMIN_WORD_DRY 2u   /* --dry */
#define ADMIN_WORD_WATCH 4u /* --watch[=SECONDS] */

struct admin_words {
    const char *address;   /* NULL: where the shipped configuration puts the admin listener */
    unsigned given;        /* ADMIN_WORD_* */
    double every;          /* seconds, with ADMIN_WORD_WATCH */
};

/* Reads the options, of which `allowed` are known beside --admin. EXIT_GOOD, or EXIT_USAGE after saying why. */
int admin_words_read(const struct command *self, int argc, char **argv, unsigned allowed, struct admin_words *w);
/* The JSON of an answer, NULL where it is none; json_decref it. *status: -1 when nobody answered, which is said on
 * stderr. */
json_t *admin_ask(const struct command *self, const struct admin_words *w, const char *method, const char *path,
                  int *status);
/* A member's text; "" where it has none. */
const char *admin_text(json_t *o, const char *name);
long long admin_number(json_t *o, const char *name);
bool admin_true(json_t *o, const char *name);

#endif
