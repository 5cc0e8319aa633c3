/*
 * lexer: the words of one source with their exact places. It reports what is wrong with a word and goes on, so that
 * later errors are found too; the word is then marked bad. Words are given as ranges of the source: resolve.c makes
 * text of them.
 */
#ifndef CONF_LEXER_H
#define CONF_LEXER_H

#include "conf_impl.h"

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_SEMICOLON };

struct token {
    enum token_kind kind;
    uint32_t off, len;
    uint32_t line, end_line; /* of its first byte, of the byte behind it */
    unsigned flags;          /* ARG_DOUBLE .. ARG_BAD, ARG_KEY */
    bool dollar;             /* there is a '$' in it */
};

struct lexer {
    struct conf *conf;
    struct source *src;
    const char *p, *end;
    uint32_t line;
    uint32_t told_line;      /* where the last complaint about a byte was: one is enough */
    bool fresh;              /* nothing but blanks so far on this line */
    bool silent;             /* reports nothing */
    bool open_ended[2];      /* a "..." ('...') without an end was seen: there can be no more that span lines */
};

void lexer_init(struct lexer *l, struct conf *c, struct source *src);
struct token lexer_next(struct lexer *l);
/* Of a word with ARG_OPEN_END: -1: a `{` that ended its line is in it; else how many `}` did so. */
int lexer_swallowed(const struct lexer *l, const struct token *t);

/* Text of a word: quotes and escapes undone, ${env.*} and ${file:} resolved. */
void resolve_word(struct conf *c, struct source *src, const struct token *t, struct conf_arg *out);

#endif
