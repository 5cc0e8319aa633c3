#include "config.h"

#include "confine.h"

#include "../base/log.h"
#include "../base/log_out.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#endif

#if !defined(ARCH) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

void
confine_start(void)
{
    log_info(NULL, "this build has no filter of system calls");
}

#else

#define EXIT_REFUSED (128 + SIGSYS)
#define X32_BIT 0x40000000u /* another set of calls on x86-64 */

/* In groups: what each would be good for. */
static const int refused[] = {
    /* other programs, other processes */
    SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_process_madvise, SYS_kcmp,
    SYS_pidfd_getfd, SYS_pidfd_send_signal, SYS_personality,
#ifdef SYS_fork
    SYS_fork, SYS_vfork,
#endif
    /* to be somebody else */
    SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid, SYS_setfsgid,
    SYS_setgroups, SYS_capset,
    /* another view of the file system, devices */
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_fsconfig,
    SYS_fsmount, SYS_fspick, SYS_mount_setattr, SYS_unshare, SYS_setns, SYS_open_by_handle_at, SYS_mknodat,
    SYS_quotactl, SYS_swapon, SYS_swapoff, SYS_acct,
#ifdef SYS_mknod
    SYS_mknod,
#endif
    /* the kernel: its code, its keys, its clocks, and what its bugs were found in */
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd,
    SYS_reboot, SYS_syslog, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_settimeofday, SYS_clock_settime,
    SYS_clock_adjtime, SYS_adjtimex, SYS_sethostname, SYS_setdomainname, SYS_vhangup, SYS_lookup_dcookie,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_modify_ldt
    SYS_modify_ldt, SYS_iopl, SYS_ioperm,
#endif
    /* calls that pass by every filter */
    SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
};

#define REFUSED (sizeof(refused) / sizeof(*refused))

struct program {
    struct sock_filter code[2 * REFUSED + 32];
    unsigned short n;
};

static void
add(struct program *p, uint16_t code, uint8_t yes, uint8_t no, uint32_t k)
{
    p->code[p->n++] = (struct sock_filter){ code, yes, no, k };
}

static void
load(struct program *p, size_t offset)
{
    add(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

/* The next `skip` instructions are for this value alone. */
static void
only_if(struct program *p, uint32_t value, uint8_t skip)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, skip, value);
}

static void
verdict(struct program *p, uint32_t action)
{
    add(p, BPF_RET | BPF_K, 0, 0, action);
}

/* Threads are what clone is for here. The flags of clone3 lie in memory, where no filter sees them: the C library goes
 * back to clone when the kernel has none. */
static void
add_clone(struct program *p)
{
    only_if(p, SYS_clone3, 1);
    verdict(p, SECCOMP_RET_ERRNO | ENOSYS);
    only_if(p, SYS_clone, 4);
    load(p, offsetof(struct seccomp_data, args[0])); /* the low half: these processors are little-endian */
    add(p, BPF_JMP | BPF_JSET | BPF_K, 0, 1, CLONE_THREAD);
    verdict(p, SECCOMP_RET_ALLOW);
    verdict(p, SECCOMP_RET_TRAP);
}

/* NETLINK is how the C library learns of the host's addresses. */
static void
add_socket(struct program *p)
{
    static const int families[] = { AF_INET, AF_INET6, AF_UNIX, AF_NETLINK };
    const uint8_t n = sizeof(families) / sizeof(*families);

    only_if(p, SYS_socket, (uint8_t)(2 * n + 2));
    load(p, offsetof(struct seccomp_data, args[0]));
    for (uint8_t i = 0; i < n; i++) {
        only_if(p, (uint32_t)families[i], 1);
        verdict(p, SECCOMP_RET_ALLOW);
    }
    verdict(p, SECCOMP_RET_ERRNO | EAFNOSUPPORT);
}

static void
compose(struct program *p)
{
    p->n = 0;
    load(p, offsetof(struct seccomp_data, arch));
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCH);
    verdict(p, SECCOMP_RET_KILL_PROCESS);
    load(p, offsetof(struct seccomp_data, nr));
    add(p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
    verdict(p, SECCOMP_RET_KILL_PROCESS);
    for (size_t i = 0; i < REFUSED; i++) {
        only_if(p, (uint32_t)refused[i], 1);
        verdict(p, SECCOMP_RET_TRAP);
    }
    add_clone(p);
    add_socket(p);
    verdict(p, SECCOMP_RET_ALLOW);
}

/* In the C library's fork, say, whose locks are held: nothing here may take one. */
static void
tell(int number)
{
    static const char before[] = "error system call ";
    static const char after[] = " is none of a gateway's (`confine`); ending the process\n";
    char line[160], digits[12];
    size_t n = 0, k = sizeof(digits);

    if (log_out_form() != LOG_FORM_PLAIN) {
        memcpy(line, "<3>", 3);
        n = 3;
    }
    memcpy(line + n, before, sizeof(before) - 1);
    n += sizeof(before) - 1;
    do
        digits[--k] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    memcpy(line + n, digits + k, sizeof(digits) - k);
    n += sizeof(digits) - k;
    memcpy(line + n, after, sizeof(after) - 1);
    log_out_write(line, n + sizeof(after) - 1);
}

static void
on_refused(int signo, siginfo_t *info, void *context)
{
    struct sigaction action = { .sa_handler = SIG_DFL };

    (void)context;
    tell(info->si_syscall);
    sigaction(signo, &action, NULL);
    syscall(SYS_tgkill, getpid(), gettid(), signo); /* so that a supervisor sees why */
    _exit(EXIT_REFUSED);                            /* process 1 is not ended by its own signals */
}

void
confine_start(void)
{
    struct sigaction action = { .sa_sigaction = on_refused, .sa_flags = SA_SIGINFO | SA_NODEFER };
    struct program p;

    compose(&p);
    sigaction(SIGSYS, &action, NULL);
    struct sock_fprog program = { p.n, p.code };
    /* Not seccomp(2), which is none of systemd's @system-service. */
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        log_info(NULL, "no filter of system calls: %m");
}

#endif
