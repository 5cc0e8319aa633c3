/* `weir help` and `weir version`. */
#include "config.h"

#include "command.h"

#include "../base/err.h"
#include "../policy/module.h"
#include "load.h"
#include "reference.h"

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

#define DIRS_MAX 16

/* Policies that come with weir: their directives are explained too, where their modules are found. */
static const char *const shipped[] = { "jwt", "rate_limit", "circuit_breaker", "canary", "grpc_web" };
#define SHIPPED (sizeof shipped / sizeof *shipped)

static void
list_commands(void)
{
    printf("weir: API gateway and reverse proxy\n\n");
    for (const struct command *c = commands; c->name; c++)
        printf("  weir %s %s\n      %s\n", c->name, c->usage, c->summary);
    printf("\nDirectives of gateway.conf (`weir help DIRECTIVE` explains one):\n\n");
}

/* The generated part of gateway.conf(5). It is complete or an error. */
static int
print_reference(int n, char **dirs)
{
    struct slice where[DIRS_MAX] = { SLICE(WEIR_MODULE_DIR) };
    const struct module *modules[SHIPPED];
    for (int i = 0; i < n; i++)
        where[i] = slice_str(dirs[i]);
    struct conf *c = load_tables();
    int rc = EXIT_GOOD;
    for (size_t i = 0; i < SHIPPED && rc == EXIT_GOOD; i++) {
        struct err e;
        modules[i] = module_load(shipped[i], where, n ? (unsigned)n : 1, &e);
        if (modules[i]) {
            conf_add_rows(c, modules[i]->def->directives, modules[i]->def->name, NULL);
        } else {
            fprintf(stderr, "weir help: %s\n", e.text);
            rc = EXIT_FAILED;
        }
    }
    if (rc == EXIT_GOOD) {
        struct strbuf text;
        strbuf_init(&text, 4u << 20);
        reference_print(c, modules, SHIPPED, &text);
        fputs(text.p, stdout);
        strbuf_fini(&text);
    }
    conf_free(c);
    return rc;
}

static void
add_shipped_modules(struct conf *c)
{
    struct slice dir = SLICE(WEIR_MODULE_DIR);
    for (size_t i = 0; i < SHIPPED; i++) {
        struct err e;
        const struct module *m = module_load(shipped[i], &dir, 1, &e);
        if (m)
            conf_add_rows(c, m->def->directives, m->def->name, NULL);
    }
}

int
command_help(const struct command *self, int argc, char **argv)
{
    if (argc >= 2 && argc - 2 <= DIRS_MAX && strcmp(argv[1], "--reference") == 0)
        return print_reference(argc - 2, argv + 2);
    if (argc > 2)
        return command_usage(self, "takes one directive", NULL);
    struct conf *c = load_tables();
    struct strbuf text;
    strbuf_init(&text, 4u << 20);
    add_shipped_modules(c);
    if (argc == 1)
        list_commands();
    int rc = conf_help(c, argc == 2 ? argv[1] : NULL, &text);
    fputs(text.p ? text.p : "", rc == 0 ? stdout : stderr);
    strbuf_fini(&text);
    conf_free(c);
    return rc == 0 ? EXIT_GOOD : EXIT_FAILED;
}
