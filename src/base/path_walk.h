/*
 * path_walk: the way to a file as the kernel goes it, from / on: each component in turn, and where it leads when it is
 * a symbolic link. Nothing is opened.
 */
#ifndef BASE_PATH_WALK_H
#define BASE_PATH_WALK_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

struct path_walk {
    /* The step that was taken: dir has been walked before, and there is no link in it; "." and ".." are no steps. */
    char dir[PATH_MAX], name[NAME_MAX + 1];
    char full[PATH_MAX]; /* both */
    struct stat st;      /* of what is there, be it a link itself; */
    int missing;         /* else errno: it was the last step */
    bool last;           /* nothing follows, unless it is a link */
    bool lost;           /* no further step could be taken, though there was one: too long, too many links */
    char rest[PATH_MAX]; /* and what is to come */
    unsigned links;
};

void path_walk_begin(struct path_walk *w, const char *path); /* lost: it is not absolute, or too long */
bool path_walk_step(struct path_walk *w);                    /* false: it is over, or lost */

#endif
