/*
 * log_out: where the operator's log goes, and in which form. A line is written at once; what is not taken at once is
 * lost and counted, but for standard error when that is no socket (a pipe or terminal that nobody empties makes one
 * wait, as it does any program). A change of the place keeps the descriptor's number, so that a thread that writes
 * meanwhile never meets a closed one; its line may have the old form.
 */
#ifndef BASE_LOG_OUT_H
#define BASE_LOG_OUT_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

enum log_form {
    LOG_FORM_PLAIN,   /* time, level, text */
    LOG_FORM_JOURNAL, /* <PRIORITY>, level, text: sd-daemon(3); the journal has its own time */
    LOG_FORM_SYSLOG   /* one datagram: RFC 3164 as local daemons take it */
};

#define LOG_OUT_SYSLOG "/dev/log"

/* Which place to go to, for those that follow another process (the supervisor). */
struct log_place {
    enum log_form form;
    int fd;                /* borrowed; standard error: 2 */
    int facility;          /* of syslog, as in syslog(3) */
    const char *socket;    /* of syslog */
};

/* In the journal's form where it leads there ($JOURNAL_STREAM); PLAIN until this is called. */
void log_out_stderr(void);
int log_out_file(const char *path, struct err *e); /* 0 or -1: as it was */
/* A daemon that is not there yet is tried again each second. -1 with *e: not a possible socket. */
int log_out_syslog(const char *path, int facility, struct err *e);
int log_out_facility(const char *name); /* "daemon", "local0"; -1: there is no such */
void log_out_reopen(void);              /* a file that was moved away; failures are logged */
void log_out_fd(int fd);                /* borrowed, PLAIN */
struct log_place log_out_place(void);
void log_out_follow(const struct log_place *p); /* p->fd is copied */
/* Over an exec: says in that variable of the environment where the log goes; takes it up again, and is the only one to.
 * While the process has one thread. */
void log_out_keep(const char *variable);
void log_out_resume(const char *variable);

/* ---- for log ---- */
enum log_form log_out_form(void);
int log_out_priority(int severity); /* with the facility where there is one */
/* False: it is lost. */
bool log_out_write(const char *line, size_t n);

#endif
