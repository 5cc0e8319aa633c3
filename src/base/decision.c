#include "decision.h"

#define DECISION_FIRST 8

const char *
verdict_name(enum verdict v)
{
    static const char *const names[] = {
        [VERDICT_PASS] = "pass",
        [VERDICT_REFUSE] = "refuse",
        [VERDICT_ERROR] = "error",
        [VERDICT_SKIP] = "skip",
    };

    return (unsigned)v < sizeof(names) / sizeof(names[0]) ? names[v] : "error";
}

void
decision_init(struct decision_log *log, struct arena *arena)
{
    log->rows = NULL;
    log->n = log->room = 0;
    log->arena = arena;
}

/* The old rows stay in the arena until it goes: at most as many again as there are. */
static void
grow(struct decision_log *log)
{
    unsigned room = log->room ? log->room * 2 : DECISION_FIRST;
    struct decision *rows = arena_alloc(log->arena, room * sizeof(*rows));

    if (log->n)
        memcpy(rows, log->rows, log->n * sizeof(*rows));
    log->rows = rows;
    log->room = room;
}

struct decision *
decision_add(struct decision_log *log, const char *step, struct slice subject, enum verdict verdict)
{
    struct decision *d;

    if (log->n == DECISION_MAX) {
        log->rows[DECISION_MAX - 1].detail = SLICE("the record is full: later decisions are missing");
        d = arena_alloc(log->arena, sizeof(*d)); /* for the caller to fill; nobody reads it */
    } else {
        if (log->n == log->room)
            grow(log);
        d = &log->rows[log->n++];
    }
    *d = (struct decision){ .step = step, .subject = subject, .verdict = verdict };
    return d;
}
