/* `weir help` and `weir version`. */
#include "config.h"

#include "command.h"

#include "../base/err.h"
#include "../policy/module.h"
#include "load.h"

#include <stdio.h>
#include <string.h>

int
command_version(const struct command *self, int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return command_usage(self, "takes no arguments", NULL);
    printf("weir %s (module ABI %d.%d)\n", PACKAGE_VERSION, WEIR_ABI_MAJOR, WEIR_ABI_MINOR);
    return EXIT_GOOD;
}

/* The shipped policies' directives are explained too, where their modules are installed. */
static void
add_shipped_modules(struct conf *c)
{
    static const char *const shipped[] = { "jwt", "rate_limit", "circuit_breaker", "canary" };
    struct slice dir = SLICE(WEIR_MODULE_DIR);
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++) {
        struct err e;
        const struct module *m = module_load(shipped[i], &dir, 1, &e);
        if (m)
            conf_add_rows(c, m->def->directives, m->def->name, NULL);
    }
}

static void
list_commands(void)
{
    printf("weir: API gateway and reverse proxy\n\n");
    for (const struct command *c = commands; c->name; c++)
        printf("  weir %s %s\n      %s\n", c->name, c->usage, c->summary);
    printf("\nDirectives of gateway.conf (`weir help DIRECTIVE` explains one):\n\n");
}

int
command_help(const struct command *self, int argc, char **argv)
{
    if (argc > 2)
        return command_usage(self, "takes one directive", NULL);
    struct conf *c = load_tables();
    struct strbuf text;
    strbuf_init(&text, 4u << 20);
    add_shipped_modules(c);
    int rc;
    if (argc == 2 && strcmp(argv[1], "--reference") == 0) {
        conf_reference(c, &text); /* the directive section of gateway.conf(5), made from the same rows */
        rc = 0;
    } else {
        if (argc == 1)
            list_commands();
        rc = conf_help(c, argc == 2 ? argv[1] : NULL, &text);
    }
    fputs(text.p ? text.p : "", rc == 0 ? stdout : stderr);
    strbuf_fini(&text);
    conf_free(c);
    return rc == 0 ? EXIT_GOOD : EXIT_FAILED;
}
