/* fixture: a small language with a directive of every kind, and shorthands to parse, check and look at what came of
 * it. */
#ifndef TESTS_CONF_FIXTURE_H
#define TESTS_CONF_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../src/conf/conf.h"

extern const struct weir_directive fixture_rows[];

struct conf *fixture_new(void);                     /* with the rows added */
struct conf *fixture_parse(const char *text);       /* as gateway.conf: parsed, not checked */
struct conf *fixture_load(const char *text);        /* parsed and checked */
/* The diagnostics of a text; frees c. The caller frees the result. */
char *fixture_told(struct conf *c);
/* Loading text must give exactly these diagnostics ("" for none). */
void assert_told(const char *text, const char *diagnostics);
/* Somewhere in the diagnostics of a text. */
void assert_told_part(const char *text, const char *part);
char *fixture_dump(const struct conf *c);           /* the caller frees it */
/* A fresh directory with a slash at its end; files in it. */
const char *fixture_dir(void);
void fixture_file(const char *name, const char *content);
void fixture_clean(void);

#endif
