/*
 * node: one Redis server as one worker sees it: a connection that is kept up, a breaker, and the calls under way in the
 * order of their commands.
 *
 *   DOWN        no connection; the timer says when to try (never while there is no address)
 *   CONNECTING  TCP and TLS; commands gather in `out`
 *   GREETING    AUTH, SELECT and a check are under way; commands still gather
 *   UP          commands leave at the end of the turn, in one write
 *
 * A node never connects and never calls lane_on_reply from inside its verbs; losing the connection ends all its calls.
 */
#ifndef STORE_NODE_H
#define STORE_NODE_H

#include "../base/iobuf.h"
#include "../net/conn.h"
#include "breaker.h"
#include "reply.h"
#include "state.h"

struct lane;
struct store_call;

#define NODE_RING_MAX 16384u
#define NODE_OUT_MAX (8u * 1024 * 1024)
#define NODE_CONNECT_TIMEOUT NSEC_PER_SEC /* also for the greeting, and for a server that answers nothing */

enum node_state { NODE_DOWN, NODE_CONNECTING, NODE_GREETING, NODE_UP };

struct node {
    struct lane *lane;
    enum node_state state;
    struct addr addrs[MAP_NODES_MAX]; /* of one server */
    unsigned n_addrs, at;
    struct conn *conn; /* NULL when DOWN */
    struct reader *reader;
    struct iobuf hello, out;
    unsigned steps, step; /* of the greeting: how many, and how many were answered */
    nsec_t greeted;

    struct store_call **ring; /* by seq & (room - 1); NULL: its answer will be dropped */
    uint32_t first, next, room;
    unsigned live; /* calls in it */
    unsigned late; /* for lane.c: calls found late just now */
    nsec_t heard;  /* last answer, or when the first command came into an empty ring */

    struct breaker breaker;
    unsigned tries; /* connects since it was up */
    struct timer timer;
    struct task flush;
};

struct node *node_new(struct lane *l);
void node_free(struct node *n); /* its calls end */
/* Addresses of the server; keeps the connection when it goes to one of them. */
void node_set_addrs(struct node *n, const struct addr *addrs, unsigned count);

/* Adds a command for c, behind ASKING where a cluster asked for that. -1: there is no use in waiting for it (breaker,
 * no address, too much under way). */
int node_send(struct node *n, struct store_call *c, struct slice command, bool asking);
void node_drop(struct node *n, struct store_call *c); /* its answer is no longer wanted */
void node_late(struct node *n, unsigned calls);       /* so many calls of it timed out */
void node_fail(struct node *n, const char *why);      /* it answered that it cannot serve */
/* Gives the connection up (all calls end) and begins anew, with the next address. Counts as a failure. */
void node_lose(struct node *n, const char *why);
enum lane_status node_status(const struct node *n);

#endif
