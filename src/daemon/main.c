/* weir: the program's words. */
#include "command.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

const struct command commands[] = {
    { "run", "[-c FILE] [--no-supervisor] [--upgrade-timeout DURATION]", "serve in the foreground", command_run },
    { "check", "[-c FILE] [--dump]", "check a configuration; --dump shows it with all defaults", command_check },
    { "explain", "[-c FILE] METHOD URL [-H 'NAME: VALUE']... [--client-cert FILE] [--json]",
      "say what would happen to a request, and why", command_explain },
    { "reload", "[--admin ADDRESS] [--dry [--json]]",
      "let the running daemon load its configuration anew; --dry shows what that would change", command_reload },
    { "drain", "[--admin ADDRESS]", "let the running daemon finish its work and end", command_drain },
    { "status", "[--admin ADDRESS] [--json] [--watch[=SECONDS]]",
      "show the state of the running daemon; --watch again and again", command_status },
    { "demo", "[--once]", "run a complete demonstration on loopback", command_demo },
    { "version", "", "print the version", command_version },
    { "help", "[DIRECTIVE]", "explain the commands, or a directive of gateway.conf", command_help },
    { 0 },
};

int
command_usage(const struct command *self, const char *wrong, const char *word)
{
    if (wrong)
        fprintf(stderr, "weir %s: %s%s%s\n", self->name, wrong, word ? " " : "", word ? word : "");
    fprintf(stderr, "usage: weir %s %s\n", self->name, self->usage);
    return EXIT_USAGE;
}

static int
unknown(const char *word)
{
    fprintf(stderr, "weir: no command `%s`; `weir help` lists them\n", word);
    return EXIT_USAGE;
}

/* getopt begins its messages with the first word. */
static int
run(const struct command *c, int argc, char **argv)
{
    char name[32];
    snprintf(name, sizeof name, "weir %s", c->name);
    argv[0] = name;
    return c->run(c, argc, argv);
}

int
main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    mallopt(M_MMAP_THRESHOLD, 128 * 1024); /* else the first big block that is freed makes it 32 MiB, and they stay */
    if (argc < 2) {
        fprintf(stderr, "usage: weir COMMAND [ARGUMENTS]; `weir help` lists the commands\n");
        return EXIT_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        word = "version";
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        word = "help";
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, word) == 0)
            return run(c, argc - 1, argv + 1);
    return unknown(word);
}
