#include "opener.h"

#include "../admin/admin.h"
#include "../base/grant.h"
#include "../event/offload.h"
#include "../net/tls.h"
#include "command.h"
#include "daemon_conf.h"
#include "load.h"
#include "rights.h"
#include "supervised.h"

#include <stdlib.h>

/* Sockets go to the supervisor as they are opened; errors are those of the process that asked, which tries again and
 * tells them. The process ends right after: nothing here is freed, and no socket closed in anybody's name. */
static int
open_all(struct conf *conf)
{
    struct strbuf text;
    struct generation *g;

    if (workers_init(daemon_conf_workers(conf)) != 0 || stats_init(workers_count()) != 0 || offload_init() != 0)
        return -1;
    strbuf_init(&text, 1 << 20);
    g = load_generation(conf, 1, &text);
    strbuf_fini(&text);
    return g && generation_open(g) == 0 ? admin_follow(g) : -1;
}

int
opener_run(const char *path)
{
    struct conf *conf;
    int rc;

    tls_init();
    grant_collect();
    conf = load_conf(path);
    rc = conf_errors(conf) ? -1 : rights_assume(conf);
    if (rc == 0)
        rc = open_all(conf);
    grant_each(supervised_send_file);
    return rc == 0 ? EXIT_GOOD : EXIT_FAILED;
}
