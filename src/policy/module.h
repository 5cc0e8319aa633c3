/*
 * module: loading of policy modules. Libraries are opened once per process from a private copy of the file, so that it
 * may change on disk, and are never unmapped (dlclose with live callbacks or thread-local destructors is a crash
 * waiting).
 */
#ifndef POLICY_MODULE_H
#define POLICY_MODULE_H

#include "../base/err.h"
#include "../conf/conf.h"

#include <weir/module.h>

struct module {
    const struct weir_module *def; /* as large as this weir knows it: an older module's missing members are zero */
    char *path;
    unsigned index;      /* 0, 1, ... in order of loading */
    struct module_file { /* that was loaded */
        uint64_t device, inode, size;
        int64_t modified;
    } file;
    const struct conf *used_by; /* the configuration that is being (or was last) built with it; NULL: not used by it */
    struct module *next;
};

/* Row of `use`, `modules`, `policy`, `apply`. Ends with name NULL. */
extern const struct weir_directive policy_rows[];

/* Handles every top-level `modules` and `use` of the raw tree (between parse and check): loads what is not loaded yet,
 * adds its rows to c, its reasons to the table, its variables to the namespace. Errors are reported in c. 0 or -1. */
int modules_use(struct conf *c);
/* Is there another file of that name in these directories than the one it was loaded from? */
bool module_replaced(const struct module *m, const struct slice *dirs, unsigned n_dirs);
/* One by name from a list of directories. NULL with *e: not found in ..., other ABI (says what to do), missing symbol,
 * refused by its own load. */
const struct module *module_load(const char *name, const struct slice *dirs, unsigned n_dirs, struct err *e);
const struct module *modules_all(void); /* loaded so far, in order of loading. Any thread */
unsigned modules_count(void);
/* The module that declares this row; NULL: the core. */
const struct module *module_of_row(const struct weir_directive *row);
const struct weir_host *host_table(void);

/* Who resolves names for host->fetch; service thread, before the first generation starts. NULL: nobody (names fail). */
struct resolver;
void host_set_resolver(struct resolver *r);

/* Ends keyed states whose 60 s are over at `now`. The service loop may call it now and then; keyed_state_get and
 * keyed_state_put do so too. */
void keyed_state_sweep(int64_t now);

#endif
