/* file_places: the directories, with the names in them, where something must happen before files can have changed. */
#ifndef DAEMON_FILE_PLACES_H
#define DAEMON_FILE_PLACES_H

#include "../conf/files.h"

struct file_name {
    struct file_name *next;
    char text[];
};

struct file_dir {
    struct file_dir *next;
    int wd;                  /* for the one who watches it; -1 */
    bool any;                /* whatever its name is */
    struct file_name *names;
    char path[];
};

/* Looks at the file system: not on a thread that serves. A list to be freed with file_dirs_free. */
struct file_dir *file_places(const struct conf_files *files);
const struct file_dir *file_dirs_find(const struct file_dir *list, const char *path);
bool file_dir_names(const struct file_dir *d, const char *name); /* does it matter there? */
void file_dirs_free(struct file_dir *list);

#endif
