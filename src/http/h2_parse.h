/* h2_parse: what the heads of HTTP/2 requests and responses share. Private to the codec. */
#ifndef HTTP_H2_PARSE_H
#define HTTP_H2_PARSE_H

#include "h1_parse.h"
#include "h2.h"

/* ": " and CRLF, which HTTP/1.1 would have around a field. */
#define H2_LINE_EXTRA 4

/* What is wrong with a value, or with a field that is no pseudo-header field; NULL: nothing. */
const char *h2_value_error(struct slice value);
const char *h2_field_error(enum field_id id, struct slice name, struct slice value);
/* A copy in f's arena. Well-known names get the spelling that HTTP/1.1 knows them by. */
void h2_field_push(struct fields *f, enum field_id id, struct slice name, struct slice value);

#endif
