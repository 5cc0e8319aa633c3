/* policy: one configured use of a module, as the files of this directory see it; chain.h is what others see. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "chain.h"
#include "str.h"

#include <uthash.h>

enum policy_mode { POLICY_ENFORCE, POLICY_SHADOW, POLICY_OFF };

struct weir_policy {
    const struct module *module;
    const struct weir_module *def;
    const struct weir_conf *line;
    struct arena *arena; /* of the generation: everything the module allocates for this policy */
    struct slice name;   /* the directive: "jwt" */
    struct slice scope;
    const char *at;
    enum policy_mode mode;
    bool partial;       /* `percent` is below 100 */
    uint64_t threshold; /* an exchange whose hash is below it is selected */
    uint64_t salt;      /* two policies of 50 % do not select the same half */
    void *config;       /* the module's */
    struct slice default_target;
    struct policy_read *reads; /* order.c: variables of other modules */
    bool broken; /* errors were reported for it */
    bool started, released;
    UT_hash_handle hh; /* in policy_scope.policies, by line */
};

const char *policy_mode_name(enum policy_mode m);

#endif
