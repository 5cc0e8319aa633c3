/*
 * breaker: a window of recent calls and the state machine closed -> open -> half-open over it. Shared by all workers; a
 * closed breaker admits with one atomic load, everything else takes a lock for a few instructions. Time is monotonic
 * nanoseconds, given by the caller.
 */
#ifndef BREAKER_H
#define BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BREAKER_BUCKETS 10
#define BREAKER_HALF_OPEN_NS (10 * INT64_C(1000000000)) /* half-open lasts at most this long */
#define BREAKER_HOLD_NS INT64_C(1000000000)             /* until the place of an abandoned probe is free again */

enum breaker_name {
    BREAKER_CLOSED,
    BREAKER_OPEN,
    BREAKER_HALF_OPEN,
    BREAKER_FORCED_OPEN,
    BREAKER_FORCED_CLOSED,
    BREAKER_NAMES
};
enum breaker_order { BREAKER_AUTO, BREAKER_FORCE_OPEN, BREAKER_FORCE_CLOSED };
enum breaker_result {
    BREAKER_OK,
    BREAKER_FAILED,
    BREAKER_UNSENT,   /* it never was a call */
    BREAKER_ABANDONED /* the client left: it says nothing, but the origin had its work */
};

/* Of the current generation; not kept by the breaker. */
struct breaker_rules {
    int64_t window_ns;
    uint32_t min_requests;  /* calls in the window before it may open */
    double failure_rate;    /* percent at which it opens */
    int64_t slow_ns;        /* a call at least this long is slow; 0: no such rule */
    double slow_rate;       /* percent */
    int64_t open_ns, open_max_ns;
    uint32_t probes;        /* calls let through half-open */
};

struct breaker_count {
    uint32_t calls, failures, slow;
};

struct breaker {
    /* Bits 0..1 state (closed, open, half-open), 2..3 order, 4.. epoch: one more at each change of state, so that the
     * result of a call admitted in another state is known to be stale. Written under the lock. */
    _Atomic uint64_t word;
    atomic_flag lock;

    struct breaker_count window[BREAKER_BUCKETS], total;
    int64_t bucket_ns, bucket; /* length of one; number of the current one since time 0 */

    int64_t open_until;
    int64_t open_for;          /* length of the present open time, doubled at each reopening */
    int64_t half_open_until;
    uint32_t probes_out;       /* admitted and not yet answered */
    uint32_t abandoned;        /* since held_until was set: their places stay taken until then */
    int64_t held_until;
    struct breaker_count probed;

    void (*changed)(struct breaker *b); /* after each change of state or order, under the lock; may be NULL */
};

struct breaker_verdict {
    bool admitted;
    bool changed;             /* the state changed in this call: worth a log line */
    enum breaker_name name;   /* the state that decided, when refused */
    uint64_t ticket;          /* for breaker_record; 0: the call does not count */
    int64_t retry_after_ns;   /* when refused; 0: not known */
};

struct breaker_view {
    enum breaker_name name;
    struct breaker_count total;
    double failure_rate, slow_rate; /* percent of the window */
    int64_t retry_after_ns;
};

void breaker_init(struct breaker *b);
enum breaker_name breaker_state(const struct breaker *b);
const char *breaker_state_name(enum breaker_name n); /* "half_open" */
struct breaker_verdict breaker_admit(struct breaker *b, const struct breaker_rules *r, int64_t now);
/* The end of a call that was admitted. True: the state changed. */
bool breaker_record(struct breaker *b, const struct breaker_rules *r, int64_t now, uint64_t ticket,
                    enum breaker_result result, int64_t took_ns);
/* A forced breaker stays so until BREAKER_AUTO, sends no probes and keeps counting; AUTO goes on from closed. */
void breaker_force(struct breaker *b, enum breaker_order order);
struct breaker_view breaker_read(struct breaker *b, const struct breaker_rules *r, int64_t now);

#endif
