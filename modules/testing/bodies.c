/*
 * bodies: a module for tests, whose policies do to bodies what their block says:
 *
 *     bodies_a { request upper; response whole; }
 *
 * tests/unit/policy and tests/system build it.
 */
#include <ctype.h>
#include <string.h>
#include <weir/module.h>

static const struct weir_host *host;

struct action;
struct config {
    const struct action *actions[2]; /* by enum weir_body_of; NULL: none */
};

static enum weir_verdict
look(struct weir_exchange *x, const struct weir_body *b)
{
    return WEIR_CONTINUE;
}

static enum weir_verdict
upper(struct weir_exchange *x, const struct weir_body *b)
{
    host->body_write(x, (struct weir_str){ "", 0 });
    for (size_t i = 0; i < b->piece.n; i++) {
        char c = (char)toupper((unsigned char)b->piece.p[i]);

        host->body_write(x, (struct weir_str){ &c, 1 });
    }
    return WEIR_CONTINUE;
}

static enum weir_verdict
brackets(struct weir_exchange *x, const struct weir_body *b)
{
    host->body_write(x, (struct weir_str){ "[", 1 });
    host->body_write(x, b->piece);
    host->body_write(x, (struct weir_str){ b->end ? ".]" : "]", b->end ? 2 : 1 });
    return WEIR_CONTINUE;
}

/* Nothing passes before all is there. */
static enum weir_verdict
whole(struct weir_exchange *x, const struct weir_body *b)
{
    if (!b->end)
        host->body_hold(x, b->piece.n);
    return WEIR_CONTINUE;
}

/* Lines pass, in brackets; what is no line yet is held. */
static enum weir_verdict
lines(struct weir_exchange *x, const struct weir_body *b)
{
    const char *p = b->piece.p, *end = p + b->piece.n, *stop;

    host->body_write(x, (struct weir_str){ "", 0 });
    while (p < end && ((stop = memchr(p, '\n', (size_t)(end - p))) || b->end)) {
        stop = stop ? stop : end;
        host->body_write(x, (struct weir_str){ "<", 1 });
        host->body_write(x, (struct weir_str){ p, (size_t)(stop - p) });
        host->body_write(x, (struct weir_str){ ">", 1 });
        p = stop < end ? stop + 1 : end;
    }
    host->body_hold(x, (size_t)(end - p));
    return WEIR_CONTINUE;
}

static enum weir_verdict
last_byte(struct weir_exchange *x, const struct weir_body *b)
{
    if (b->piece.n && !b->end)
        host->body_hold(x, 1);
    return WEIR_CONTINUE;
}

static enum weir_verdict
for_ever(struct weir_exchange *x, const struct weir_body *b)
{
    host->body_hold(x, b->piece.n);
    return WEIR_CONTINUE;
}

static enum weir_verdict
more_than_all(struct weir_exchange *x, const struct weir_body *b)
{
    host->body_hold(x, b->piece.n + 1);
    return WEIR_CONTINUE;
}

static enum weir_verdict
refuse(struct weir_exchange *x, const struct weir_body *b)
{
    if (memchr(b->piece.p, 'X', b->piece.n))
        return host->refuse(x, "bodies_refused", "there is an X in it");
    return WEIR_CONTINUE;
}

static enum weir_verdict
reply(struct weir_exchange *x, const struct weir_body *b)
{
    return host->reply(x, 418, (struct weir_str){ "text/plain", 10 }, b->piece);
}

static enum weir_verdict
unannounced(struct weir_exchange *x, const struct weir_body *b)
{
    host->body_write(x, b->piece);
    return WEIR_CONTINUE;
}

static enum weir_verdict
flood(struct weir_exchange *x, const struct weir_body *b)
{
    for (int i = 0; i < 3000; i++)
        host->body_write(x, (struct weir_str){ "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                                               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                                               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                                               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                                               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                                               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                                               384 });
    return WEIR_CONTINUE;
}

/* Eight times as much. */
static enum weir_verdict
expand(struct weir_exchange *x, const struct weir_body *b)
{
    host->body_write(x, (struct weir_str){ "", 0 });
    for (int i = 0; i < 8; i++)
        host->body_write(x, b->piece);
    return WEIR_CONTINUE;
}

static enum weir_verdict
suspend(struct weir_exchange *x, const struct weir_body *b)
{
    return WEIR_SUSPENDED;
}

static enum weir_verdict
fail(struct weir_exchange *x, const struct weir_body *b)
{
    return WEIR_FAILED;
}

/* The trailers become the end of the body, and there is another one in their place. */
static enum weir_verdict
trailers(struct weir_exchange *x, const struct weir_body *b)
{
    struct weir_str name, value;

    if (!b->end)
        return WEIR_CONTINUE;
    host->body_write(x, b->piece);
    for (unsigned i = 0; host->trailer(x, i, &name, &value); i++) {
        host->body_write(x, name);
        host->body_write(x, (struct weir_str){ "=", 1 });
        host->body_write(x, value);
        host->body_write(x, (struct weir_str){ ";", 1 });
    }
    host->trailer_remove(x, NULL);
    host->trailer_add(x, "x-moved", (struct weir_str){ "yes", 3 });
    host->trailer_add(x, "content-length", (struct weir_str){ "1", 1 });
    return WEIR_CONTINUE;
}

static const struct action {
    const char *name;
    enum weir_verdict (*run)(struct weir_exchange *x, const struct weir_body *b);
    enum weir_body_use use;
} table[] = {
    { "look", look, WEIR_BODY_LOOK },
    { "skip", fail, WEIR_BODY_SKIP },
    { "upper", upper, WEIR_BODY_CHANGE },
    { "brackets", brackets, WEIR_BODY_CHANGE },
    { "whole", whole, WEIR_BODY_LOOK },
    { "lines", lines, WEIR_BODY_CHANGE },
    { "last_byte", last_byte, WEIR_BODY_LOOK },
    { "for_ever", for_ever, WEIR_BODY_LOOK },
    { "more_than_all", more_than_all, WEIR_BODY_LOOK },
    { "refuse", refuse, WEIR_BODY_LOOK },
    { "reply", reply, WEIR_BODY_LOOK },
    { "unannounced", unannounced, WEIR_BODY_LOOK },
    { "flood", flood, WEIR_BODY_CHANGE },
    { "expand", expand, WEIR_BODY_CHANGE },
    { "suspend", suspend, WEIR_BODY_LOOK },
    { "fail", fail, WEIR_BODY_LOOK },
    { "trailers", trailers, WEIR_BODY_CHANGE },
};

static const struct action *
find(const struct weir_conf *block, const char *directive)
{
    struct weir_str name = host->conf_get_str(block, directive);

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (strlen(table[i].name) == name.n && memcmp(table[i].name, name.p, name.n) == 0)
            return &table[i];
    return NULL;
}

static int
load(const struct weir_host *h, const char **error)
{
    host = h;
    return 0;
}

static int
configure(struct weir_policy *p, const struct weir_conf *block, void **config)
{
    struct config *c = host->alloc(p, sizeof(*c));

    c->actions[WEIR_BODY_REQUEST] = find(block, "request");
    c->actions[WEIR_BODY_RESPONSE] = find(block, "response");
    *config = c;
    return 0;
}

static void
announce(struct weir_exchange *x, const struct config *c, enum weir_body_of of)
{
    host->body_use(x, of, c->actions[of] ? c->actions[of]->use : WEIR_BODY_SKIP);
}

static enum weir_verdict
attempt(struct weir_exchange *x, void *config)
{
    announce(x, config, WEIR_BODY_REQUEST);
    return WEIR_CONTINUE;
}

static void
response(struct weir_exchange *x, void *config)
{
    announce(x, config, WEIR_BODY_RESPONSE);
}

static enum weir_verdict
request_body(struct weir_exchange *x, void *config, const struct weir_body *body)
{
    const struct config *c = config;

    return c->actions[WEIR_BODY_REQUEST]->run(x, body);
}

static enum weir_verdict
response_body(struct weir_exchange *x, void *config, const struct weir_body *body)
{
    const struct config *c = config;

    return c->actions[WEIR_BODY_RESPONSE]->run(x, body);
}

#define POLICY(name_)                                                                                                  \
    {                                                                                                                  \
        name_, "main host route policy upstream", .block = "bodies", .flags = WEIR_D_POLICY, .help = "a test"          \
    }

static const struct weir_arg action_args[] = { { "ACTION", WEIR_T_STRING }, { NULL } };
static const struct weir_directive rows[] = {
    POLICY("bodies_a"),
    POLICY("bodies_b"),
    { "request", "bodies", action_args, .def = "-", .help = "what is done to the body of a request" },
    { "response", "bodies", action_args, .def = "-", .help = "what is done to the body of an answer" },
    { NULL },
};

static const struct weir_reason reasons[] = { { "bodies_refused", 422, "There is an X in it", NULL }, { NULL } };

WEIR_MODULE = {
    WEIR_MODULE_ABI,
    .name = "bodies",
    .version = "1.0",
    .summary = "a test",
    .directives = rows,
    .reasons = reasons,
    .load = load,
    .configure = configure,
    .attempt = attempt,
    .response = response,
    .request_body = request_body,
    .response_body = response_body,
};
