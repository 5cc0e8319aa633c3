#include "reference.h"

#include "../http/reason.h"
#include "../policy/module.h"
#include "../policy/template.h"

#include <string.h>

/* Text of a line in roff: no backslash counts, and none starts like a request. */
static void
add_text(struct strbuf *b, struct slice s)
{
    if (s.n && (*s.p == '.' || *s.p == '\''))
        strbuf_adds(b, "\\&");
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\\')
            strbuf_adds(b, "\\e");
        else
            strbuf_addc(b, s.p[i]);
}

static void
add_item(struct strbuf *b, struct slice name, struct slice help)
{
    strbuf_adds(b, ".It Li ");
    add_text(b, name);
    strbuf_addc(b, '\n');
    add_text(b, help);
    strbuf_addc(b, '\n');
}

/* variable_list gives "NAME\tHELP\n" for each. */
static void
add_variables(struct strbuf *b)
{
    struct strbuf list;

    strbuf_init(&list, 1 << 20);
    variable_list(&list);
    strbuf_adds(b, ".Sh VARIABLES\n.Bl -tag -width Ds -compact\n");
    for (const char *p = list.p, *end = p + list.n; p < end;) {
        const char *tab = memchr(p, '\t', (size_t)(end - p)), *line = memchr(tab, '\n', (size_t)(end - tab));

        add_item(b, slice_of(p, (size_t)(tab - p)), slice_of(tab + 1, (size_t)(line - tab - 1)));
        p = line + 1;
    }
    strbuf_adds(b, ".El\n");
    strbuf_fini(&list);
}

static void
add_reason(struct strbuf *b, const char *code, int status, const char *title)
{
    if (status)
        strbuf_addf(b, ".It Li %s Ta %d Ta \\&%s\n", code, status, title);
    else
        strbuf_addf(b, ".It Li %s Ta \\(en Ta \\&%s\n", code, title);
}

static void
add_reasons(struct strbuf *b, const struct module *const *modules, unsigned n)
{
    strbuf_adds(b, ".Sh REASONS\n.Bl -column \"jwt_keys_unavailable\" \"status\"\n");
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        const struct reason *r = reason_get(i);

        add_reason(b, r->code, r->status, r->title);
    }
    for (unsigned i = 0; i < n; i++)
        for (const struct weir_reason *r = modules[i]->def->reasons; r && r->code; r++)
            add_reason(b, r->code, r->status, r->title);
    strbuf_adds(b, ".El\n");
}

void
reference_print(struct conf *c, const struct module *const *modules, unsigned n, struct strbuf *out)
{
    strbuf_adds(out, ".Sh DIRECTIVES\n");
    conf_reference(c, out);
    add_variables(out);
    add_reasons(out, modules, n);
}
