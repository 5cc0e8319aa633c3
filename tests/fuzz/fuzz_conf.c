/* The configuration's language with all tables of the core: an error is told for what is refused, and what is accepted
 * is dumped as text that is accepted and dumped the same again. What only stands where secrets stand is never shown.
 * Input: the file. */
#include "fuzz.h"

#include "../../src/daemon/load.h"

#define NAME "/nonexistent/gateway.conf"
#define HIDDEN "SEKRIT" /* in an input: what must not show */

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    clearenv();
    setenv("NAME", "value", 1);
    setenv("ODD", "a b;{\"'${}\\\n", 1);
    return 0;
}

/* Patterns would make it look through the whole file system. */
static bool
looks_for_files(struct slice text)
{
    return memmem(text.p, text.n, "include", 7) &&
           (memchr(text.p, '*', text.n) || memchr(text.p, '?', text.n) || memchr(text.p, '[', text.n));
}

static struct conf *
load(struct slice text, bool is_dump)
{
    struct conf *c = load_tables();
    int result;

    if (is_dump)
        conf_allow_masked(c);
    result = conf_parse_text(c, NAME, text);
    FUZZ_REQUIRE((result == 0) == (conf_errors(c) == 0));
    result = conf_check(c);
    FUZZ_REQUIRE((result == 0) == (conf_errors(c) == 0));
    return c;
}

static struct strbuf
dump_of(const struct conf *c)
{
    struct strbuf out;

    strbuf_init(&out, 64u << 20);
    conf_dump(c, &out);
    FUZZ_REQUIRE(!out.truncated);
    return out;
}

static unsigned
count_hidden(struct slice s)
{
    unsigned n = 0;
    const char *at;

    while (s.n && (at = memmem(s.p, s.n, HIDDEN, strlen(HIDDEN)))) {
        s = slice_from(s, (size_t)(at - s.p) + strlen(HIDDEN));
        n++;
    }
    return n;
}

/* As often as it stands in arguments that are secrets. */
static unsigned
count_in_secrets(const struct weir_conf *block)
{
    unsigned n = 0;

    for (const struct weir_conf *line = conf_first(block); line; line = conf_sibling(line)) {
        bool secret = conf_row(line) && conf_row(line)->flags & WEIR_D_SECRET;

        for (unsigned i = 0; secret && i < conf_args(line); i++) {
            if (!slice_starts(conf_arg(line, i), SLICE("file:")))
                n += count_hidden(conf_arg(line, i));
        }
        n += count_in_secrets(line);
    }
    return n;
}

static void
require_told(const struct conf *c, bool hides)
{
    struct strbuf out;

    strbuf_init(&out, 64u << 20);
    conf_diagnostics(c, &out);
    FUZZ_REQUIRE((conf_errors(c) > 0) == (out.n && strstr(out.p, ": error: ")));
    FUZZ_REQUIRE((conf_errors(c) + conf_warnings(c) > 0) == (out.n > 0));
    FUZZ_REQUIRE(!hides || count_hidden(strbuf_slice(&out)) == 0);
    strbuf_fini(&out);
}

static void
require_dump(const struct conf *c, bool hides)
{
    struct strbuf first = dump_of(c), second;
    struct conf *again = load(strbuf_slice(&first), true);

    if (conf_errors(again)) {
        struct strbuf told;

        strbuf_init(&told, 1u << 20);
        conf_diagnostics(again, &told);
        fprintf(stderr, "%s%s", first.p, told.p);
    }
    FUZZ_REQUIRE(conf_errors(again) == 0);
    second = dump_of(again);
    FUZZ_REQUIRE(!hides || count_hidden(strbuf_slice(&first)) == 0);
    FUZZ_REQUIRE(slice_eq(strbuf_slice(&first), strbuf_slice(&second)));
    strbuf_fini(&first);
    strbuf_fini(&second);
    conf_free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    struct conf *c;
    bool hides;

    if (size && looks_for_files(text))
        return 0;
    c = load(text, false);
    hides = count_in_secrets(conf_root(c)) == count_hidden(text);
    require_told(c, hides);
    if (conf_errors(c) == 0)
        require_dump(c, hides);
    conf_free(c);
    return 0;
}
