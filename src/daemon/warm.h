/*
 * warm: the last step before a generation takes another's place: what its first requests will need is got while the
 * old one still serves. Names of endpoints are resolved, policies are asked to fetch what they live on (keys). It takes
 * two seconds at most, and what is not there by then is told as a warning: it never keeps a good configuration from
 * being published. Service thread; one at a time.
 */
#ifndef DAEMON_WARM_H
#define DAEMON_WARM_H

#include "../proxy/generation.h"

/* done comes once, maybe at once. */
void warm_start(struct generation *g, struct resolver *r, void (*done)(struct generation *g));
/* Undoes what was begun for a generation that will not be published, before it is freed. */
void warm_undo(struct generation *g);
/* The end of the process: the generation that is being warmed, or NULL; done will not come. */
struct generation *warm_stop(void);

#endif
