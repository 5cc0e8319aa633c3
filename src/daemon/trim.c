#include "trim.h"

#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Nothing was ever written there: without text relocations, which neither weir nor its libraries have on a platform
 * that knows position-independent code, such a page is the file's. */
static void
trim_segment(uintptr_t at, const ElfW(Phdr) *segment)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = at + segment->p_vaddr;
    uintptr_t end = begin + segment->p_memsz;

    begin &= ~(page - 1);
    end = (end + page - 1) & ~(page - 1);
    madvise((void *)begin, end - begin, MADV_DONTNEED);
}

static int
trim_object(struct dl_phdr_info *object, size_t size, void *arg)
{
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];

        if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
            trim_segment(object->dlpi_addr, segment);
    }
    return 0;
}

void
trim_memory(void)
{
    malloc_trim(0);
    dl_iterate_phdr(trim_object, NULL);
}
