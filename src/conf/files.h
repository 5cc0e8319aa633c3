/*
 * files: what a configuration was made of: the files it stands in, those whose content it took (${file:}, certificates,
 * keys, key sets), and the patterns it looked for, each with a digest of what was found. Whoever holds a list can see
 * later whether the same load would find the same. Written by the thread that loads, immutable afterwards; counted
 * references.
 */
#ifndef CONF_FILES_H
#define CONF_FILES_H

#include "conf.h"

enum conf_file_kind {
    CONF_FILE_SOURCE,  /* a file of directives */
    CONF_FILE_CONTENT, /* one whose content is taken */
    CONF_FILE_PATTERN  /* of `include`: which names there are */
};

struct conf_file {
    struct conf_file *next; /* in the order in which they were looked for */
    enum conf_file_kind kind;
    uint64_t digest;        /* of what it holds; 0: it could not be read */
    uint64_t stamp;         /* of what can be seen from outside: which file it is, its size, when it was written */
    const char *path;       /* absolute; into what follows */
    char text[];
};

struct conf_files;

/* Of a configuration, which goes on adding to it until a generation is built from it. */
struct conf_files *conf_files(const struct conf *c);
struct conf_files *conf_files_hold(struct conf_files *f);
void conf_files_put(struct conf_files *f); /* any thread; NULL is allowed */
const struct conf_file *conf_files_first(const struct conf_files *f);
const struct conf_file *conf_files_find(const struct conf_files *f, const char *path);

/* Would it be the same now? Reads it: not on a thread that serves. One that this process may not read, as when root has
 * read it for the load (grant.h), is judged from outside. */
bool conf_file_same(const struct conf_file *f);

#endif
