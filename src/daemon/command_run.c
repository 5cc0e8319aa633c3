/* `weir run`: serve in the foreground. */
#include "command.h"

#include "../base/log.h"
#include "../base/log_out.h"
#include "../base/parse.h"
#include "../base/xalloc.h"
#include "../net/tls.h"
#include "daemon_conf.h"
#include "gateway.h"
#include "init.h"
#include "load.h"
#include "opener.h"
#include "rights.h"
#include "supervised.h"
#include "supervisor.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* It holds a socket for each address and worker. */
static void
raise_descriptors(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

static int
print_errors(struct conf *conf)
{
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    conf_diagnostics(conf, &text);
    if (text.n)
        log_block(LOG_LVL_ERROR, text.p);
    strbuf_fini(&text);
    conf_free(conf);
    return EXIT_FAILED;
}

/* The process that serves: beneath a supervisor, or alone. */
static int
serve(const char *path)
{
    init_begin();
    supervised_init();
    rights_early();
    tls_init();
    struct conf *conf = load_conf(path);
    if (conf_errors(conf))
        return print_errors(conf);
    if (rights_assume(conf) != 0) {
        conf_free(conf);
        return EXIT_FAILED;
    }
    if (gateway_start(conf, path) != 0)
        return EXIT_FAILED;
    return gateway_run();
}

/* The words after `weir run` are the serving process's too. */
static int
supervise(int argc, char **argv, nsec_t upgrade_timeout)
{
    char **words = xcalloc((size_t)argc + 2, sizeof *words);
    words[0] = xstrdup("weir");
    words[1] = xstrdup("run");
    for (int i = 1; i < argc; i++)
        words[i + 1] = argv[i];
    raise_descriptors();
    rights_early(); /* its environment is where ${env.*} comes from */
    return supervisor_run(words, upgrade_timeout);
}

int
command_run(const struct command *self, int argc, char **argv)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' },
                                             { "no-supervisor", no_argument, NULL, 'n' },
                                             { "upgrade-timeout", required_argument, NULL, 'u' },
                                             { 0 } };
    const char *path = DEFAULT_CONFIG;
    nsec_t upgrade_timeout = SUPERVISOR_UPGRADE_S * NSEC_PER_SEC;
    bool alone = false;
    int o;

    while ((o = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (o == 'c')
            path = optarg;
        else if (o == 'n')
            alone = true;
        else if (o == 'u' && (parse_duration(slice_str(optarg), &upgrade_timeout) != 0 || !upgrade_timeout))
            return command_usage(self, "a duration as 500ms, 60s or 5m is expected, not", optarg);
        else if (o != 'u')
            return command_usage(self, NULL, NULL);
    }
    if (optind < argc)
        return command_usage(self, "unexpected argument", argv[optind]);

    log_out_stderr();
    if (getenv(OPENER_ENV)) {
        supervised_init();
        rights_early();
        return opener_run(path);
    }
    if (alone || getenv(SUPERVISED_ENV))
        return serve(path);
    return supervise(argc, argv, upgrade_timeout);
}
