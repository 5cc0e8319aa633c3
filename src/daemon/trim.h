/*
 * trim: gives back what starting has left in memory and serving does not need. Pages of code and constants that are
 * needed again come from the kernel's cache of the file; a debugger's breakpoints in them are gone.
 */
#ifndef DAEMON_TRIM_H
#define DAEMON_TRIM_H

/* Best effort; other threads may run meanwhile. */
void trim_memory(void);

#endif
