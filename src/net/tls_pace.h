/*
 * tls_pace: how many handshakes with clients a loop does in one turn, so that whoever knocks often does not starve
 * those who are already in: once they have used up their share of the turn, the others wait in order for the next one.
 * Also counts handshakes. All of one thread, but for tls_metrics_init.
 */
#ifndef NET_TLS_PACE_H
#define NET_TLS_PACE_H

#include "../event/loop.h"

#include <sys/queue.h>

struct conn;

struct tls_wait { /* in the state of a connection */
    struct conn *conn;
    void (*go_on)(struct tls_wait *w); /* its turn has come: begins again */
    bool queued;
    TAILQ_ENTRY(tls_wait) order;
};

enum tls_outcome { TLS_FULL, TLS_RESUMED, TLS_FAILED };

/* True: now, and tls_pace_end comes behind it. False: go_on comes in a later turn. */
bool tls_pace_begin(struct tls_wait *w, struct loop *l);
void tls_pace_end(void);
void tls_pace_forget(struct tls_wait *w); /* it is gone; idempotent */
void tls_pace_count(bool client, enum tls_outcome outcome);
void tls_pace_fini(void); /* before the loop goes */

#endif
