#include "breaker.h"

#include <sched.h>
#include <string.h>

/* The three states of the machine; the forced ones are an order on top of it. */
enum { CLOSED, OPEN, HALF_OPEN };

#define WORD_STATE(w) ((unsigned)((w)&3))
#define WORD_ORDER(w) ((unsigned)((w) >> 2 & 3))
#define WORD_EPOCH(w) ((w) >> 4)
#define TICKET_PROBE 1u /* a ticket is epoch + 1 and this bit, so that it is never 0 */

static void
breaker_lock(struct breaker *b)
{
    unsigned spins = 0;
    while (atomic_flag_test_and_set_explicit(&b->lock, memory_order_acquire)) {
        if (++spins % 64 == 0)
            sched_yield();
    }
}

static void
breaker_unlock(struct breaker *b)
{
    atomic_flag_clear_explicit(&b->lock, memory_order_release);
}

static uint64_t
word_of(const struct breaker *b)
{
    return atomic_load_explicit(&b->word, memory_order_acquire);
}

static uint64_t
ticket_of(uint64_t word, unsigned probe)
{
    return (WORD_EPOCH(word) + 1) << 1 | probe;
}

void
breaker_init(struct breaker *b)
{
    memset(b, 0, sizeof(*b));
    atomic_init(&b->word, 0);
    atomic_flag_clear(&b->lock);
}

const char *
breaker_state_name(enum breaker_name n)
{
    static const char *const names[BREAKER_NAMES] = { "closed", "open", "half_open", "forced_open", "forced_closed" };
    return names[n];
}

enum breaker_name
breaker_state(const struct breaker *b)
{
    uint64_t w = word_of(b);
    switch (WORD_ORDER(w)) {
    case BREAKER_FORCE_OPEN:
        return BREAKER_FORCED_OPEN;
    case BREAKER_FORCE_CLOSED:
        return BREAKER_FORCED_CLOSED;
    default:
        return (enum breaker_name)WORD_STATE(w);
    }
}

/* Drops what has left the window. A reload that changes the window's length starts a new one. */
static void
window_advance(struct breaker *b, const struct breaker_rules *r, int64_t now)
{
    int64_t length = r->window_ns / BREAKER_BUCKETS > 0 ? r->window_ns / BREAKER_BUCKETS : 1;
    int64_t current = now / length;
    if (length != b->bucket_ns || current - b->bucket >= BREAKER_BUCKETS) {
        memset(b->window, 0, sizeof(b->window));
        memset(&b->total, 0, sizeof(b->total));
        b->bucket_ns = length;
        b->bucket = current;
        return;
    }
    while (b->bucket < current) {
        struct breaker_count *old = &b->window[++b->bucket % BREAKER_BUCKETS];
        b->total.calls -= old->calls;
        b->total.failures -= old->failures;
        b->total.slow -= old->slow;
        memset(old, 0, sizeof(*old));
    }
}

static void
window_clear(struct breaker *b)
{
    memset(b->window, 0, sizeof(b->window));
    memset(&b->total, 0, sizeof(b->total));
}

static void
count_add(struct breaker_count *c, bool failed, bool slow)
{
    c->calls++;
    c->failures += failed;
    c->slow += slow;
}

static bool
too_many(const struct breaker_rules *r, const struct breaker_count *c)
{
    if (c->calls == 0)
        return false;
    if (c->failures * 100.0 >= r->failure_rate * c->calls)
        return true;
    return r->slow_ns > 0 && c->slow * 100.0 >= r->slow_rate * c->calls;
}

static void
set_state(struct breaker *b, unsigned state)
{
    uint64_t w = atomic_load_explicit(&b->word, memory_order_relaxed);
    w = (WORD_EPOCH(w) + 1) << 4 | (w & 12) | state;
    atomic_store_explicit(&b->word, w, memory_order_release);
    if (b->changed)
        b->changed(b);
}

static void
go_open(struct breaker *b, const struct breaker_rules *r, int64_t now, bool again)
{
    int64_t next = b->open_for > r->open_max_ns / 2 ? r->open_max_ns : b->open_for * 2;
    b->open_for = again && next > r->open_ns ? next : r->open_ns;
    b->open_until = now + b->open_for;
    set_state(b, OPEN);
}

static void
go_half_open(struct breaker *b, int64_t now)
{
    b->half_open_until = now + BREAKER_HALF_OPEN_NS;
    b->probes_out = 0;
    b->abandoned = 0;
    memset(&b->probed, 0, sizeof(b->probed));
    set_state(b, HALF_OPEN);
}

static void
go_closed(struct breaker *b)
{
    b->open_for = 0;
    window_clear(b);
    set_state(b, CLOSED);
}

/* What the passing of time alone decides. A half-open time that ends is judged by the probes that came back; by none,
 * as failed. */
static void
time_passes(struct breaker *b, const struct breaker_rules *r, int64_t now)
{
    unsigned state = WORD_STATE(word_of(b));
    if (state == OPEN && now >= b->open_until) {
        go_half_open(b, now);
    } else if (state == HALF_OPEN && now >= b->half_open_until) {
        if (b->probed.calls == 0 || too_many(r, &b->probed))
            go_open(b, r, now, true);
        else
            go_closed(b);
    }
}

/* Clients that leave at once must not lead one another to an origin that is just getting well. */
static bool
has_place(struct breaker *b, const struct breaker_rules *r, int64_t now)
{
    if (b->abandoned && now >= b->held_until)
        b->abandoned = 0;
    return b->probes_out + b->probed.calls + b->abandoned < r->probes;
}

static struct breaker_verdict
admit_slow(struct breaker *b, const struct breaker_rules *r, int64_t now)
{
    struct breaker_verdict v = { 0 };
    uint64_t w = word_of(b);
    if (WORD_STATE(w) == CLOSED) {
        v.admitted = true;
        v.ticket = ticket_of(w, 0);
    } else if (WORD_STATE(w) == OPEN) {
        v.name = BREAKER_OPEN;
        v.retry_after_ns = b->open_until - now;
    } else if (has_place(b, r, now)) {
        b->probes_out++;
        v.admitted = true;
        v.ticket = ticket_of(w, TICKET_PROBE);
    } else {
        v.name = BREAKER_HALF_OPEN;
        v.retry_after_ns = 1; /* as soon as the probes are back */
    }
    return v;
}

struct breaker_verdict
breaker_admit(struct breaker *b, const struct breaker_rules *r, int64_t now)
{
    uint64_t w = word_of(b);
    unsigned order = WORD_ORDER(w);
    if (order == BREAKER_FORCE_OPEN)
        return (struct breaker_verdict){ .name = BREAKER_FORCED_OPEN,
                                         .ticket = ticket_of(w, 0) }; /* counts if sent: in shadow */
    if (order == BREAKER_FORCE_CLOSED || WORD_STATE(w) == CLOSED)
        return (struct breaker_verdict){ .admitted = true, .ticket = ticket_of(w, 0) };

    breaker_lock(b);
    uint64_t before = word_of(b);
    if (WORD_ORDER(before) == BREAKER_AUTO)
        time_passes(b, r, now);
    struct breaker_verdict v = admit_slow(b, r, now);
    v.changed = word_of(b) != before;
    breaker_unlock(b);
    return v;
}

static void
record_probe(struct breaker *b, const struct breaker_rules *r, int64_t now, enum breaker_result result, bool slow)
{
    if (b->probes_out > 0)
        b->probes_out--;
    if (result == BREAKER_ABANDONED && b->abandoned++ == 0)
        b->held_until = now + BREAKER_HOLD_NS;
    if (result == BREAKER_ABANDONED || result == BREAKER_UNSENT)
        return; /* its place is, or will be, free for another probe */
    count_add(&b->probed, result == BREAKER_FAILED, slow);
    /* As soon as the outcome is certain: the failed ones are too many even if all others succeed, or all are back. */
    struct breaker_count sure = { .calls = r->probes, .failures = b->probed.failures, .slow = b->probed.slow };
    if (too_many(r, &sure))
        go_open(b, r, now, true);
    else if (b->probed.calls >= r->probes)
        go_closed(b);
}

static void
record_call(struct breaker *b, const struct breaker_rules *r, int64_t now, enum breaker_result result, bool slow)
{
    if (result == BREAKER_ABANDONED || result == BREAKER_UNSENT)
        return;
    window_advance(b, r, now);
    bool failed = result == BREAKER_FAILED;
    count_add(&b->window[b->bucket % BREAKER_BUCKETS], failed, slow);
    count_add(&b->total, failed, slow);
    if (WORD_ORDER(word_of(b)) == BREAKER_AUTO && b->total.calls >= r->min_requests && too_many(r, &b->total))
        go_open(b, r, now, false);
}

bool
breaker_record(struct breaker *b, const struct breaker_rules *r, int64_t now, uint64_t ticket,
               enum breaker_result result, int64_t took_ns)
{
    if (ticket == 0)
        return false;
    breaker_lock(b);
    uint64_t before = word_of(b);
    if (WORD_EPOCH(before) + 1 == ticket >> 1) {
        bool slow = r->slow_ns > 0 && took_ns >= r->slow_ns;
        if (ticket & TICKET_PROBE)
            record_probe(b, r, now, result, slow);
        else
            record_call(b, r, now, result, slow);
    }
    bool changed = word_of(b) != before;
    breaker_unlock(b);
    return changed;
}

void
breaker_force(struct breaker *b, enum breaker_order order)
{
    breaker_lock(b);
    uint64_t w = word_of(b);
    if (WORD_ORDER(w) != (unsigned)order) {
        /* The machine rests in closed under an order; only leaving open or half-open makes results under way stale. */
        bool left = WORD_STATE(w) != CLOSED;
        if (left)
            window_clear(b);
        b->open_for = 0;
        w = (WORD_EPOCH(w) + left) << 4 | (uint64_t)order << 2 | CLOSED;
        atomic_store_explicit(&b->word, w, memory_order_release);
        if (b->changed)
            b->changed(b);
    }
    breaker_unlock(b);
}

struct breaker_view
breaker_read(struct breaker *b, const struct breaker_rules *r, int64_t now)
{
    struct breaker_view v = { 0 };
    breaker_lock(b);
    window_advance(b, r, now);
    v.name = breaker_state(b);
    v.total = v.name == BREAKER_HALF_OPEN ? b->probed : b->total;
    if (v.name == BREAKER_OPEN && b->open_until > now)
        v.retry_after_ns = b->open_until - now;
    breaker_unlock(b);
    if (v.total.calls > 0) {
        v.failure_rate = 100.0 * v.total.failures / v.total.calls;
        v.slow_rate = 100.0 * v.total.slow / v.total.calls;
    }
    return v;
}
