/*
 * confine: the serving process gives up the system calls that a proxy never makes: to start programs, to look into
 * other processes, to mount, load kernel code, change keys, clocks, users. Whoever takes it over cannot either. One
 * that is called all the same ends the process, and the log says which it was.
 *
 * It is a list of what is refused, not of what is allowed: libraries (C, OpenSSL, c-ares, modules) may use what a later
 * version of them needs, and no update of one stops a gateway. What systemd's filters have beyond it is in the unit;
 * this one holds without systemd too, and refuses what the unit cannot, since the supervisor starts programs.
 */
#ifndef DAEMON_CONFINE_H
#define DAEMON_CONFINE_H

/* For this thread and all that it starts from now on; needs no_new_privs. Where the kernel or the processor has no such
 * filter, or a sanitizer needs those calls, nothing happens but a line in the log. */
void confine_start(void);

#endif
