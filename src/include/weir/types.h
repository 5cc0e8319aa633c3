/*
 * weir public types: what the core and every module share. C11; no dependency but the C library.
 *
 * Directive rows: a directive of gateway.conf is declared once, as a row. The parser, the error messages, `weir check
 * --dump`, `weir help` and gateway.conf(5) all come from that row, for core directives and module directives alike.
 */
#ifndef WEIR_TYPES_H
#define WEIR_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A borrowed run of bytes, not NUL-terminated. Who hands it out says how long it is valid. */
struct weir_str {
    const char *p;
    size_t n;
};

/* ---- configuration values ---- */

enum weir_type {
    WEIR_T_NONE,
    WEIR_T_WORD,      /* one of `choices` ("a|b|c") */
    WEIR_T_STRING,    /* any text, after ${env.*} and ${file:} */
    WEIR_T_TEMPLATE,  /* text that may hold run-time variables: ${client.ip} */
    WEIR_T_INT,       /* decimal, min..max */
    WEIR_T_SIZE,      /* 8k 1m: bytes, min..max */
    WEIR_T_DURATION,  /* 250ms 5s: nanoseconds, min..max */
    WEIR_T_RATE,      /* 100/s */
    WEIR_T_PERCENT,   /* 5%: 0..100 */
    WEIR_T_BOOL,      /* on | off */
    WEIR_T_ADDRESS,   /* 0.0.0.0:80 [::1]:80 unix:/path */
    WEIR_T_ENDPOINT,  /* ADDRESS or NAME:PORT */
    WEIR_T_CIDR,      /* 10.0.0.0/8 fe80::/10, or one address */
    WEIR_T_STATUS,    /* 200, or a range 200-299 */
    WEIR_T_NAME,      /* [A-Za-z_][A-Za-z0-9_.-]*, 64 at most */
    WEIR_T_PATH       /* a file; relative to the including file's directory */
};

/* One positional argument. A row's list ends with type NONE. */
struct weir_arg {
    const char *name;          /* for help and errors: "TIME" */
    enum weir_type type;
    /* both 0: the type's own bounds. INT, SIZE (bytes), DURATION (ns), repeat counts do not use them */
    int64_t min, max;
    const char *choices;       /* for WORD */
    unsigned flags;
#define WEIR_ARG_OPTIONAL 1u   /* this and all later ones may be missing */
#define WEIR_ARG_REPEAT 2u     /* the last one: one or more (with OPTIONAL: any number) */
};

/* One key=value option. A row's list ends with key NULL. */
struct weir_opt {
    const char *key;
    enum weir_type type;
    int64_t min, max;
    const char *choices;
    const char *def;           /* as text; NULL: none */
};

/* One directive as it stands in the file, or a block of them: opaque, immutable, lives as long as its generation. */
struct weir_conf;

struct weir_directive {
    const char *name;
    /* space-separated names of the blocks where it is legal; "main" is the top of the file */
    const char *in;
    const struct weir_arg *args; /* NULL: none */
    const struct weir_opt *opts; /* NULL: none */
    const char *block;         /* it has a { block } whose inside bears this name; NULL: it ends with ';' */
    unsigned flags;
#define WEIR_D_REPEAT 1u       /* may stand more than once in a block (else: error) */
#define WEIR_D_REQUIRED 2u     /* must stand in each block where it is legal */
#define WEIR_D_BLOCK_OPTIONAL 4u /* both `name args;` and `name args { }` */
/* REPEAT, but two with the same first argument are an error (upstream, listener, store, policy) */
#define WEIR_D_UNIQUE_NAME 8u
/* attaches a policy: takes `off`, and its block takes `mode` and `percent` from the host */
#define WEIR_D_POLICY 16u
#define WEIR_D_SECRET 32u      /* its arguments are shown as *** wherever a configuration is shown */
    /* the arguments that hold when the line is missing, as they would stand in the file; NULL: none */
    const char *def;
    const char *help;          /* one line */
    /* Further checks that the types cannot say; NULL: none. Report with host->conf_error (modules) or conf_error (core)
     * and go on. */
    void (*check)(const struct weir_conf *line, void *diag);
};

/* ---- verdicts and outcomes ---- */

enum weir_verdict {
    WEIR_CONTINUE = 0,
    WEIR_REFUSED = 1,          /* only as returned by host->refuse or host->reply */
    WEIR_SUSPENDED = 2,        /* the phase is called again after host->resume */
    WEIR_FAILED = 3            /* internal error: recorded as `error`, answered 500 policy_error when enforced */
};

enum weir_result {             /* of one attempt; the metric label `outcome` */
    WEIR_RESULT_OK,
    WEIR_RESULT_ERROR_STATUS,
    WEIR_RESULT_CONNECT_FAILED,
    WEIR_RESULT_CONNECT_TIMEOUT,
    WEIR_RESULT_RESET,
    WEIR_RESULT_TIMEOUT,
    WEIR_RESULT_BAD_RESPONSE,
    WEIR_RESULT_CANCELLED
};

struct weir_outcome {
    size_t size;               /* of this struct, as the host knows it */
    enum weir_result result;
    int status;                /* of the origin's response; 0: none came */
    int64_t duration_ns;       /* from the start of the attempt to the response head, or to its failure */
    struct weir_str upstream, endpoint;
    int delivered; /* the origin may have seen the request. Since 1.1 */
};

/* ---- bodies, since 1.3 ---- */

enum weir_body_of { WEIR_BODY_REQUEST, WEIR_BODY_RESPONSE };

enum weir_body_use {           /* what a policy does with the body of a message */
    WEIR_BODY_LOOK = 0,        /* what it lets pass goes on as it came */
    WEIR_BODY_SKIP = 1,        /* nothing: its phase is not called */
    WEIR_BODY_CHANGE = 2       /* other bytes may go on: the message loses its Content-Length */
};

struct weir_body {             /* what a body phase is given */
    size_t size;               /* of this struct, as the host knows it */
    struct weir_str piece;     /* until the phase returns; what was held stands in front of it. n may be 0 at the end */
    bool end;                  /* the last call for this body */
};

#ifdef __cplusplus
}
#endif
#endif
