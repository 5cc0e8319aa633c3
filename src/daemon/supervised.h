/*
 * supervised: the serving process's side of its supervisor: where its listening sockets are held over its own life,
 * and who passes its words on to systemd. Without a supervisor nothing here does anything, but for the sockets of
 * systemd's socket activation.
 */
#ifndef DAEMON_SUPERVISED_H
#define DAEMON_SUPERVISED_H

#include "../base/log_out.h"
#include "../event/loop.h"

#include <stdbool.h>

/* The environment variable by which a supervisor tells the process that it starts: "CHANNEL[:FD...]", descriptors. */
#define SUPERVISED_ENV "WEIR_SUPERVISED"

/* Beside it: "FD[:FD...]", those of the descriptors that the supervisor itself was lent by systemd. */
#define SUPERVISED_LENT_ENV "WEIR_LENT"

/* First of all in the process: takes over what was inherited. */
void supervised_init(void);
bool supervised(void); /* is there a supervisor, and does it live? */

struct supervised_events {
    void (*signal)(int signo);     /* sent to the supervisor; those sent to this process itself are to be left alone */
    void (*leave)(bool successor); /* one serves, or the supervisor is gone: finish what is under way, and end */
};
/* Listens to the supervisor. */
void supervised_start(struct loop *l, const struct supervised_events *events);
void supervised_notify(const char *text); /* for systemd, as in sd_notify(3) */
void supervised_send_log(const struct log_place *p); /* the supervisor's log shall go there too */
/* Lets a process with root's rights read the configuration and hand over what it names (opener.h): sockets come by
 * handover.h, files by grant.h; then `done`, in any case. False: nobody can be asked. */
bool supervised_ask(void (*done)(void));
void supervised_send_file(const char *path, int fd); /* of an opener; fd stays the caller's */
void supervised_stop(void); /* what was asked for is not waited for any more */
void supervised_fini(void);

/* For the supervisor itself too: the listening sockets in LISTEN_FDS (sd_listen_fds(3)), when they are for this
 * process; how many. They begin at SUPERVISED_LISTEN_FDS_FIRST. Clears the environment of it. */
#define SUPERVISED_LISTEN_FDS_FIRST 3
unsigned supervised_listen_fds(void);

#endif
