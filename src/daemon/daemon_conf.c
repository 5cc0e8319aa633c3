#include "daemon_conf.h"

#include "../base/log_out.h"
#include "../base/parse.h"
#include "../base/privilege.h"
#include "../event/worker.h"
#include "error_log.h"

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

static void
check_user(const struct weir_conf *line, void *diag)
{
    struct privilege_user u;
    struct err e = { 0 };

    (void)diag;
    if (privilege_find(conf_arg(line, 0), conf_arg(line, 1), &u, &e) != 0)
        conf_warning(line, 0, "%s", e.text);
    else if (u.uid == 0)
        conf_warning(line, 0, "this user is root: nothing is dropped");
}

#define OPEN_FILES_MIN 64
#define OPEN_FILES_MAX 1073741816 /* fs.nr_open goes no higher */

static void
check_open_files(const struct weir_conf *line, void *diag)
{
    uint64_t n;
    (void)diag;
    if (slice_eq(conf_arg(line, 0), SLICE("max")))
        return;
    if (parse_u64(conf_arg(line, 0), OPEN_FILES_MAX, &n) != 0 || n < OPEN_FILES_MIN)
        conf_error(line, 0, "`max` or a number from %d to %d is expected", OPEN_FILES_MIN, OPEN_FILES_MAX);
}

const struct weir_directive daemon_rows[] = {
    { .name = "workers", .in = "main",
      .args = (const struct weir_arg[]){ { .name = "auto | N", .type = WEIR_T_STRING }, { 0 } },
      .def = "auto", .check = check_workers,
      .help = "Worker threads; auto: one for each CPU. A change needs a restart." },
    { .name = "log_level", .in = "main",
      .args = (const struct weir_arg[]){ { .name = "LEVEL", .type = WEIR_T_WORD,
                                           .choices = "error|warning|notice|info|debug" }, { 0 } },
      .def = "notice", .help = "What the operator's log holds." },
    { .name = "confine", .in = "main",
      .args = (const struct weir_arg[]){ { .name = "on | off", .type = WEIR_T_BOOL }, { 0 } },
      .def = "off",
      .help = "Whether the serving process gives up system calls that no gateway makes: to start programs, look into "
              "other processes, mount, load kernel code. A change needs a restart." },
    { .name = "error_log", .in = "main",
      .args = (const struct weir_arg[]){ { .name = "stderr | syslog[:FACILITY] | FILE", .type = WEIR_T_PATH }, { 0 } },
      .opts = (const struct weir_opt[]){ { .key = "socket", .type = WEIR_T_PATH }, { 0 } },
      .def = "stderr", .check = error_log_check,
      .help = "Where the operator's log goes; syslog: by the socket " LOG_OUT_SYSLOG ". On stderr lines have the "
              "journal's priorities where it reads them; a FILE is opened anew at SIGUSR1; lines that syslog or the "
              "journal does not take at once are lost and counted." },
    { .name = "user", .in = "main",
      .args = (const struct weir_arg[]){ { .name = "NAME", .type = WEIR_T_STRING },
                                         { .name = "GROUP", .type = WEIR_T_STRING, .flags = WEIR_ARG_OPTIONAL },
                                         { 0 } },
      .check = check_user,
      .help = "Whom to serve as when root starts weir; without it weir stays who it is. A change needs a restart." },
    { .name = "open_files", .in = "main",
      .args = (const struct weir_arg[]){ { .name = "max | N", .type = WEIR_T_STRING }, { 0 } },
      .def = "max", .check = check_open_files,
      .help = "Descriptors the process may have open, two for each request; max: as many as the hard limit allows. "
              "A change needs a restart." },
    { .name = "core_dumps", .in = "main",
      .args = (const struct weir_arg[]){ { .name = "on | off", .type = WEIR_T_BOOL }, { 0 } },
      .def = "off", .help = "Whether a crash may leave a core dump, with keys and tokens in it. "
                            "A change needs a restart." },
    { .name = "watch", .in = "main",
      .args = (const struct weir_arg[]){ { .name = "on|off", .type = WEIR_T_BOOL }, { 0 } },
      .def = "off",
      .help = "Whether a change of this file reloads it: or of an included file, a certificate, a key, a key set in a "
              "file, or a ${file:} value, however it was replaced. Nothing may have changed for 200 ms before, and at "
              "most one reload is begun in a second. A file that is not good leaves what runs." },
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

const struct weir_conf *
daemon_conf_user(const struct conf *c)
{
    return conf_find(conf_root(c), "user");
}

uint64_t
daemon_conf_open_files(const struct conf *c)
{
    uint64_t n;

    return parse_u64(conf_get_str(conf_root(c), "open_files"), OPEN_FILES_MAX, &n) == 0 ? n : 0;
}

bool
daemon_conf_core_dumps(const struct conf *c)
{
    return conf_get_int(conf_root(c), "core_dumps") != 0;
}

bool
daemon_conf_confine(const struct conf *c)
{
    return conf_get_int(conf_root(c), "confine") != 0;
}
