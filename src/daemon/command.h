/* command: one word of the weir program. */
#ifndef DAEMON_COMMAND_H
#define DAEMON_COMMAND_H

#define DEFAULT_CONFIG WEIR_SYSCONF_DIR "/gateway.conf"

/* Exit codes, see weir(8). */
#define EXIT_GOOD 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2

struct command {
    const char *name;
    const char *usage;   /* what follows the name */
    const char *summary; /* one line for `weir help` */
    int (*run)(const struct command *self, int argc, char **argv); /* argv[0] is the name */
};

int command_run(const struct command *self, int argc, char **argv);
int command_check(const struct command *self, int argc, char **argv);
int command_explain(const struct command *self, int argc, char **argv);
int command_reload(const struct command *self, int argc, char **argv);
int command_drain(const struct command *self, int argc, char **argv);
int command_status(const struct command *self, int argc, char **argv);
int command_demo(const struct command *self, int argc, char **argv);
int command_version(const struct command *self, int argc, char **argv);
int command_help(const struct command *self, int argc, char **argv);

/* Says on stderr how the command is used; EXIT_USAGE. */
int command_usage(const struct command *self, const char *wrong, const char *word);
/* The list for `weir help`; ends with name NULL. */
extern const struct command commands[];

#endif
