/*
 * handover: listening sockets that outlive the process which serves them. A parent (the supervisor, or systemd) holds
 * them; a process that starts takes them over, with all that waits in their queues, in place of binding anew, and tells
 * the parent of those it opens and closes.
 */
#ifndef NET_HANDOVER_H
#define NET_HANDOVER_H

#include "addr.h"

#include <stdbool.h>
#include <stdint.h>

/* Whoever holds copies. Called on any thread, mostly under the lock of listeners. */
struct handover_holder {
    void (*opened)(int fd);           /* fd stays the caller's */
    void (*closing)(uint64_t cookie); /* this process closes its last copy: nobody shall wait in that queue any more */
};

/* The kernel's number of a socket, the same for all its copies in all processes; 0: it has none (not a socket). */
uint64_t handover_cookie(int fd);

/* ---- for the process, in this order ---- */

/* Before the first listener_open: a socket that was inherited; owned from now on. One that does not listen for
 * streams is closed and refused: false. */
bool handover_give(int fd);
/* The socket is lent by whoever started weir (systemd): it goes on listening there when this process closes it, for the
 * next one. */
void handover_set_lent(int fd);
bool handover_lent(int fd);
void handover_set_holder(const struct handover_holder *holder); /* NULL: none; borrowed */
/* What was inherited and nobody took: closed, and the holder told. Returns how many. After the first generation is
 * bound. Who waits at one of them is served by the predecessor, when there is one. */
unsigned handover_drop_rest(void);
/* From now on a successor serves these; replaces earlier ones. */
void handover_share(const uint64_t *cookies, size_t n);

/* ---- for listeners ---- */

/* An inherited socket with that address, for its new owner; -1: none, or no more. */
int handover_take(const struct addr *a);
/* Whether an inherited socket that nobody has taken (yet) has that port, at whichever address. */
bool handover_has_port(int port);
void handover_opened(int fd);
/* Before the last copy in this process is closed. Nothing when the successor has it. */
void handover_closing(int fd);
/* Whether a successor serves this socket too: then its queue is not this process's to empty, nor its file to remove. */
bool handover_shared(int fd);

#endif
