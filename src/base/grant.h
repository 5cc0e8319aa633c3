/*
 * grant: files that the configuration names and that root alone may read (keys, mostly), for a process that serves as
 * somebody else. While root is still aside (privilege.h) such a file is copied into memory, and the copy is what is
 * read. Once root was dropped, copies come from a process that has root and has read the same configuration; the
 * process that serves can ask that one to read it again, and nothing else.
 *
 * Used by whoever builds a configuration, on its thread; one at a time.
 */
#ifndef BASE_GRANT_H
#define BASE_GRANT_H

#define GRANT_NAME_MAX 32
#define GRANT_FILE_MAX (16u << 20)

/* The name under which this process can read the file: `path` itself, or in `room` one of a copy. Where there is
 * neither it is `path`, and opening it says what is wrong. Keeps errno. */
const char *grant_name(const char *path, char room[GRANT_NAME_MAX]);
/* From now on everything that is asked for is copied too: root can read it, whoever the copies are for perhaps not. */
void grant_collect(void);
void grant_add(const char *path, int fd); /* a copy from another process; takes over fd */
void grant_each(void (*fn)(const char *path, int fd)); /* of all copies */
void grant_clear(void);                                /* none is needed until the next load */

#endif
