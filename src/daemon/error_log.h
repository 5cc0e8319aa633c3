/* error_log: where the operator's log goes, as the configuration says; the supervisor's goes there too. Service thread.
 */
#ifndef DAEMON_ERROR_LOG_H
#define DAEMON_ERROR_LOG_H

#include "../conf/conf.h"

void error_log_check(const struct weir_conf *line, void *diag); /* of the row */
/* Goes where c says; what is there already is kept. -1: reported on the line, and nothing has changed. */
int error_log_follow(const struct conf *c);
void error_log_reopen(void); /* SIGUSR1 */
void error_log_tell(void);   /* the supervisor, where it is */
void error_log_fini(void);

#endif
