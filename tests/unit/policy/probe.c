/* A module whose policies do what their block says, and write down every call. */
#include "probe.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct weir_host *host;

struct config {
    const char *name;
    struct probe_log *log;
    struct weir_state *hold;
    char *request, *attempt, *respond, *target, *header, *value, *note;
    const struct weir_template *key;
    const struct weir_str *file;
};

static struct weir_str
str(const char *s)
{
    return (struct weir_str){ s, strlen(s) };
}

static void
say(const struct config *c, const char *what)
{
    c->log->n += (size_t)snprintf(c->log->text + c->log->n, sizeof(c->log->text) - c->log->n, "%s%s.%s",
                                  c->log->n ? " " : "", c->name, what);
}

static char *
text(struct weir_policy *p, const struct weir_conf *block, const char *name, unsigned i)
{
    const struct weir_conf *line = host->conf_find(block, name);
    struct weir_str s;
    char *copy;

    if (!line || i >= host->conf_args(line))
        return NULL;
    s = host->conf_arg(line, i);
    copy = host->alloc(p, s.n + 1);
    memcpy(copy, s.p, s.n);
    return copy;
}

static int
load(const struct weir_host *table, const char **error)
{
    host = table;
    return 0;
}

static int
configure_as(struct weir_policy *p, const struct weir_conf *block, void **config, const char *name)
{
    struct config *c = host->alloc(p, sizeof(*c));
    const struct weir_conf *line;

    c->name = name;
    c->request = text(p, block, "request", 0);
    c->attempt = text(p, block, "attempt", 0);
    c->respond = text(p, block, "respond", 0);
    c->target = text(p, block, "target", 0);
    c->header = text(p, block, "header", 0);
    c->value = text(p, block, "header", 1);
    c->note = text(p, block, "note", 0);
    line = host->conf_find(block, "key");
    if (line && !(c->key = host->conf_template(p, line, 0)))
        return -1;
    line = host->conf_find(block, "file");
    if (line && !(c->file = host->conf_file(p, line, host->conf_arg(line, 0))))
        return -1;
    if (c->target && strcmp(c->target, "default") == 0)
        host->policy_default_target(p, str("fallback"));
    else if (c->target && !host->upstream_exists(p, str(c->target)))
        host->conf_error(host->conf_find(block, "target"), 0, "there is no upstream %s", c->target);
    if (c->request && strcmp(c->request, "unconfigurable") == 0)
        return -1;
    c->hold = host->state_get("probe", sizeof(struct probe_log), NULL, NULL);
    c->log = host->state_data(c->hold);
    c->log->configured++;
    snprintf(c->log->scope, sizeof(c->log->scope), "%.*s", (int)host->policy_scope(p).n, host->policy_scope(p).p);
    *config = c;
    return 0;
}

static int
configure(struct weir_policy *p, const struct weir_conf *block, void **config)
{
    struct weir_str name = host->conf_get_str(block, "name");
    char *copy = host->alloc(p, name.n + 1);

    memcpy(copy, name.p, name.n);
    return configure_as(p, block, config, copy);
}

static void
start(void *config)
{
    struct config *c = config;

    c->log->started++;
}

static bool
warm(void *config)
{
    struct config *c = config;

    c->log->warmed++;
    return c->log->cold == 0 || c->log->cold-- == 0;
}

static void
release(void *config)
{
    struct config *c = config;

    c->log->released++;
    host->state_put(c->hold);
}

static void
on_reply(const struct weir_store_reply *reply, void *arg)
{
    struct config *c = arg;

    c->log->replies++;
    say(c, reply->error ? reply->error : "reply");
    if (c->log->parked)
        host->resume(c->log->parked);
}

/* How often its request phase was called is kept in the exchange's slot. */
static enum weir_verdict
suspend_once(struct weir_exchange *x, struct config *c)
{
    int **slot = (int **)host->exchange_slot(x);

    if (!*slot) {
        *slot = host->exchange_alloc(x, sizeof(int));
        c->log->parked = x;
        if (c->log->resume_early)
            host->resume(x);
        if (strcmp(c->request, "store") == 0) {
            struct weir_str arg = str("1");
            host->store_eval(x, str("main"), "return {1}", str("k"), &arg, 1, on_reply, c);
        }
        return WEIR_SUSPENDED;
    }
    c->log->parked = NULL;
    ++**slot;
    return WEIR_CONTINUE;
}

static void
burn(void)
{
    struct timespec a, b;

    clock_gettime(CLOCK_MONOTONIC, &a);
    do
        clock_gettime(CLOCK_MONOTONIC, &b);
    while ((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec < 80000000L);
}

static enum weir_verdict
act(struct weir_exchange *x, struct config *c, const char *action)
{
    if (!action)
        return WEIR_CONTINUE;
    if (strcmp(action, "refuse") == 0) {
        enum weir_verdict v = host->refuse(x, "probe_refused", "because %d", 42);
        host->response_header_set(x, "X-Refused", str("yes"));
        return v;
    }
    if (strcmp(action, "refuse_and_continue") == 0) {
        host->refuse(x, "probe_refused", NULL);
        return WEIR_CONTINUE;
    }
    if (strcmp(action, "refuse_unknown") == 0)
        return host->refuse(x, "never_heard_of", NULL);
    if (strcmp(action, "refuse_silently") == 0)
        return WEIR_REFUSED;
    if (strcmp(action, "fail") == 0)
        return WEIR_FAILED;
    if (strcmp(action, "reply") == 0)
        return host->reply(x, 302, str("text/plain"), str("go there"));
    if (strcmp(action, "reply_bad") == 0)
        return host->reply(x, 99, str("text/plain"), str(""));
    if (strcmp(action, "suspend") == 0 || strcmp(action, "store") == 0)
        return suspend_once(x, c);
    if (strcmp(action, "slow") == 0)
        burn();
    return WEIR_CONTINUE;
}

static enum weir_verdict
request(struct weir_exchange *x, void *config)
{
    struct config *c = config;
    char unclean[] = "a\r\nSet-Cookie: evil";

    say(c, "request");
    *host->exchange_shared(x) = config;
    if (c->note)
        host->note(x, "noted", "%s", c->note);
    if (c->header) {
        host->request_header_set(x, c->header, strcmp(c->value, "unclean") == 0 ? str(unclean) : str(c->value));
        host->response_header_set(x, c->header, strcmp(c->value, "unclean") == 0 ? str(unclean) : str(c->value));
    }
    return act(x, c, c->request);
}

static enum weir_verdict
target(struct weir_exchange *x, void *config)
{
    struct config *c = config;

    if (!c->target)
        return WEIR_CONTINUE;
    say(c, "target");
    if (strcmp(c->target, "default") != 0)
        host->set_target(x, str(c->target));
    host->explain_variant(x, str(c->target), 100);
    return WEIR_CONTINUE;
}

static enum weir_verdict
attempt(struct weir_exchange *x, void *config)
{
    struct config *c = config;

    say(c, "attempt");
    return act(x, c, c->attempt);
}

static void
outcome(struct weir_exchange *x, void *config, const struct weir_outcome *o)
{
    say(config, o->result == WEIR_RESULT_CANCELLED ? "outcome_cancelled" : "outcome");
}

static void
response(struct weir_exchange *x, void *config)
{
    struct config *c = config;

    say(c, "response");
    if (c->respond)
        host->response_header_add(x, "X-Seen", str(c->respond));
    if (c->respond && strcmp(c->respond, "late_refusal") == 0)
        host->refuse(x, "probe_refused", NULL);
}

static void
finish(struct weir_exchange *x, void *config)
{
    say(config, "finish");
}

static void
cancel(struct weir_exchange *x, void *config)
{
    struct config *c = config;

    say(c, "cancel");
    c->log->parked = NULL;
}

static struct weir_str
get_probe(struct weir_exchange *x, void *shared, struct weir_str rest)
{
    const struct config *c = shared;

    if (!c)
        return (struct weir_str){ NULL, 0 };
    return rest.n == 4 && memcmp(rest.p, "name", 4) == 0 ? str(c->name) : rest;
}

static const struct weir_arg word_args[] = { { "WORD", WEIR_T_STRING }, { NULL } };
static const struct weir_arg pair_args[] = { { "NAME", WEIR_T_STRING }, { "VALUE", WEIR_T_STRING }, { NULL } };
static const struct weir_arg key_args[] = { { "KEY", WEIR_T_TEMPLATE }, { NULL } };
static const struct weir_arg path_args[] = { { "FILE", WEIR_T_PATH }, { NULL } };

#define PROBE(n)                                                                                                       \
    {                                                                                                                  \
        n, "main host route policy upstream", .block = "probe", .flags = WEIR_D_POLICY | WEIR_D_BLOCK_OPTIONAL,        \
                                              .help = "test"                                                           \
    }

static const struct weir_directive rows[] = {
    PROBE("probe_a"),
    PROBE("probe_b"),
    PROBE("probe_c"),
    { "name", "probe", word_args, .def = "-", .help = "test" },
    { "request", "probe", word_args, .help = "test" },
    { "attempt", "probe", word_args, .help = "test" },
    { "respond", "probe", word_args, .help = "test" },
    { "target", "probe", word_args, .help = "test" },
    { "note", "probe", word_args, .help = "test" },
    { "header", "probe", pair_args, .help = "test" },
    { "key", "probe", key_args, .help = "test" },
    { "file", "probe", path_args, .help = "test" },
    { NULL },
};

static const struct weir_reason reasons[] = { { "probe_refused", 418, "The probe says no", NULL }, { NULL } };
static const struct weir_variable variables[] = { { "probe.", "test", get_probe }, { NULL } };

WEIR_MODULE = {
    WEIR_MODULE_ABI,      .name = "probe",        .version = "1.0", .summary = "test",      .directives = rows,
    .reasons = reasons,   .variables = variables, .load = load,     .configure = configure, .start = start,
    .release = release,   .request = request,     .target = target, .attempt = attempt,     .outcome = outcome,
    .response = response, .finish = finish,       .cancel = cancel, .warm = warm,
};
