/* down_impl: what sessions with clients have in common, for the files of this directory. */
#ifndef SESSION_DOWN_IMPL_H
#define SESSION_DOWN_IMPL_H

#include "../base/recycle.h"
#include "down.h"

#include <sys/queue.h>

/* How long a connection may wait with its first byte when the drain begins, or was accepted after that. */
#define DRAIN_IDLE NSEC_PER_SEC
#define DOWN_IN_CAP 65536u /* request body that waits to be taken */
/* What is kept of each kind of block that a stream needs. */
#define DOWN_SPARE_MAX 256u

struct down_session;

struct down_kind {                          /* of protocol; what a set wants of its sessions */
    void (*leave)(struct down_session *d);  /* down_sessions_leave; set->leaving is set */
    void (*drain)(struct down_session *d);  /* down_sessions_drain */
    void (*abort)(struct down_session *d);  /* down_sessions_abort */
    void (*finish)(struct down_session *d); /* after abort: releases what its owners forgot, and ends */
};

struct down_session {               /* begins the struct of each kind */
    TAILQ_ENTRY(down_session) link; /* in set->sessions until it ends */
    struct down_sessions *set;
    const struct down_kind *kind;
    struct conn *c; /* NULL once closed or given away */
    struct down_source source;
    bool is_tls;
    unsigned served; /* requests that began */
};

TAILQ_HEAD(down_list, down_session);

struct down_active;

struct down_sessions {
    struct loop *loop;
    struct down_list sessions;
    unsigned count;
    bool leaving, draining;
    struct down_active *spare; /* down_h1's stack of unused ones */
    unsigned n_spare;
    struct recycle spare_h2; /* down_h2's streams */
};

/* A session of c begins; the caller has zeroed it. */
void down_join(struct down_session *d, const struct down_kind *kind, struct down_sessions *set, struct conn *c,
               const struct down_source *source);
void down_part(struct down_session *d);             /* it is over, or another kind goes on with its conn */
void down_tell(struct down_session *d, int change); /* the handler's on_session */
/* Notes in s that a bound of conf is behind what comes next; returns the detail for that. */
const char *down_limit_hit(struct down_session *d, struct down_stream *s, const struct down_conf *conf,
                           enum limit_id limit, const char *what);
/* Says that its connection ends for one, where there is no request whose log line could. */
void down_tell_silence(const struct down_session *d, const char *what, enum limit_id limit);
/* The conn of an open stream goes at the end of this turn; its addresses are promised until release. */
void down_keep_addresses(struct down_stream *s);

void down_h1_forget_spares(struct down_sessions *set);
void down_h2_forget_spares(struct down_sessions *set);

#endif
