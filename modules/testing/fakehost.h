/*
 * fakehost: a gateway for module tests. One thread; the clock, random numbers and all that comes from outside (timers,
 * messages, fetches, store answers) move only when the test says so.
 */
#ifndef FAKEHOST_H
#define FAKEHOST_H

#include "fakeconf.h"

#include <weir/module.h>

#define FAKE_MAX 64

struct fake_header {
    char *name, *value;
};

struct fake_headers {
    struct fake_header row[FAKE_MAX];
    unsigned n;
};

/* An exchange as one policy sees it. */
struct weir_exchange {
    struct fake_headers request, response, cookies, variables, trailers;
    void *slot, *shared;
    bool tls, explaining, shadow;
    const char *claims;
    char reason[64], detail[256];  /* of the refusal */
    char note[64], note_detail[256];
    int reply_status;
    char target[128];
    char variants[256];            /* "orders-v1=95 orders-v2=5" */
    unsigned resumed;
    enum weir_body_use use[2];     /* by enum weir_body_of */
    enum weir_body_of which;       /* the body whose phase runs */
    char *body;                    /* what has passed, NUL-terminated; NULL: nothing has */
    size_t n_body;
    char *held;
    size_t n_held;
    bool wrote;
    void *memory[FAKE_MAX];
    unsigned n_memory;
};

struct fake_fetch {
    char url[256];
    weir_fetch_done done;
    void *arg;
    bool open;
};

struct fake_call {
    char store[64], key[256], args[2][64];
    const char *script;
    weir_store_done done;
    void *arg;
};

struct fakehost {
    int64_t now, wall;             /* nanoseconds */
    uint64_t random;               /* returned as it is while random_fixed, else a new number each time */
    bool random_fixed;
    unsigned worker;
    char errors[1024], warnings[1024], log[4096];
    char scope[128];
    char default_target[128];
    char unhealthy[128];           /* "a b": upstreams without an endpoint */
    char upstreams[256];           /* "a b": declared ones; empty: any */
    char stores[128];              /* likewise */
    const char *file_name;         /* what conf_file finds */
    struct weir_str file;
    struct fake_fetch fetches[FAKE_MAX];
    unsigned n_fetches;
    struct fake_call calls[FAKE_MAX];
    unsigned n_calls;
    bool refuse_calls;
};

extern struct fakehost fake;
extern struct weir_host fake_table; /* filled by fake_begin */

/* A new world, with the module loaded; the old one's leftovers are checked: every state and timer must be gone. */
void fake_begin(const struct weir_module *m);
void fake_end(void);

/* Configures the policy of this text; NULL: it was refused, fake.errors says why. */
void *fake_configure(const char *text);
void fake_release(void *config);   /* with the policy's memory */

struct weir_exchange *fake_exchange(void);
void fake_request_header(struct weir_exchange *x, const char *name, const char *value);
void fake_cookie(struct weir_exchange *x, const char *name, const char *value);
void fake_variable(struct weir_exchange *x, const char *name, const char *value);
void fake_trailer(struct weir_exchange *x, const char *name, const char *value);
void fake_response_header(struct weir_exchange *x, const char *name, const char *value);
/* Gives a piece of a body to the policy; what it lets pass is added to x->body. */
enum weir_verdict fake_body(struct weir_exchange *x, enum weir_body_of which, const void *p, size_t n, bool end);
void fake_exchange_free(struct weir_exchange *x); /* runs the module's finish first */
/* NULL: there is none. */
const char *fake_header(const struct fake_headers *h, const char *name);
unsigned fake_header_count(const struct fake_headers *h, const char *name);

/* Moves both clocks, firing timers in order of time. */
void fake_advance(int64_t ns);
void fake_run_posts(void);         /* each as its worker, until there are none */
void fake_fetch_answer(unsigned i, int status, const char *body);
/* The value of a metric, labels joined as "name{v1,v2}"; -1: no such metric. */
double fake_metric(const char *name);
/* The text of the module's view. Valid until the next call. */
const char *fake_view(void *config);

#define FAKE_SECOND INT64_C(1000000000)

#endif
