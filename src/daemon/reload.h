/*
 * reload: how the configuration is loaded anew. A file is loaded by a helper thread, published by the service thread
 * (live.h), and every order that came meanwhile is answered by one more load. Service thread.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "../admin/admin.h"
#include "../proxy/generation.h"

struct resolver;

void reload_init(const char *path, struct resolver *resolver);
/* The first generation with its sockets, from a checked tree, which it takes over. NULL: the reasons were printed. */
struct generation *reload_first(struct conf *conf);
void reload_go_live(struct generation *g); /* the first one, once the workers run */
/* Loads the file anew off the data path; done comes later, or at once where weir is draining. */
void reload_ask(reload_done done, void *arg);
/* Says what that would change, and changes nothing. message: the plan as JSON (plan.h), or why the file is not good. */
void reload_ask_dry(reload_done done, void *arg);
const struct admin_reload *reload_last(void);
void reload_fini(void); /* also the generation; no worker runs any more */

#endif
