/* append: log files: opened for appending without ever waiting for a reader, made with mode 0640. */
#ifndef BASE_APPEND_H
#define BASE_APPEND_H

#include "err.h"

/* One that root alone may make is made by root while there is one (privilege.h), and belongs to the user then. Owned by
 * the caller; -1 with *e. */
int append_open(const char *path, struct err *e);

#endif
