/* `weir demo`: a complete demonstration on loopback. */
#include "command.h"

#include "../base/err.h"
#include "demo.h"

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

static void
print_lines(const struct demo *d)
{
    char token[512];
    demo_token(d, "orders:read", token);
    printf("weir demo: a gateway on http://%s with jwt, rate_limit, circuit_breaker and canary.\n"
           "Its configuration: %s/gateway.conf, its access log: %s/access.log\n\n",
           d->address, d->dir, d->dir);
    printf("TOKEN=%s\n\n", token);
    printf("# 200 through v1 (75 %%) or v2 (25 %%); without the token 401:\n"
           "curl -i http://%s/orders/1 -H \"Authorization: Bearer $TOKEN\"\n"
           "curl -i http://%s/orders/1\n",
           d->address, d->address);
    demo_token(d, "orders:write", token);
    printf("# 403, the scope is missing:\n"
           "curl -i http://%s/orders/1 -H 'Authorization: Bearer %s'\n",
           d->address, token);
    printf("# three pass, then 429:\n"
           "for i in 1 2 3 4; do curl -s -o /dev/null -w '%%{http_code}\\n' http://%s/limited; done\n"
           "# five failures open the breaker: 503 breaker_open for a second, then it recovers:\n"
           "for i in 1 2 3 4 5; do curl -s -H 'X-Fail: yes' http://%s/flaky; done; curl -i http://%s/flaky\n"
           "# why:\n"
           "curl -s --unix-socket %s/admin.sock http://admin/api/v1/upstreams\n",
           d->address, d->address, d->address, d->dir);
}

static int
serve_until_signal(const struct demo *d)
{
    sigset_t set;
    int signo;
    print_lines(d);
    printf("\nCtrl-C ends it.\n");
    fflush(stdout);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD); /* a process that died: there is nothing to show any more */
    sigwait(&set, &signo);
    return signo == SIGCHLD ? EXIT_FAILED : EXIT_GOOD;
}

int
command_demo(const struct command *self, int argc, char **argv)
{
    static const struct option options[] = { { "once", no_argument, NULL, 'o' }, { 0 } };
    bool once = false;
    int o;
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o != 'o')
            return command_usage(self, NULL, NULL);
        once = true;
    }
    if (optind < argc)
        return command_usage(self, "unexpected argument", argv[optind]);

    struct demo d;
    struct err e = { 0 };
    int rc = EXIT_FAILED;
    sigset_t set;
    if (demo_start(&d, &e) != 0) {
        fprintf(stderr, "weir demo: %s\n", e.text);
    } else if (once) {
        rc = demo_tour(&d) == 0 ? EXIT_GOOD : EXIT_FAILED;
    } else {
        /* Held back so that no signal is lost before it is waited for; the processes started above do not inherit this.
         */
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGCHLD);
        sigprocmask(SIG_BLOCK, &set, NULL);
        rc = serve_until_signal(&d);
    }
    demo_stop(&d);
    return rc;
}
