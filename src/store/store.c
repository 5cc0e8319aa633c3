#include "store.h"
#include "../base/xalloc.h"
#include "lane.h"

#include <stdio.h>
#include <stdlib.h>

#define MASKED "***" /* of a dump that is being checked */

struct store {                 /* in the generation's arena */
    struct store_state *state; /* one use of it; NULL: from a masked URL */
    const char *name, *shown;
    nsec_t timeout;
    bool required;
    bool started;
};

/* clang-format off */
#define ARGS(...) (const struct weir_arg[]){ __VA_ARGS__, { .type = WEIR_T_NONE } }
/* clang-format on */

static void check_url(const struct weir_conf *line, void *diag);
static void check_store(const struct weir_conf *block, void *diag);

/* clang-format off */
const struct weir_directive store_rows[] = {
    { .name = "store", .in = "main", .block = "store", .flags = WEIR_D_REPEAT | WEIR_D_UNIQUE_NAME,
      .args = ARGS({ "NAME", WEIR_T_NAME }), .check = check_store,
      .help = "A Redis that policies may use by this name." },
    { .name = "url", .in = "store", .flags = WEIR_D_REQUIRED | WEIR_D_SECRET, .check = check_url,
      .args = ARGS({ "URL", WEIR_T_STRING }),
      .help = "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], rediss:// (TLS), unix:///PATH, "
              "redis+sentinel://HOST,HOST/MASTER, redis+cluster://HOST,HOST." },
    { .name = "timeout", .in = "store", .def = "5ms",
      .args = ARGS({ "TIME", WEIR_T_DURATION, NSEC_PER_MSEC, 60 * NSEC_PER_SEC }),
      .help = "How long a request waits for the store at most, waiting for the connection included." },
    { .name = "required", .in = "store", .def = "off", .args = ARGS({ "on|off", WEIR_T_BOOL }),
      .help = "Whether /ready answers 503 while the store is away." },
    { .name = "ca", .in = "store", .args = ARGS({ "FILE", WEIR_T_PATH }),
      .help = "Certificates that may sign the store's (PEM). Missing: those of the system." },
    { .name = "verify", .in = "store", .def = "on", .args = ARGS({ "on|off", WEIR_T_BOOL }),
      .help = "Whether the store's certificate is checked." },
    { .name = NULL },
};
/* clang-format on */

static bool
is_masked(struct slice url)
{
    return url.n && memmem(url.p, url.n, MASKED, sizeof(MASKED) - 1);
}

static void
check_url(const struct weir_conf *line, void *diag)
{
    const char *wrong;
    struct store_url u;
    struct arena scratch;

    if (is_masked(conf_arg(line, 0)))
        return;
    arena_init(&scratch);
    wrong = store_url_parse(conf_arg(line, 0), &scratch, &u);
    if (wrong)
        conf_error(line, 0, "%s", wrong);
    arena_fini(&scratch);
}

static void
check_store(const struct weir_conf *block, void *diag)
{
    const struct weir_conf *url = conf_find(block, "url"), *ca = conf_find(block, "ca"),
                           *verify = conf_find(block, "verify");
    struct store_url u;
    struct arena scratch;

    if (!url || is_masked(conf_arg(url, 0)))
        return;
    arena_init(&scratch);
    if (!store_url_parse(conf_arg(url, 0), &scratch, &u) && !u.tls) {
        /* No errors: the environment may give the same file a URL with TLS elsewhere. */
        if (ca)
            conf_warning(ca, -1,
                         "ca has no effect: this store's url is not one with TLS\nrediss:// is redis:// over TLS");
        if (verify && !conf_get_int(block, "verify"))
            conf_warning(verify, -1, "verify has no effect: this store's url is not one with TLS");
    }
    arena_fini(&scratch);
}

/* ------------------------------------------------------------------ life */

struct store *
store_build(const struct weir_conf *block, struct arena *arena)
{
    const struct weir_conf *url = conf_find(block, "url"), *ca = conf_find(block, "ca");
    struct state_settings settings = { .name = conf_arg(block, 0), .verify = conf_get_int(block, "verify") != 0 };
    struct store *s = arena_zalloc(arena, sizeof(*s));
    struct err e = { 0 };

    if (!url)
        return NULL; /* reported: it is required */
    s->name = arena_slice(arena, settings.name).p;
    s->timeout = conf_get_int(block, "timeout");
    s->required = conf_get_int(block, "required") != 0;
    s->shown = store_url_mask(conf_arg_masked(url, 0), arena);
    settings.url = conf_arg(url, 0);
    if (is_masked(settings.url))
        return s;
    if (ca)
        settings.ca = arena_slice(arena, conf_input(ca, conf_arg(ca, 0)));
    s->state = store_state_get(&settings, &e);
    if (!s->state) {
        conf_error(ca ? ca : url, -1, "%s", e.text);
        return NULL;
    }
    atomic_store_explicit(&s->state->timeout, s->timeout, memory_order_relaxed);
    return s;
}

void
store_start(struct store *s, struct resolver *r)
{
    if (!s->state || s->started)
        return;
    s->started = true;
    state_start(s->state, r);
}

void
store_stop(struct store *s)
{
    if (!s->started)
        return;
    s->started = false;
    state_stop(s->state);
}

void
store_free(struct store *s)
{
    if (s->state)
        state_release(s->state);
    s->state = NULL;
}

/* ------------------------------------------------------------------ views */

const char *
store_name(const struct store *s)
{
    return s->name;
}

const char *
store_url_shown(const struct store *s)
{
    return s->shown;
}

bool
store_same_state(const struct store *a, const struct store *b)
{
    return a->state && a->state == b->state;
}

bool
store_required(const struct store *s)
{
    return s->required;
}

const char *
store_state(const struct store *s, double *latency_ms)
{
    nsec_t latency = -1;
    enum lane_status status = s->state ? state_status(s->state, &latency) : LANE_NONE;

    *latency_ms = latency < 0 ? -1 : (double)latency / NSEC_PER_MSEC;
    return status == LANE_UP ? "up" : status == LANE_DOWN ? "down" : "connecting";
}

/* ------------------------------------------------------------------ calls */

struct store_call *
store_eval(struct store *s, const char *script, struct slice key, const struct slice *args, unsigned n,
           weir_store_done done, void *arg)
{
    const struct lane_ask ask = { script, key, args, n, s->timeout, done, arg };
    struct lane *l = s->state ? state_lane(s->state) : NULL;

    return l ? lane_eval(l, &ask) : NULL;
}

void
store_cancel(struct store_call *c)
{
    lane_cancel(c);
}
