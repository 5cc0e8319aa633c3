/* What a confined process can still do, and what ends it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/log.h"
#include "../../../src/base/privilege.h"
#include "../../../src/daemon/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char said[4096]; /* what the child logged */

/* How a confined child ends that runs fn; its exit code is what fn returns. */
static int
ends(int (*fn)(void))
{
    int fds[2], status;
    size_t n = 0;
    ssize_t got;

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        log_set_fd(fds[1]);
        privilege_no_new();
        confine_start();
        _exit(fn());
    }
    close(fds[1]);
    while ((got = read(fds[0], said + n, sizeof said - 1 - n)) > 0)
        n += (size_t)got;
    said[n] = '\0';
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int
run_a_program(void)
{
    return execl("/bin/true", "true", NULL);
}

static int
fork_it(void)
{
    return fork() < 0;
}

static int
trace_somebody(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0;
}

static int
mount_something(void)
{
    return mount("none", "/", "tmpfs", 0, NULL) == 0;
}

static int
become_root(void)
{
    return setuid(0) != 0;
}

static int
make_a_ring(void)
{
    return syscall(SYS_io_uring_setup, 1, NULL) < 0;
}

static void
refused_calls_end_it(void **state)
{
    static const struct {
        int (*fn)(void);
        int number; /* 0: not looked at */
    } calls[] = {
        { run_a_program, SYS_execve }, { fork_it, SYS_clone },       { trace_somebody, SYS_ptrace },
        { mount_something, SYS_mount }, { become_root, SYS_setuid }, { make_a_ring, SYS_io_uring_setup },
    };

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char want[64];
        int status = ends(calls[i].fn);

        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSYS);
        snprintf(want, sizeof want, "error system call %d is none of a gateway's", calls[i].number);
        assert_non_null(strstr(said, want));
    }
}

static void *
thread_main(void *arg)
{
    *(int *)arg = 1;
    return NULL;
}

static int
work(void)
{
    struct addrinfo *found = NULL;
    pthread_t t;
    int ran = 0, fd = memfd_create("x", MFD_CLOEXEC);

    if (fd < 0 || pthread_create(&t, NULL, thread_main, &ran) != 0 || pthread_join(t, NULL) != 0 || !ran)
        return 1;
    if (getaddrinfo("localhost", "80", NULL, &found) == 0)
        freeaddrinfo(found);
    if (socket(AF_INET, SOCK_STREAM, 0) < 0 || socket(AF_INET6, SOCK_DGRAM, 0) < 0 || socket(AF_UNIX, SOCK_DGRAM, 0) < 0)
        return 2;
    if (socket(AF_PACKET, SOCK_RAW, 0) >= 0 || errno != EAFNOSUPPORT || socket(AF_ALG, SOCK_SEQPACKET, 0) >= 0 ||
        errno != EAFNOSUPPORT)
        return 3;
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p, 4096, PROT_READ | PROT_EXEC) != 0) /* a regular expression becomes code */
        return 4;
    return open("/proc/self/status", O_RDONLY) < 0 ? 5 : 0;
}

static void
its_work_goes_on(void **state)
{
    int status = ends(work);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_string_equal(said, "");
}

static void *
forking_main(void *arg)
{
    fork_it();
    return arg;
}

static int
thread_that_forks(void)
{
    pthread_t t;

    return pthread_create(&t, NULL, forking_main, NULL) || pthread_join(t, NULL);
}

static void
threads_are_confined_too(void **state)
{
    int status = ends(thread_that_forks);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_calls_end_it),
        cmocka_unit_test(its_work_goes_on),
        cmocka_unit_test(threads_are_confined_too),
    };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 77; /* not confined */
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
