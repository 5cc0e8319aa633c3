/*
 * offload: blocking work (files, building a generation) on a helper thread. work(arg) runs there; done(arg) runs
 * afterwards on the worker that asked. At most 4 threads, started when there is work; the queue is bounded (256).
 */
#ifndef EVENT_OFFLOAD_H
#define EVENT_OFFLOAD_H

int offload_init(void);
/* Finishes what was accepted, takes no more. done() of it is still delivered by mailboxes: before workers_stop. */
void offload_fini(void);
/* From a worker's thread, or from any when done is NULL. -1 with errno: EAGAIN when the queue is full, ESHUTDOWN,
 * EINVAL. */
int offload_run(void (*work)(void *arg), void (*done)(void *arg), void *arg);

#endif
