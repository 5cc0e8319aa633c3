/*
 * mailbox: the only way to make another loop's thread do something. Messages run in order of posting on the receiving
 * loop. Bounded only by memory: what is posted per event is bounded by its senders.
 */
#ifndef EVENT_MAILBOX_H
#define EVENT_MAILBOX_H

#include "loop.h"

struct mailbox;

struct mailbox *mailbox_new(struct loop *l); /* NULL with errno */
void mailbox_drain(struct mailbox *m);   /* runs what is queued, here and now; the loop's own thread */
void mailbox_free(struct mailbox *m);    /* runs what is still queued first; the loop's own thread */
/* Any thread. fn(arg) runs on the loop's thread; the receiver owns arg from then on. */
void mailbox_post(struct mailbox *m, void (*fn)(void *arg), void *arg);

#endif
