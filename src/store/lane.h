/*
 * lane: one worker's way to a store: its calls with their deadlines, and a node for each server the map names. Own
 * worker only.
 *
 * A call is, from store_eval to its end, in exactly one list: `waiting` (ordered by deadline; node says at which server
 * it is), or `over` (its error is known, done is called at the end of the turn).
 */
#ifndef STORE_LANE_H
#define STORE_LANE_H

#include "../base/recycle.h"
#include "../base/strbuf.h"
#include "node.h"
#include "script.h"
#include "state.h"

#include <sys/queue.h>
#include <weir/module.h>

#define LANE_CALLS_MAX 10000
#define CALL_ARGS_MAX 16 /* without the key */
#define CALL_TEXT_MAX (64 * 1024)
#define CALL_TEXT_INSIDE 168

struct store_call {
    TAILQ_ENTRY(store_call) entry;
    struct lane *lane;
    struct node *node; /* NULL: over */
    uint32_t seq;      /* its place there */
    const char *error; /* static; when over */
    nsec_t deadline, started;
    weir_store_done done;
    void *arg;
    struct script *script; /* a reference */
    unsigned char resends, redirects;
    bool whole;      /* the script's text is in it: EVAL */
    unsigned char n; /* key and arguments */
    uint16_t slot;
    uint32_t lengths[CALL_ARGS_MAX + 1];
    char *text; /* key and arguments, one behind the other; `inside`, or owned */
    char inside[CALL_TEXT_INSIDE];
};

TAILQ_HEAD(call_list, store_call);

struct lane {
    struct store_state *state; /* a reference */
    unsigned id;               /* of the worker */
    struct loop *loop;
    struct store_map *map; /* a reference; NULL: not known yet */
    struct node *nodes[MAP_NODES_MAX];
    unsigned n_nodes; /* one, or a cluster's masters and those it redirected to */
    struct call_list waiting, over;
    unsigned n_calls, n_over;
    struct timer deadline; /* not after the first of `waiting` */
    struct task finish;
    struct script_table scripts;
    struct recycle free_calls;
    struct strbuf command; /* the one sent last */
    nsec_t latency;
};

struct lane *lane_new(struct store_state *st, unsigned id); /* takes over a reference to st */
void lane_free(struct lane *l);                             /* calls still under way are forgotten */
void lane_set_map(struct lane *l, struct store_map *m);     /* takes the reference over */

struct lane_ask {
    const char *script;
    struct slice key;
    const struct slice *args;
    unsigned n;
    nsec_t timeout;
    weir_store_done done;
    void *arg;
};
/* NULL: too much under way, or too large. */
struct store_call *lane_eval(struct lane *l, const struct lane_ask *ask);
void lane_cancel(struct store_call *c);

/* From its nodes. */
void lane_on_reply(struct lane *l, struct store_call *c, const struct reply *r); /* it is no longer in c->node's ring */
void lane_end(struct store_call *c, const char *error, enum store_error kind);   /* done comes at the end of the turn */
void lane_on_change(struct lane *l);                                             /* a node came up or went down */

#endif
