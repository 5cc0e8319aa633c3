/*
 * allocs: counts what a process asks of malloc, in a file that others can read meanwhile. Preloaded by counts.py; glibc
 * only.
 *
 *     ALLOCS_FILE=... LD_PRELOAD=allocs.so weir run ...
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t count, size_t n);
extern void *__libc_realloc(void *p, size_t n);

struct counts {
    uint64_t calls, bytes;
};

static struct counts before_init;
static struct counts *counts = &before_init;

__attribute__((constructor)) static void
init(void)
{
    const char *path = getenv("ALLOCS_FILE");
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    void *shared = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, sizeof(*counts)) == 0)
        shared = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (shared != MAP_FAILED)
        counts = shared;
}

static void
count(size_t n)
{
    __atomic_fetch_add(&counts->calls, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&counts->bytes, n, __ATOMIC_RELAXED);
}

void *
malloc(size_t n)
{
    count(n);
    return __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
    count(n * size);
    return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
    count(n);
    return __libc_realloc(p, n);
}
