#include "notify.h"

#include "../base/parse.h"
#include "../event/watchdog.h"
#include "supervised.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct timer watchdog;
static nsec_t watchdog_every;
static bool told_ready;

void
notify_systemd(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    size_t n = path ? strlen(path) : 0;
    int fd;

    if (n < 2 || n >= sizeof sa.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(sa.sun_path, path, n);
    if (path[0] == '@')
        sa.sun_path[0] = '\0'; /* an abstract address */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&sa,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
    close(fd);
}

static void
tell(const char *text)
{
    if (supervised())
        supervised_notify(text);
    else
        notify_systemd(text);
}

static void
on_watchdog(struct timer *t)
{
    if (!watchdog_stuck()) /* a worker that is stuck is as bad as this loop being it: systemd shall restart */
        tell("WATCHDOG=1");
    timer_after(t, watchdog_every);
}

/* How often systemd wants to hear of this process; 0: never. */
static nsec_t
asked_interval(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t every, for_whom = (uint64_t)getpid();

    if (!usec || parse_u64(slice_str(usec), INT64_MAX / 1000, &every) != 0)
        return 0;
    if (pid && (parse_u64(slice_str(pid), INT32_MAX, &for_whom) != 0 || for_whom != (uint64_t)getpid()))
        return 0;
    return (nsec_t)every * 1000;
}

void
notify_start(struct loop *l)
{
    timer_init(&watchdog, l, on_watchdog);
    watchdog_every = asked_interval() / 2;
    if (watchdog_every)
        timer_after(&watchdog, watchdog_every);
}

void
notify_ready(void)
{
    if (told_ready)
        return;
    told_ready = true;
    tell("READY=1\nSTATUS=serving");
}

void
notify_reloading(void)
{
    char text[80];
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
             (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000);
    tell(text);
}

void
notify_reloaded(void)
{
    tell("READY=1");
}

void
notify_stopping(void)
{
    tell("STOPPING=1\nSTATUS=draining");
}

void
notify_fini(void)
{
    timer_fini(&watchdog);
}

bool
notify_is_status(const char *words)
{
    static const char *const known[] = { "READY=",  "RELOADING=", "STOPPING=",
                                         "STATUS=", "WATCHDOG=1", "MONOTONIC_USEC=" };
    bool good = true;

    for (const char *line = words; line && *line && good; line = strchr(line, '\n')) {
        line += *line == '\n';
        good = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            good |= strncmp(line, known[i], strlen(known[i])) == 0;
    }
    return good;
}
