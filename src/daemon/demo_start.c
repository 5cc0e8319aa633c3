/* The demonstration's processes: configurations in a private directory, `weir run` twice, and their end. */
#include "demo.h"

#include "../base/random.h"
#include "client.h"
#include "demo_conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const files[] = { "origins.conf", "gateway.conf", "access.log",         "origins.log",
                                     "gateway.log",  "origins.sock", "origins-admin.sock", "admin.sock" };

/*
 * 8080 when it is free, because that is what one would type; else any. The socket is bound but does not listen: bound
 * without SO_REUSEADDR so that nobody shares the port, and with it from then on so that the gateway may. Held until the
 * end, so that nobody else takes the port in between.
 */
static int
choose_address(struct demo *d, struct err *e)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(8080) };
    socklen_t len = sizeof a;
    int on = 1;
    d->holder = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (d->holder < 0)
        return err_errno(e, "socket");
    if (bind(d->holder, (struct sockaddr *)&a, len) != 0) {
        a.sin_port = 0;
        if (bind(d->holder, (struct sockaddr *)&a, len) != 0)
            return err_errno(e, "no port on 127.0.0.1 is free");
    }
    setsockopt(d->holder, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    getsockname(d->holder, (struct sockaddr *)&a, &len);
    snprintf(d->address, sizeof d->address, "127.0.0.1:%u", ntohs(a.sin_port));
    return 0;
}

static void
choose_secret(struct demo *d)
{
    unsigned char bytes[16];
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(d->secret + 2 * i, 3, "%02x", bytes[i]);
}

static int
write_file(const struct demo *d, const char *name, const char *text, struct err *e)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", d->dir, name);
    FILE *f = fopen(path, "wxe");
    if (!f)
        return err_errno(e, "%s", path);
    fputs(text, f);
    return fclose(f) == 0 ? 0 : err_errno(e, "%s", path);
}

static int
write_files(struct demo *d, struct err *e)
{
    char text[4096];
    const char *modules = getenv("WEIR_DEMO_MODULES");
    snprintf(d->dir, sizeof d->dir, "/tmp/weir-demo.XXXXXX");
    if (!mkdtemp(d->dir))
        return err_errno(e, "%s", d->dir);
    snprintf(text, sizeof text, DEMO_ORIGINS, d->dir);
    if (write_file(d, "origins.conf", text, e) != 0)
        return -1;
    if (!modules || !*modules)
        modules = WEIR_MODULE_DIR;
    snprintf(text, sizeof text, DEMO_GATEWAY, d->dir, d->address, d->secret, modules);
    return write_file(d, "gateway.conf", text, e);
}

static pid_t
start_weir(const struct demo *d, const char *name)
{
    char conf[128], log[128];
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    snprintf(conf, sizeof conf, "%s/%s.conf", d->dir, name);
    snprintf(log, sizeof log, "%s/%s.log", d->dir, name);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* it must not outlive the demonstration */
    if (getppid() != parent)
        _exit(1);
    signal(SIGINT, SIG_IGN); /* Ctrl-C is for the demonstration, which ends its processes itself */
    int fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        dup2(fd, STDERR_FILENO);
    execl("/proc/self/exe", "weir", "run", "-c", conf, "--no-supervisor", (char *)NULL);
    _exit(127);
}

static void
print_log(const struct demo *d, const char *name)
{
    char path[128], line[1024];
    snprintf(path, sizeof path, "%s/%s.log", d->dir, name);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        fputs(line, stderr);
    if (f)
        fclose(f);
}

/* Asks /ready until it is, at most 10 s; a process that ended is noticed at once. */
static int
wait_ready(const struct demo *d, const char *name, const char *socket, pid_t *pid, struct err *e)
{
    char address[128];
    snprintf(address, sizeof address, "unix:%s/%s", d->dir, socket);
    for (int i = 0; i < 500; i++) {
        struct client_response r;
        int status = client_ask(&r, address, "GET", "/ready", NULL, e);
        client_fini(&r);
        if (status == 200)
            return 0;
        if (waitpid(*pid, NULL, WNOHANG) == *pid) {
            *pid = 0;
            print_log(d, name);
            return err_set(e, ERR_STATE, "the %s process ended at once", name);
        }
        poll(NULL, 0, 20);
    }
    print_log(d, name);
    return err_set(e, ERR_TIMEOUT, "the %s process did not become ready", name);
}

int
demo_start(struct demo *d, struct err *e)
{
    *d = (struct demo){ .holder = -1 };
    choose_secret(d);
    if (choose_address(d, e) != 0 || write_files(d, e) != 0)
        return -1;
    d->origins = start_weir(d, "origins");
    if (d->origins < 0 || wait_ready(d, "origins", "origins-admin.sock", &d->origins, e) != 0)
        return -1;
    d->gateway = start_weir(d, "gateway");
    return d->gateway < 0 ? -1 : wait_ready(d, "gateway", "admin.sock", &d->gateway, e);
}

static void
end_process(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGTERM);
    kill(pid, SIGTERM); /* the second one ends it without the drain's lag */
    poll(NULL, 0, 100);
    for (int i = 0; i < 100 && waitpid(pid, NULL, WNOHANG) == 0; i++) {
        kill(pid, SIGTERM);
        poll(NULL, 0, 50);
    }
}

void
demo_stop(struct demo *d)
{
    char path[128];
    end_process(d->gateway);
    end_process(d->origins);
    if (d->holder >= 0)
        close(d->holder);
    if (!d->dir[0])
        return;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", d->dir, files[i]);
        unlink(path);
    }
    rmdir(d->dir);
}
