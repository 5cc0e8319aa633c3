/*
 * plan: what a reload would do: how the file as it is now differs from what runs, in what it means, and what becomes
 * of the run-time state. Nothing is changed by it.
 */
#ifndef DAEMON_PLAN_H
#define DAEMON_PLAN_H

#include "../proxy/generation.h"

/* Tries the addresses that `now` would bind anew. raised: root has opened those that others may not. -1: reported at
 * their lines. Any thread that holds both. */
int plan_probe(const struct generation *was, struct generation *now, bool raised);
/* One JSON object, as weir(8) describes it. `now` is built and will not be published; both are held by the caller.
 * warnings: diagnostics of a good file; may be empty. The thread that has built `now`. */
void plan_write(const struct generation *was, struct generation *now, struct slice warnings, struct strbuf *json);

#endif
