/* question: one command to one server over a connection of its own, off the request path; its answer as a tree. */
#ifndef STORE_QUESTION_H
#define STORE_QUESTION_H

#include "../base/arena.h"
#include "../net/conn.h"

#include <stdint.h>

#define ANSWER_BYTES_MAX (512 * 1024)
#define ANSWER_ELEMENTS_MAX 16384 /* of one array */

enum answer_type { ANSWER_TEXT, ANSWER_INTEGER, ANSWER_ARRAY, ANSWER_NIL, ANSWER_ERROR };

struct answer {
    enum answer_type type;
    struct slice text; /* TEXT, ERROR; NUL-terminated */
    int64_t value;     /* INTEGER */
    unsigned n;        /* ARRAY; no element is NULL */
    const struct answer **at;
};

struct question {
    const struct addr *to;
    const struct tls_client *tls; /* NULL: plain */
    struct slice server_name, user, password;
    const char *const *words; /* the command; NULL-terminated, at most 7 */
    nsec_t timeout;
};

struct asking;

/* Exactly once, unless cancelled: an answer other than ERROR (valid during the call), or NULL with a text. */
typedef void (*question_done)(const struct answer *a, const char *error, void *arg);
/* A password is offered first; that a server wants none is no error. What the question points to may go after this.
 * Never calls done inside. */
struct asking *question_ask(struct loop *l, const struct question *q, question_done done, void *arg);
void question_cancel(struct asking *k);

#endif
