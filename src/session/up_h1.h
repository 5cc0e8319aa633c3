/* up_h1: an HTTP/1.1 session with an origin. Carries one request at a time. */
#ifndef SESSION_UP_H1_H
#define SESSION_UP_H1_H

#include "../http/h1.h"
#include "up.h"

/* Takes over an established conn. `events` may be NULL: then it closes after one request. */
struct up_session *up_h1_new(struct conn *c, const struct h1_limits *limits, const struct up_session_events *events,
                             void *arg);

#endif
