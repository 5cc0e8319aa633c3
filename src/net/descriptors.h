/*
 * descriptors: how the last file descriptors of the process are shared out. Clients stop some way before the limit,
 * connections that weir makes itself a little later, and what is behind that is for the service worker: so an
 * administrator gets in when nobody else does.
 *
 * The kernel always gives out the lowest free number: whoever gets number n knows that all below it are in use. So a
 * number alone says who may keep it, and those at the end are free or the service worker's, without any counting.
 */
#ifndef NET_DESCRIPTORS_H
#define NET_DESCRIPTORS_H

#include <stdbool.h>

enum descriptor_use { DESCRIPTOR_CLIENT, DESCRIPTOR_OUTGOING };

/* The limit as it is now (RLIMIT_NOFILE); it may be changed from outside. Until the first call nothing is reserved. Any
 * thread. */
void descriptors_read_limit(void);
/* Is this number not for that use? Any thread. */
bool descriptors_reserved(enum descriptor_use use, int fd);
/* Was a number that is reserved for somebody given out lately? Then whoever can wait looks at what is left first. */
bool descriptors_tight(void);
/* A lack of this kind is weir's own, or the host's: EMFILE, ENFILE, ENOBUFS, ENOMEM. */
bool descriptors_lack(int sys);

#endif
