/* old: what the module of ABI 1.0 has seen, for the test. */
#ifndef TESTS_POLICY_OLD_H
#define TESTS_POLICY_OLD_H

struct old_seen {
    unsigned requests, outcomes;
    int status;
    long long duration_ns;
};

#endif
