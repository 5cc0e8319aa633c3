/* `weir run`: serve in the foreground. */
#include "command.h"

#include "../base/log.h"
#include "../net/tls.h"
#include "daemon_conf.h"
#include "gateway.h"
#include "load.h"

#include <getopt.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Each exchange needs two descriptors; the soft limit of 1024 is a relic of select(). */
static void
raise_descriptors(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

/* Secrets of the configuration must not end up in a core dump. The leak checker of a sanitized build needs to look at
 * the process. */
static void
forbid_core_dumps(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    prctl(PR_SET_DUMPABLE, 0);
#endif
}

static int
print_errors(struct conf *conf)
{
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    conf_diagnostics(conf, &text);
    if (text.n)
        fputs(text.p, stderr);
    strbuf_fini(&text);
    conf_free(conf);
    return EXIT_FAILED;
}

int
command_run(const struct command *self, int argc, char **argv)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' },
                                             { "no-supervisor", no_argument, NULL, 'n' },
                                             { 0 } };
    const char *path = DEFAULT_CONFIG;
    int o;
    while ((o = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (o == 'c')
            path = optarg;
        else if (o != 'n')
            return command_usage(self, NULL, NULL);
    }
    if (optind < argc)
        return command_usage(self, "unexpected argument", argv[optind]);

    forbid_core_dumps();
    raise_descriptors();
    tls_init();
    struct conf *conf = load_conf(path);
    if (conf_errors(conf))
        return print_errors(conf);
    if (gateway_start(conf, path) != 0)
        return EXIT_FAILED;
    return gateway_run();
}
