/*
 * decision: the record of why. Every step that decides something about an exchange appends one row; the access log's
 * `why`, `weir explain`, the metrics and the error body read these rows and nothing else.
 *
 * Adding a row costs a few stores: all strings are borrowed from the generation, a static table, or the exchange's
 * arena.
 */
#ifndef BASE_DECISION_H
#define BASE_DECISION_H

#include "arena.h"

enum verdict { VERDICT_PASS, VERDICT_REFUSE, VERDICT_ERROR, VERDICT_SKIP };
/* As in weir_policy_verdicts_total, which has the mode as a label, and in `why`, which puts "shadow_" before those of a
 * policy in shadow: pass refuse error; skip where a step did not apply. */
const char *verdict_name(enum verdict v);

struct decision {
    const char *step;    /* "route", "policy", "target", "endpoint", "attempt", "retry", "reply" ... : static */
    struct slice subject; /* route, policy, upstream or endpoint name */
    enum verdict verdict;
    const char *reason;  /* code from the table of reasons, or a static word for why; NULL: none */
    struct slice detail; /* prose for people; empty in the common case */
    const char *mode;    /* "enforce", "shadow", "off"; NULL where it does not apply */
    const char *at;      /* "gateway.conf:12"; NULL when no line of the file is behind it */
};

struct decision_log {
    struct decision *rows; /* in the arena */
    unsigned n, room;
    struct arena *arena;
};

#define DECISION_MAX 64 /* per exchange; further rows are dropped, the last one kept says so */

void decision_init(struct decision_log *log, struct arena *arena);
/* Returns the row to fill further; valid until the next call. */
struct decision *decision_add(struct decision_log *log, const char *step, struct slice subject, enum verdict verdict);

#endif
