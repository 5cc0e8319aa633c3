/* `weir check`: is this configuration good? Errors and warnings on stderr; --dump shows the effective configuration on
 * stdout. */
#include "command.h"

#include "offline.h"

#include <getopt.h>
#include <stdio.h>

int
command_check(const struct command *self, int argc, char **argv)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' },
                                             { "dump", no_argument, NULL, 'd' },
                                             { 0 } };
    const char *path = DEFAULT_CONFIG;
    bool dump = false;
    int o;
    while ((o = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (o == 'c')
            path = optarg;
        else if (o == 'd')
            dump = true;
        else
            return command_usage(self, NULL, NULL);
    }
    if (optind < argc)
        return command_usage(self, "unexpected argument", argv[optind]);

    struct generation *g = offline_load(path);
    if (!g)
        return EXIT_FAILED;
    if (dump) {
        struct strbuf text;
        strbuf_init(&text, 256u << 20);
        conf_dump(g->conf, &text);
        fwrite(text.p ? text.p : "", 1, text.n, stdout);
        strbuf_fini(&text);
    } else {
        printf("%s: good\n", path);
    }
    offline_free(g);
    return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_FAILED;
}
