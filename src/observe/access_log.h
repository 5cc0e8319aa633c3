/*
 * access_log: one JSON line per exchange, its members as in gateway.conf(5). Lines are formatted into a per-worker
 * buffer and written in batches: when 32 KiB are full, and at the end of a turn at the latest 100 ms old. A reader that
 * does not keep up (a pipe) makes lines be dropped and counted, never a worker wait.
 */
#ifndef OBSERVE_ACCESS_LOG_H
#define OBSERVE_ACCESS_LOG_H

#include "../base/decision.h"
#include "../conf/conf.h"
#include "../event/worker.h"

struct access_log; /* one destination; shared by generations through references, one buffer per worker */

extern const struct weir_directive access_log_rows[]; /* access_log, ends with name NULL */

struct access_record { /* what one line shows; slices are read during the call only */
    nsec_t time_wall, duration, upstream_duration; /* upstream_duration -1: no attempt */
    struct slice request_id, client, method, scheme, host, path, query, protocol;
    int status;            /* 0: closed without an answer; shown as it is */
    uint64_t bytes_in, bytes_out;
    struct slice upstream, endpoint, route;
    unsigned attempts;
    const char *reason;    /* NULL: null */
    const struct decision_log *why;
};

/* NULL with *off true: `access_log off`. NULL with *off false: could not be opened (reported on the line). line NULL:
 * the default (off). */
struct access_log *access_log_open(const struct weir_conf *line, bool *off);
void access_log_hold(struct access_log *l);
void access_log_put(struct access_log *l);
void access_log_write(struct access_log *l, const struct access_record *r); /* on a worker */
void access_log_flush_all(void); /* this worker's buffers; at its stop */
void access_log_reopen(void);    /* SIGUSR1; service thread */

#endif
