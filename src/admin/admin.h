/*
 * admin: the admin listener on the service loop: health, readiness, metrics, JSON views and operations, as weir(8)
 * lists them: other people's scripts depend on each. It knows the proxy; what only the daemon can do or tell comes
 * through admin_services.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "../proxy/generation.h"

extern const struct weir_directive admin_rows[]; /* admin { bind ... } */

struct admin_reload { /* the last reload */
    bool ok;
    nsec_t at;        /* wall; 0: none yet */
    char message[512];
};

/* message is valid during the call only. */
typedef void (*reload_done)(bool ok, const char *message, void *arg);

struct admin_services { /* service thread */
    struct generation *(*generation)(void);                        /* the current one; NULL while starting */
    void (*reload)(reload_done done, void *arg);
    void (*dry_reload)(reload_done done, void *arg);                /* message: JSON where it is good */
    void (*drain)(void);
    bool (*draining)(void);
    const struct admin_reload *(*last_reload)(void);
    nsec_t (*started_at)(void);                                     /* wall */
};

/* Binds the admin addresses of g (a change of them at reload opens and closes what differs). -1: reported at the `bind`
 * lines of g's configuration. */
int admin_follow(struct generation *g);
/* Accepts nothing more; who is connected is served on. */
void admin_leave(void);
void admin_init(const struct admin_services *services);
void admin_fini(void);

#endif
