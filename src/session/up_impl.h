/* up_impl: what sessions with origins have in common, for the files of this directory. */
#ifndef SESSION_UP_IMPL_H
#define SESSION_UP_IMPL_H

#include "../http/h1.h"
#include "up.h"

/* Interim responses to one request. */
#define UP_INTERIM_MAX 16

struct up_kind { /* of protocol */
    struct up_stream *(*open)(struct up_session *u, struct arena *arena, size_t in_cap);
    void (*close)(struct up_session *u);
    unsigned (*room)(const struct up_session *u);
};

struct up_session { /* begins the struct of each kind */
    const struct up_kind *kind;
    struct conn *c; /* NULL once closed */
    struct loop *loop;
    const struct up_session_events *events; /* NULL: closes after one request */
    void *arg;
    struct h1_limits limits; /* of heads */
    nsec_t idle_until, rest_until;
    unsigned streams; /* open */
    unsigned most;    /* at a time, by what the origin has said; 0: nothing yet */
    unsigned served;
};

#endif
