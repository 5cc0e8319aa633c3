/* access_line: one exchange as one line of JSON, appended by hand: this runs for every request. */
#ifndef OBSERVE_ACCESS_LINE_H
#define OBSERVE_ACCESS_LINE_H

#include "access_log.h"

/* No line of this record is longer (every byte escaped). */
size_t access_line_bound(const struct access_record *r);
/* Writes the line with its newline at p, where there is room for the bound; returns its end. */
char *access_line_write(char *p, const struct access_record *r);

#endif
