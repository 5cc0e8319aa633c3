/*
 * weir module ABI. A policy module is one shared object that exports one symbol: `const struct weir_module
 * weir_module`. It includes only <weir/...> headers and those of libraries of its own, and reaches the gateway only
 * through the host table.
 *
 * Threads. load and configure run on the thread that builds a generation (one at a time). Phases run on worker threads:
 * one exchange is always handled by the same worker, different exchanges of one policy by different workers at the same
 * time. Shared state must therefore be immutable, atomic or locked for a few instructions; nothing may block.
 *
 * Errors. A function that can fail says so; the others cannot.
 *
 * Versions. A module of the same major and of the same or an older minor version is loaded as it is; one that is newer
 * than weir is refused. So a module may use all that its own headers declare, and need not look at the `size` of what
 * the host gives. Within a major version structs grow at their end only, and nothing changes its meaning.
 *
 * Change history:
 *   1.0  the first.
 *   1.1  weir_host has `metric_put`; weir_outcome has `delivered`.
 *   1.2  weir_module has `warm`.
 *   1.3  weir_module has `request_body` and `response_body`; weir_host has `body_use`, `body_write`, `body_hold`,
 *        `trailer`, `trailer_add` and `trailer_remove`; `request_header_set` takes "TE: trailers".
 */
#ifndef WEIR_MODULE_H
#define WEIR_MODULE_H

#include <stdarg.h>
#include <weir/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_ABI_MAJOR 1
#define WEIR_ABI_MINOR 3

/* One request and its response, as this policy sees it. Valid in phases only; a module that keeps one across a
 * suspension drops it in `cancel` or when its phase is called again. */
struct weir_exchange;
struct weir_policy;    /* one use of a module in one place of the file, in one generation */
struct weir_template;  /* compiled text with variables; lives as long as the policy */
struct weir_state;     /* keyed run-time state that outlives generations */
struct weir_timer;
struct weir_call;      /* a store command or fetch under way */
struct weir_metric;

/* ---- what the host gives ---- */

struct weir_fetch_request {     /* an HTTP(S) GET or POST made by the host, with certificate checks */
    size_t size;                /* sizeof this struct */
    const char *url;
    const char *method;         /* NULL: GET */
    struct weir_str body;
    int64_t timeout_ns;         /* > 0, for all of it */
    size_t max_body;            /* bytes; a longer one is an error */
};
struct weir_fetch_response {
    int status;                 /* 0: it failed, `error` says why */
    const char *error;
    struct weir_str body, content_type;
    int64_t max_age_s;          /* of Cache-Control; -1: not given */
};
typedef void (*weir_fetch_done)(const struct weir_fetch_response *res, void *arg);

struct weir_store_reply {       /* of one script run */
    const char *error;          /* NULL: good. "timeout", "unavailable", or the server's text */
    const int64_t *ints;        /* an array of integers as the script returned it */
    unsigned n;
};
typedef void (*weir_store_done)(const struct weir_store_reply *reply, void *arg);

/* Append-only; `size` tells a module what this host has. Strings given to the host are copied unless said otherwise. */
struct weir_host {
    size_t size;
    uint32_t abi_major, abi_minor;

    /* --- configuration; in configure only. Lines and values live as long as the generation. --- */
    /* The first directive NAME in a block, or NULL when it is missing (conf_get_* know defaults). */
    const struct weir_conf *(*conf_find)(const struct weir_conf *block, const char *name);
    /* The next of the same name in the same block. */
    const struct weir_conf *(*conf_next)(const struct weir_conf *line);
    unsigned (*conf_args)(const struct weir_conf *line);                      /* how many arguments */
    struct weir_str (*conf_arg)(const struct weir_conf *line, unsigned i);    /* as text */
    /* Argument i of a line, of type INT, SIZE, DURATION (ns), BOOL (0/1) or STATUS (the lower end of a range). */
    int64_t (*conf_int)(const struct weir_conf *line, unsigned i);
    double (*conf_percent)(const struct weir_conf *line, unsigned i);
    void (*conf_rate)(const struct weir_conf *line, unsigned i, uint64_t *count, int64_t *per_ns);
    /* Argument 0 of directive NAME in the block, or its row's default. */
    int64_t (*conf_get_int)(const struct weir_conf *block, const char *name);
    struct weir_str (*conf_get_str)(const struct weir_conf *block, const char *name);
    /* Option KEY of a line, or its row's default; n == 0 and p == NULL when there is neither. */
    struct weir_str (*conf_opt)(const struct weir_conf *line, const char *key);
    int64_t (*conf_opt_int)(const struct weir_conf *line, const char *key, int64_t otherwise);
    /* "gateway.conf:12" */
    const char *(*conf_at)(const struct weir_conf *line);
    /* Reports an error at argument `arg` of the line (-1: its name). The load fails, and goes on to find others. */
    void (*conf_error)(const struct weir_conf *line, int arg, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
    void (*conf_warning)(const struct weir_conf *line, int arg, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
    /* Compiles argument i (type TEMPLATE). NULL after an error that has been reported. */
    const struct weir_template *(*conf_template)(struct weir_policy *p, const struct weir_conf *line, unsigned i);
    const struct weir_template *(*template_compile)(struct weir_policy *p, const char *text,
                                                    const struct weir_conf *at);
    /* The whole content of a file named relative to the configuration; NULL after an error that has been reported. In
     * the policy's memory. At most 1 MiB. */
    const struct weir_str *(*conf_file)(struct weir_policy *p, const struct weir_conf *line, struct weir_str path);

    /* --- the policy --- */
    void *(*alloc)(struct weir_policy *p, size_t size);            /* zeroed; lives as long as the policy */
    /* Where it is written: route name, host, policy name, upstream name, "top". */
    struct weir_str (*policy_scope)(const struct weir_policy *p);
    const char *(*policy_at)(const struct weir_policy *p);
    /* In configure: is it declared in this file? */
    bool (*upstream_exists)(struct weir_policy *p, struct weir_str name);
    bool (*store_exists)(struct weir_policy *p, struct weir_str name);
    /* Names the upstream used where this policy is off, in shadow, or not for this exchange. For target policies, in
     * configure. */
    void (*policy_default_target)(struct weir_policy *p, struct weir_str upstream);

    /* --- keyed run-time state --- */
    /* The same key gives the same memory, over reloads, while anyone holds it, and for 60 s after. size bytes, zeroed,
     * then init(memory) for a new one (under a lock: keep it short). fini(memory) at its end. Any thread. */
    struct weir_state *(*state_get)(const char *key, size_t size, void (*init)(void *), void (*fini)(void *));
    void *(*state_data)(struct weir_state *s);
    void (*state_hold)(struct weir_state *s);                      /* one more reference */
    /* One reference less; configure's must be put in release. */
    void (*state_put)(struct weir_state *s);

    /* --- the exchange --- */
    struct weir_str (*request_method)(struct weir_exchange *x);
    struct weir_str (*request_path)(struct weir_exchange *x);
    /* The i-th of that name; p NULL: none. */
    struct weir_str (*request_header)(struct weir_exchange *x, const char *name, unsigned i);
    /* What the origin is sent. A value with control bytes is refused, and so are the fields that frame a message or
     * belong to a connection; but a policy that wants the answer's trailers may set TE to "trailers" (since 1.3). */
    void (*request_header_set)(struct weir_exchange *x, const char *name, struct weir_str value);
    void (*request_header_add)(struct weir_exchange *x, const char *name, struct weir_str value);
    void (*request_header_remove)(struct weir_exchange *x, const char *name);
    struct weir_str (*cookie)(struct weir_exchange *x, const char *name);
    int (*response_status)(struct weir_exchange *x);               /* 0 before there is a response */
    struct weir_str (*response_header)(struct weir_exchange *x, const char *name, unsigned i);
    /* On the response to the client, whoever makes it; may be called from the request phase on. */
    void (*response_header_set)(struct weir_exchange *x, const char *name, struct weir_str value);
    void (*response_header_add)(struct weir_exchange *x, const char *name, struct weir_str value);
    void (*response_header_remove)(struct weir_exchange *x, const char *name);
    /* The text of a template or one variable ("client.ip"); valid while the exchange lives. */
    struct weir_str (*template_text)(struct weir_exchange *x, const struct weir_template *t);
    struct weir_str (*variable)(struct weir_exchange *x, const char *name);
    void *(*exchange_alloc)(struct weir_exchange *x, size_t size); /* zeroed; lives as long as the exchange */
    /* This policy's own pointer in this exchange; NULL at first. */
    void **(*exchange_slot)(struct weir_exchange *x);
    /* Its module-wide pointer, shared by all policies of this module in the exchange: what variables read. */
    void **(*exchange_shared)(struct weir_exchange *x);
    bool (*client_is_tls)(struct weir_exchange *x);
    /* No traffic may be sent, no state changed: `weir explain` and test blocks. */
    bool (*explaining)(struct weir_exchange *x);
    struct weir_str (*explain_claims)(struct weir_exchange *x);    /* JSON of a `test` block's `claims`; p NULL: none */

    /* --- verdicts --- */
    /* Ends the exchange with a reason of the module's table (or of the core's). detail: for the record and the problem
     * document; never secrets. Returns WEIR_REFUSED, or WEIR_CONTINUE in shadow mode (recorded and counted, not
     * applied): return what it returns. */
    enum weir_verdict (*refuse)(struct weir_exchange *x, const char *reason, const char *detail_fmt, ...)
        __attribute__((format(printf, 3, 4)));
    enum weir_verdict (*reply)(struct weir_exchange *x, int status, struct weir_str content_type, struct weir_str body);
    /* Reason and detail of this policy's row when it passes. reason: static text, or NULL. */
    void (*note)(struct weir_exchange *x, const char *reason, const char *detail_fmt, ...)
        __attribute__((format(printf, 3, 4)));
    void (*set_target)(struct weir_exchange *x, struct weir_str upstream);
    /* For explain: one of the possible targets with its share in percent, where the choice is random. */
    void (*explain_variant)(struct weir_exchange *x, struct weir_str upstream, double share);
    /* Has it an endpoint that may be picked now? */
    bool (*upstream_healthy)(struct weir_exchange *x, struct weir_str upstream);
    /* Continues a suspended exchange: its phase is called again, at the end of this turn. On the exchange's worker
     * only. */
    void (*resume)(struct weir_exchange *x);

    /* --- clock, random, hash --- */
    int64_t (*now)(void);          /* monotonic nanoseconds, of this loop turn */
    int64_t (*wall)(void);         /* nanoseconds since the epoch */
    uint64_t (*random)(void);
    void (*random_bytes)(void *p, size_t n);
    uint64_t (*hash)(struct weir_str s); /* stable over processes and versions */

    /* --- log (operator's; subject is the policy) and metrics --- */
    /* level: 0 error, 1 warning, 2 notice, 3 info, 4 debug. */
    void (*log)(int level, const char *subject, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
    /* Counter ("c"), gauge ("g"). Labels: n names and values. Same name and values: same metric. From configure on
     * (there are none yet in load), and not on the request path. */
    struct weir_metric *(*metric)(char kind, const char *name, const char *help, const char *const *labels,
                                  const struct weir_str *values, unsigned n);
    void (*metric_add)(struct weir_metric *m, int64_t n);
    void (*metric_set)(struct weir_metric *m, double v);

    /* --- threads: worker 0 is the service loop, 1..n proxy workers --- */
    unsigned (*worker)(void);                                       /* the one this runs on */
    void (*post)(unsigned worker, void (*fn)(void *), void *arg);   /* runs fn(arg) there; any thread */
    struct weir_timer *(*timer_after)(int64_t ns, void (*fn)(void *), void *arg); /* once, on this worker's loop */
    void (*timer_cancel)(struct weir_timer *t);                     /* before it has fired; on the same worker */

    /* --- the world --- */
    /* Both on the calling worker's loop: done comes later, never inside the call, exactly once unless cancelled. */
    struct weir_call *(*fetch)(const struct weir_fetch_request *req, weir_fetch_done done, void *arg);
    void (*fetch_cancel)(struct weir_call *c);
    /* Runs a Lua script (EVALSHA, loaded on demand) with one key and up to 8 arguments on a named store. All calls of a
     * loop turn go out in one write. done() comes within the store's timeout, also when it is down. The call dies
     * silently with its exchange. NULL: it cannot be sent (no such store, too many under way, `explaining`): done will
     * not be called. */
    struct weir_call *(*store_eval)(struct weir_exchange *x, struct weir_str store, const char *script,
                                    struct weir_str key, const struct weir_str *args, unsigned n, weir_store_done done,
                                    void *arg);

    /* Since 1.1. As often as `metric` returned it: when nobody is left its series go. For metrics that carry the name
     * of a policy or of another thing that a reload may take away; NULL is allowed. */
    void (*metric_put)(struct weir_metric *m);

    /* --- bodies, since 1.3; see request_body and response_body --- */
    /* What this policy does with a body of this exchange: WEIR_BODY_LOOK unless it says otherwise, for which the
     * request, target and attempt phases are the time, and for the answer's body also the response phase. */
    void (*body_use)(struct weir_exchange *x, enum weir_body_of which, enum weir_body_use use);
    /* The three of a body phase. These bytes go on in place of the piece, or of that part of it which is not held; any
     * number of times, and with n == 0 to take it away. At most 1 MiB in one call of the phase. */
    void (*body_write)(struct weir_exchange *x, struct weir_str bytes);
    /* The last n bytes of the piece come once more, in front of the next ones. */
    void (*body_hold)(struct weir_exchange *x, size_t n);
    /* The i-th trailer of the message, complete when `end` is set. false: there are no more. Valid until the phase
     * returns or changes one. */
    bool (*trailer)(struct weir_exchange *x, unsigned i, struct weir_str *name, struct weir_str *value);
    /* Where `end` is set. They reach the receiver where its protocol has trailers: HTTP/2, or chunks of HTTP/1.1. */
    void (*trailer_add)(struct weir_exchange *x, const char *name, struct weir_str value);
    void (*trailer_remove)(struct weir_exchange *x, const char *name); /* all of that name; NULL: all there are */
};

/* ---- what a module gives ---- */

struct weir_reason {            /* a refusal of this module */
    const char *code;           /* "rate_limited" */
    int status;
    const char *title;
    const char *proxy_error;    /* RFC 9209 2.3; NULL: http_request_denied */
};

struct weir_variable {
    const char *name;           /* "jwt." with a trailing dot: everything below it; else exact */
    const char *help;
    /* rest: what follows the dot. p == NULL: absent. The text lives as long as the exchange. shared: exchange_shared's
     * value. */
    struct weir_str (*get)(struct weir_exchange *x, void *shared, struct weir_str rest);
};

/* Text that grows (JSON of views); add with the given function only. */
struct weir_text {
    void (*add)(struct weir_text *t, const char *p, size_t n);
};

struct weir_module {
    uint32_t abi_major, abi_minor; /* WEIR_ABI_MAJOR, WEIR_ABI_MINOR */
    size_t size;                /* sizeof(struct weir_module) */
    const char *name, *version, *summary;
    const struct weir_directive *directives; /* ends with name NULL; the one with WEIR_D_POLICY attaches a policy */
    const struct weir_reason *reasons;       /* ends with code NULL; may be NULL */
    const struct weir_variable *variables;   /* ends with name NULL; may be NULL */

    /* Once per process. The host table lives for ever. 0, or -1 with *error (static text). May be NULL. */
    int (*load)(const struct weir_host *host, const char **error);
    /* One policy from its block. *config is handed to everything below. 0, or -1 after conf_error. */
    int (*configure)(struct weir_policy *p, const struct weir_conf *block, void **config);
    /* On the service loop once the generation is live: start timers, fetches. Undone by release. May be NULL. */
    void (*start)(void *config);
    /* The generation is gone: no phase will run again. Any thread but the workers'. May be NULL. */
    void (*release)(void *config);

    /* Phases; NULL: no interest. */
    enum weir_verdict (*request)(struct weir_exchange *x, void *config);
    enum weir_verdict (*target)(struct weir_exchange *x, void *config);
    enum weir_verdict (*attempt)(struct weir_exchange *x, void *config);  /* may not suspend */
    /* Exactly once for each attempt that `attempt` admitted, also in shadow. */
    void (*outcome)(struct weir_exchange *x, void *config, const struct weir_outcome *o);
    void (*response)(struct weir_exchange *x, void *config);
    void (*finish)(struct weir_exchange *x, void *config);
    /* A suspended exchange is over (client gone, deadline): forget x. No phase but finish follows. */
    void (*cancel)(struct weir_exchange *x, void *config);

    /* Admin. view_name: its key in the JSON of its route or upstream, and the last part of its path under /api/v1/. */
    const char *view_name;
    void (*view)(void *config, struct weir_text *json);                   /* one JSON value. Service loop */
    /* A JSON body sent to it by PATCH or POST. 0: done; 400 or 409 with *error. Service loop. */
    int (*control)(void *config, struct weir_str body, const char **error);

    /* Since 1.2. On the service loop, before a generation takes the place of a running one: begins to get what requests
     * will need (keys, lists), and says whether it is there or could not be got. Called again every few milliseconds
     * until it is so or the host will wait no longer (about 2 s); then comes start, or release alone when the load is
     * given up. Must not wait itself. May be NULL. */
    bool (*warm)(void *config);

    /*
     * Since 1.3. The bodies of an exchange with an upstream, in pieces as they come; never suspended. An answer that
     * weir makes itself has no body phase, nor has a tunnel (after 101), nor a message without a body (HEAD, 204, 304,
     * a length of 0). A request's body passes the policies in their order, that of an answer in the reverse one, each
     * policy what the one before it let pass. The phase is called with each piece and for the last time with `end`,
     * when also the trailers are there; a message that breaks off has no end, only `finish` follows.
     *
     * WEIR_CONTINUE: the piece goes on, or what body_write was given in its place (WEIR_BODY_CHANGE only), but for what
     * body_hold keeps back. What it holds may be as long as the route's `body_hold`; beyond that the host refuses the
     * body with body_hold_exceeded. Nothing can be held at the end. What host->refuse returns: the body
     * ends here. Of a request that has no answer yet this is the answer; else the head has gone to the client, and its
     * connection or stream is broken off, with the reason in the access log. The origin of a refused request has seen
     * its head, but never a whole body. host->reply: likewise, and of a request only. WEIR_FAILED: as elsewhere.
     *
     * No further piece is given until the receiver has room for it, so that the memory for what is made of one is all
     * there is. In shadow the policy gets all pieces, and what it holds comes again, but everything has passed as it
     * came; one that would have refused is not asked again.
     */
    enum weir_verdict (*request_body)(struct weir_exchange *x, void *config, const struct weir_body *body);
    enum weir_verdict (*response_body)(struct weir_exchange *x, void *config, const struct weir_body *body);
};

/* In a module: `WEIR_MODULE = { WEIR_MODULE_ABI, .name = "...", ... };` */
#define WEIR_MODULE __attribute__((visibility("default"))) const struct weir_module weir_module
#define WEIR_MODULE_ABI .abi_major = WEIR_ABI_MAJOR, .abi_minor = WEIR_ABI_MINOR, .size = sizeof(struct weir_module)

#ifdef __cplusplus
}
#endif
#endif
