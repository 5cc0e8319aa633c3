#include "daemon_conf.h"

#include "../base/parse.h"
#include "../event/worker.h"

#include <sched.h>

static void
check_workers(const struct weir_conf *line, void *diag)
{
    uint64_t n;
    (void)diag;
    if (slice_eq(conf_arg(line, 0), SLICE("auto")))
        return;
    if (parse_u64(conf_arg(line, 0), WORKER_MAX - 1, &n) != 0 || n == 0)
        conf_error(line, 0, "`auto` or a number from 1 to %d is expected", WORKER_MAX - 1);
}

const struct weir_directive daemon_rows[] = {
    { .name = "workers", .in = "main",
      .args = (const struct weir_arg[]){ { .name = "auto | N", .type = WEIR_T_STRING }, { 0 } },
      .def = "auto", .check = check_workers,
      .help = "Worker threads; auto: one for each CPU. A change needs a restart." },
    { .name = "log_level", .in = "main",
      .args = (const struct weir_arg[]){ { .name = "LEVEL", .type = WEIR_T_WORD,
                                           .choices = "error|warning|notice|info|debug" }, { 0 } },
      .def = "notice", .help = "What the operator's log on stderr holds." },
    { 0 },
};

unsigned
daemon_conf_workers(const struct conf *c)
{
    uint64_t n;
    if (parse_u64(conf_get_str(conf_root(c), "workers"), WORKER_MAX - 1, &n) == 0)
        return (unsigned)n;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int cpus = CPU_COUNT(&set);
    return cpus < 1 ? 1 : cpus > WORKER_MAX - 1 ? WORKER_MAX - 1 : (unsigned)cpus;
}
