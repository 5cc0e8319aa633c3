/*
 * template: text with run-time variables, compiled at load into a list of literals and getters. Rendering a template
 * that is one variable or one literal costs no copy.
 */
#ifndef POLICY_TEMPLATE_H
#define POLICY_TEMPLATE_H

#include "../conf/conf.h"
#include "exchange.h"

struct template;

/* Compiles argument i of a line (type TEMPLATE). Unknown variables are reported as errors there, with did-you-mean.
 * Memory: arena. NULL after an error. */
struct template *template_of_arg(const struct weir_conf *line, unsigned i, struct arena *arena);
struct template *template_compile(struct slice text, const struct weir_conf *at, int arg, struct arena *arena);
/* Text for this exchange; in its arena or borrowed, valid while it lives. An absent variable is empty text. */
struct slice template_text(const struct template *t, struct weir_exchange *x);
/* The same as the value of a header field: control bytes, which a decoded query argument may hold, are
 * percent-encoded. */
struct slice template_field(const struct template *t, struct weir_exchange *x);
bool template_is_literal(const struct template *t);
/* Piece i: its variable (NULL: literal text) and what follows the variable's prefix. false: there are not so many. */
struct variable;
bool template_piece(const struct template *t, unsigned i, const struct variable **v, struct slice *rest);

/* One variable: false: unknown name. *value p NULL: known but absent. */
bool variable_text(struct weir_exchange *x, struct slice name, struct slice *value);
/* Module variables; borrowed for ever. -1: the name is taken. */
struct module;
int variable_add(const struct weir_variable *rows, const struct module *owner);
/* For help and man pages: each variable with a line of help. */
void variable_list(struct strbuf *out);

#endif
