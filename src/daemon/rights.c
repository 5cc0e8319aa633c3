#include "rights.h"

#include "../base/log.h"
#include "../base/privilege.h"
#include "../net/listener.h"
#include "confine.h"
#include "daemon_conf.h"
#include "supervised.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* the leak checker needs to look at the process */
#else
#define SANITIZED 0
#endif

static void
forbid_core_dumps(void)
{
    struct rlimit none;

    prctl(PR_SET_DUMPABLE, SANITIZED);
    if (getrlimit(RLIMIT_CORE, &none) == 0) {
        none.rlim_cur = 0;
        setrlimit(RLIMIT_CORE, &none);
    }
}

static void
allow_core_dumps(void)
{
    struct rlimit all;

    prctl(PR_SET_DUMPABLE, 1);
    if (getrlimit(RLIMIT_CORE, &all) == 0) {
        all.rlim_cur = all.rlim_max;
        setrlimit(RLIMIT_CORE, &all);
    }
}

void
rights_early(void)
{
    forbid_core_dumps();
}

/* Each exchange needs two descriptors; the soft limit of 1024 is a relic of select(). More than the hard limit only
 * root can have. */
static void
limit_descriptors(uint64_t wanted)
{
    struct rlimit r, more;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return;
    more = (struct rlimit){ wanted ? wanted : r.rlim_max, r.rlim_max };
    if (wanted > r.rlim_max) {
        more.rlim_max = wanted;
        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            return;
        log_warning(NULL, "`open_files %llu` is not possible, only %llu: %m (root or LimitNOFILE= raises the limit)",
                    (unsigned long long)wanted, (unsigned long long)r.rlim_max);
        more = (struct rlimit){ r.rlim_max, r.rlim_max };
    }
    setrlimit(RLIMIT_NOFILE, &more);
}

static int
refuse(const struct err *e)
{
    log_error(NULL, "%s", e->text);
    return -1;
}

int
rights_assume(const struct conf *c)
{
    const struct weir_conf *line = daemon_conf_user(c);
    struct privilege_user u;
    struct err e = { 0 };

    limit_descriptors(daemon_conf_open_files(c));
    if (!line)
        return 0;
    if (privilege_find(conf_arg(line, 0), conf_arg(line, 1), &u, &e) != 0)
        return refuse(&e);
    if (geteuid() != 0) {
        if (geteuid() != u.uid)
            log_warning(NULL, "`user` changes nothing: weir was not started by root, but by %u", (unsigned)geteuid());
        return 0;
    }
    return privilege_assume(&u, &e) == 0 ? 0 : refuse(&e);
}

static bool
has_low_port(const struct generation *g)
{
    for (unsigned i = 0; i < g->n_listeners; i++)
        for (unsigned k = 0; k < g->listeners[i].n_sockets; k++) {
            int port = addr_port(listener_addr(g->listeners[i].sockets[k]));

            if (port > 0 && port < 1024)
                return true;
        }
    return false;
}

int
rights_settle(const struct generation *g)
{
    struct err e = { 0 };

    if (privilege_drop(!supervised() && has_low_port(g), &e) != 0)
        return refuse(&e);
    privilege_no_new();
    if (daemon_conf_core_dumps(g->conf))
        allow_core_dumps();
    else
        forbid_core_dumps(); /* another user made it anew */
    if (daemon_conf_confine(g->conf))
        confine_start();
    if (privilege_assumed())
        log_notice(NULL, "serving as user %u, group %u", (unsigned)geteuid(), (unsigned)getegid());
    return 0;
}
