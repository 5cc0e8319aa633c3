/*
 * file_watch: `watch on;`: a reload is asked for when a file of the configuration has changed: one that it stands in, a
 * certificate, key or key set, a ${file:} value, or the names that an `include` pattern finds. Directories are watched
 * and not files, each one on the way that holds a symbolic link too, so that it does not matter how a file is
 * replaced: written in place, renamed over, or by the exchange of a link (`..data` of a Kubernetes ConfigMap). What
 * counts is the content, which is looked at by a helper thread when all has been quiet for a moment. Service thread.
 */
#ifndef DAEMON_FILE_WATCH_H
#define DAEMON_FILE_WATCH_H

#include "../conf/files.h"
#include "../event/loop.h"

/* ask: asks for a reload; file_watch_asked is called when that is over. */
void file_watch_init(struct loop *l, void (*ask)(void));
/* These are the files of the latest load, also of one that failed (a reference is taken). on: what the live
 * configuration says; off: nothing is watched. */
void file_watch_follow(struct conf_files *files, bool on);
void file_watch_asked(void);
void file_watch_fini(void); /* after offload_fini and what it has left in the mailbox; idempotent */

#endif
