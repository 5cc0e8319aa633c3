/* listener_probe: a bind that is given up at once. It shares the port with the sockets of this process (SO_REUSEPORT)
 * and is in nobody's way, since it never listens. */
#include "listener.h"

#include "bind.h"

#include <unistd.h>

int
listener_probe(const struct addr *a, struct err *e)
{
    int fd;

    if (addr_is_unix(a) || addr_port(a) == 0)
        return 0;
    fd = bind_socket(a, true);
    if (fd < 0)
        return bind_error(a, e);
    close(fd);
    return 0;
}
