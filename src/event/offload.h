/*
 * offload: blocking work (files, building a generation) on a helper thread. work(arg) runs there; done(arg) runs afterwards on
 * the loop that asked. At most 4 threads; the queue is bounded (256): -1 when it is full.
 */
#ifndef EVENT_OFFLOAD_H
#define EVENT_OFFLOAD_H

int offload_init(void);
void offload_fini(void); /* waits for running work; done() of finished work is still delivered by mailboxes */
int offload_run(void (*work)(void *arg), void (*done)(void *arg), void *arg);

#endif
