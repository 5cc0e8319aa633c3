#include "script.h"
#include "../base/xalloc.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static int
name_it(struct script *s)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0, i;

    if (!EVP_Digest(s->text, s->n, sum, &n, EVP_sha1(), NULL) || n != 20)
        return -1;
    for (i = 0; i < n; i++) {
        s->sha[2 * i] = digits[sum[i] >> 4];
        s->sha[2 * i + 1] = digits[sum[i] & 15];
    }
    return 0;
}

static void
script_free(struct script *s)
{
    free(s->text);
    free(s);
}

/* A place for a new one; NULL: all are in use. */
static struct script **
place(struct script_table *t)
{
    unsigned i;

    if (t->n < SCRIPTS_MAX)
        return &t->scripts[t->n++];
    for (i = 0; i < SCRIPTS_MAX; i++) {
        struct script **at = &t->scripts[t->next_out++ % SCRIPTS_MAX];

        if ((*at)->refs)
            continue;
        script_free(*at);
        return at;
    }
    return NULL;
}

static struct script *
find(struct script_table *t, const char *text)
{
    unsigned i;

    for (i = 0; i < t->n; i++) {
        if (t->scripts[i]->given == text && strcmp(t->scripts[i]->text, text) == 0)
            return t->scripts[i];
    }
    for (i = 0; i < t->n; i++) {
        if (strcmp(t->scripts[i]->text, text) == 0)
            return t->scripts[i];
    }
    return NULL;
}

struct script *
script_get(struct script_table *t, const char *text)
{
    struct script *s = find(t, text), **at;
    size_t n;

    if (!s) {
        n = strlen(text);
        if (n > SCRIPT_TEXT_MAX)
            return NULL;
        s = xcalloc(1, sizeof(*s));
        s->text = xstrndup(text, n);
        s->n = n;
        at = name_it(s) == 0 ? place(t) : NULL;
        if (!at) {
            script_free(s);
            return NULL;
        }
        *at = s;
    }
    s->given = text;
    s->refs++;
    return s;
}

void
script_put(struct script *s)
{
    s->refs--;
}

void
script_table_fini(struct script_table *t)
{
    while (t->n)
        script_free(t->scripts[--t->n]);
}
