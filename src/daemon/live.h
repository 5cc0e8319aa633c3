/*
 * live: the generation that serves, and how another takes its place. What is built is opened (live_open), published to
 * all workers (live_publish), and freed when the next one is live and nobody holds it any more. Service thread.
 */
#ifndef DAEMON_LIVE_H
#define DAEMON_LIVE_H

#include "../proxy/generation.h"

struct resolver;

/* Both are borrowed until live_fini. path: what the log calls the configuration. */
void live_init(const char *path, struct resolver *resolver);
/* Sockets and logs of g before anything else, so that a port that is taken changes nothing. -1: diagnostics are in its
 * tree. */
int live_open(struct generation *g);
/* Takes over g, which is open. done comes once every worker serves by it; first: there was none before. */
typedef void (*live_done)(struct generation *g, bool first);
void live_publish(struct generation *g, live_done done);
struct generation *live_current(void); /* NULL before the first is live */
void live_fini(void);                  /* also the generation; no worker runs any more */

#endif
