/* probe: what the test module and the tests share through a keyed state named "probe". */
#ifndef TESTS_POLICY_PROBE_H
#define TESTS_POLICY_PROBE_H

#include <weir/module.h>

#define PROBE_TEXT 8192

struct probe_log {
    char text[PROBE_TEXT]; /* "probe_a.request probe_b.request ..." */
    size_t n;
    struct weir_exchange *parked; /* suspended */
    unsigned configured, started, released, replies, warmed;
    unsigned cold; /* how often `warm` says that it is not ready */
    bool resume_early; /* resume is called inside the phase that suspends */
    char scope[64];    /* of the policy configured last */
};

#endif
