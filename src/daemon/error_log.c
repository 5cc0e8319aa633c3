#include "error_log.h"

#include "../base/log_out.h"
#include "../base/xalloc.h"
#include "supervised.h"

#include <stdlib.h>
#include <string.h>

static char *current; /* owned: what the line said; NULL: stderr */

/* Whether it is syslog; its facility. */
static bool
is_syslog(const struct weir_conf *line, int *facility)
{
    struct slice to = conf_arg(line, 0);

    if (slice_eq(to, SLICE("syslog"))) {
        *facility = log_out_facility("daemon");
        return true;
    }
    if (!slice_starts(to, SLICE("syslog:")))
        return false;
    *facility = log_out_facility(slice_from(to, 7).p);
    return true;
}

void
error_log_check(const struct weir_conf *line, void *diag)
{
    int facility = 0;
    bool syslog = is_syslog(line, &facility);

    (void)diag;
    if (facility < 0)
        conf_error(line, 0, "there is no such facility\ndaemon, user, auth, authpriv, cron, ftp, lpr, mail, news, "
                            "syslog, uucp, and local0 to local7 are known");
    if (!syslog && conf_opt_given(line, "socket"))
        conf_opt_error(line, "socket", "only syslog has a socket");
}

static int
go_to(const struct weir_conf *line, struct err *e)
{
    struct slice to = conf_arg(line, 0), socket = SLICE(LOG_OUT_SYSLOG);
    int facility;

    if (conf_opt_given(line, "socket"))
        socket = conf_path(line, conf_opt(line, "socket"));
    if (is_syslog(line, &facility))
        return log_out_syslog(socket.p, facility, e);
    if (!slice_eq(to, SLICE("stderr")))
        return log_out_file(conf_path(line, to).p, e);
    log_out_stderr();
    return 0;
}

int
error_log_follow(const struct conf *c)
{
    const struct weir_conf *line = conf_get(conf_root(c), "error_log");
    struct slice to = conf_arg(line, 0);
    struct err e = { 0 };
    struct strbuf where;

    strbuf_init(&where, SIZE_MAX);
    strbuf_addf(&where, "%.*s %.*s", SLICE_FMT(to), SLICE_FMT(conf_opt(line, "socket")));
    if (current ? strcmp(current, where.p) == 0 : slice_eq(to, SLICE("stderr"))) {
        strbuf_fini(&where);
        return 0;
    }
    if (go_to(line, &e) != 0) {
        conf_error(line, 0, "%s", e.text);
        strbuf_fini(&where);
        return -1;
    }
    free(current);
    current = xstrdup(where.p);
    strbuf_fini(&where);
    return 0;
}

void
error_log_reopen(void)
{
    log_out_reopen();
    error_log_tell();
}

void
error_log_tell(void)
{
    struct log_place p = log_out_place();

    if (supervised())
        supervised_send_log(&p);
}

void
error_log_fini(void)
{
    free(current);
    current = NULL;
}
