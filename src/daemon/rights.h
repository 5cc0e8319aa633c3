/*
 * rights: as whom the serving process serves, and what it may. Root binds, opens logs and reads keys while the first
 * configuration is built; then nothing of it is left in this process. With a supervisor root stays there, and what a
 * reload needs of it is asked for (opener.h).
 */
#ifndef DAEMON_RIGHTS_H
#define DAEMON_RIGHTS_H

#include "../proxy/generation.h"

void rights_early(void); /* before a secret is read: no core dump */
/* `user`, `open_files`, `core_dumps`, before anything is opened. -1: the reason was printed; the process must end. */
int rights_assume(const struct conf *c);
/* All sockets and files of the first generation are open; before there are threads. -1 as above. */
int rights_settle(const struct generation *g);

#endif
