/*
 * module: loading of policy modules. Libraries are opened once per process from a private copy of the file, so that it may change on disk, and are never unmapped (dlclose with live callbacks or
 * thread-local destructors is a crash waiting).
 */
#ifndef POLICY_MODULE_H
#define POLICY_MODULE_H

#include "../base/err.h"
#include "../conf/conf.h"

#include <weir/module.h>

struct module {
    const struct weir_module *def;
    char *path;
    struct module *next;
};

/* Row of `use`, `modules`, `policy`, `apply`. Ends with name NULL. */
extern const struct weir_directive policy_rows[];

/* Handles every top-level `modules` and `use` of the raw tree (between parse and check): loads what is not loaded yet, adds its rows to c, its reasons to the table, its
 * variables to the namespace. Errors are reported in c. 0 or -1. */
int modules_use(struct conf *c);
/* One by name from a list of directories. NULL with *e: not found in ..., other ABI (says what to do), missing symbol, refused by its own load. */
const struct module *module_load(const char *name, const struct slice *dirs, unsigned n_dirs, struct err *e);
const struct module *modules_all(void);  /* loaded so far, in order of loading */
const struct weir_host *host_table(void);

#endif
