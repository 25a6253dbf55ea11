/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sandbox.h"

#include "agent/files.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20 };

#define DONE UINT32_MAX /* the number of the last answer */

struct header {
    uint32_t number, len;
};

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "which AUDIT_ARCH is this?"
#endif

/* Reading what is open, memory, answering, and ending. */
static const int allowed[] = {
    SYS_read,      SYS_pread64, SYS_fstat,      SYS_newfstatat,   SYS_write,         SYS_munmap,
    SYS_brk,       SYS_mremap,  SYS_madvise,    SYS_futex,        SYS_clock_gettime, SYS_getrandom,
    SYS_setitimer, SYS_exit,    SYS_exit_group, SYS_rt_sigreturn,
};
enum { ALLOWED = sizeof(allowed) / sizeof(allowed[0]) };

static int confine(void)
{
    static const struct sock_filter before[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    /* mmap is allowed for memory that holds no code, and that RLIMIT_DATA counts: shared memory is
     * nowhere counted. */
    static const struct sock_filter after[] = {
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 6),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 4, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, MAP_TYPE),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAP_PRIVATE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    enum { BEFORE = sizeof(before) / sizeof(before[0]), AFTER = sizeof(after) / sizeof(after[0]) };
    struct sock_filter filter[BEFORE + 2 * ALLOWED + AFTER];
    const struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

    memcpy(filter, before, sizeof(before));
    for (size_t i = 0; i < ALLOWED; i++) {
        filter[BEFORE + 2 * i] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i], 0, 1);
        filter[BEFORE + 2 * i + 1] =
            (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    memcpy(&filter[BEFORE + 2 * ALLOWED], after, sizeof(after));
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Bytes of private writable memory now, which RLIMIT_DATA counts. */
static size_t data_size(void)
{
    _cleanup_fclose_ FILE *statm = fopen("/proc/self/statm", "re");
    unsigned long data = 0;

    if (!statm || fscanf(statm, "%*u %*u %*u %*u %*u %lu", &data) != 1) /* NOLINT(cert-err34-c) */
        return 0;
    return data * (size_t)sysconf(_SC_PAGESIZE);
}

static int limit(int what, rlim_t max)
{
    return setrlimit((__rlimit_resource_t)what, &(struct rlimit){ max, max });
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

    return (int)syscall(SYS_capset, &header, none);
}

static void close_between(unsigned from, unsigned to)
{
    if (to <= from || syscall(SYS_close_range, from, to - 1, 0) == 0)
        return;
    for (unsigned fd = from; fd < to && fd < FILES_MAX; fd++)
        (void)close((int)fd);
}

static void close_others(int out, const int *files, size_t n_files)
{
    unsigned from = 0, to;

    for (size_t i = 0; from != UINT32_MAX; from = to + (to != UINT32_MAX)) {
        while (i < n_files && (unsigned)files[i] < from)
            i++;
        to = i < n_files ? (unsigned)files[i] : UINT32_MAX;
        if ((unsigned)out >= from && (unsigned)out < to)
            to = (unsigned)out;
        close_between(from, to);
    }
}

static void default_signals(void)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)signal(SIGPROF, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Everything that the child gives up. Where that fails it does nothing at all. */
static int enter(int out, const int *files, size_t n_files, const struct sandbox_limits *limits)
{
    size_t data = data_size();

    default_signals();
    close_others(out, files, n_files);
    if (data == 0 || drop_capabilities() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        limit(RLIMIT_CORE, 0) < 0 || limit(RLIMIT_NOFILE, 0) < 0 ||
        limit(RLIMIT_DATA, data + limits->memory) < 0 ||
        limit(RLIMIT_CPU, (rlim_t)limits->deadline_ms / 1000 + 1) < 0)
        return -1;
    sandbox_more_time(limits->cpu_ms);
    return confine();
}

void sandbox_more_time(int64_t cpu_ms)
{
    struct itimerval timer = { .it_value = { cpu_ms / 1000, cpu_ms % 1000 * 1000 } };

    (void)setitimer(ITIMER_PROF, &timer, NULL); /* SIGPROF kills */
}

int sandbox_start(sandbox_fn work, void *arg, const int *files, size_t n_files,
                  const struct sandbox_limits *limits, struct sandbox *ret_sandbox, struct err *e)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set(e, -errno, "make a pipe: %s", err_text(errno));
    (void)fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES); /* else the child waits for us now and then */

    pid_t pid = fork();

    if (pid < 0) {
        int code = -errno;

        (void)close(ends[0]);
        (void)close(ends[1]);
        return err_set(e, code, "fork: %s", err_text(code));
    }
    if (pid == 0) {
        if (enter(ends[1], files, n_files, limits) == 0) {
            work(arg, ends[1]);
            sandbox_answer(ends[1], DONE, NULL, 0);
        }
        _exit(0);
    }
    (void)close(ends[1]);
    *ret_sandbox = (struct sandbox){ .pid = pid,
                                     .fd = ends[0],
                                     .end_ms = now_ms() + limits->deadline_ms,
                                     .bytes = mem_alloc(SANDBOX_BUFFER_SIZE) };
    return 0;
}

static void write_all(int out, const void *bytes, size_t len)
{
    for (const char *at = bytes; len > 0;) {
        ssize_t n = write(out, at, len);

        if (n <= 0)
            _exit(1); /* nobody listens */
        at += n;
        len -= (size_t)n;
    }
}

void sandbox_answer(int out, uint32_t number, const void *bytes, size_t len)
{
    char small[1024];
    struct header header = { number, (uint32_t)len };

    if (len > SANDBOX_ANSWER_MAX)
        _exit(1);
    if (len <= sizeof(small) - sizeof(header)) { /* one call for nearly all */
        memcpy(small, &header, sizeof(header));
        if (len > 0)
            memcpy(small + sizeof(header), bytes, len);
        write_all(out, small, sizeof(header) + len);
        return;
    }
    write_all(out, &header, sizeof(header));
    write_all(out, bytes, len);
}

/* More bytes into the buffer. False: none come. */
static bool receive(struct sandbox *s)
{
    struct pollfd poll_fd = { .fd = s->fd, .events = POLLIN };
    int64_t left = s->end_ms - now_ms();

    if (s->at > 0) {
        memmove(s->bytes, s->bytes + s->at, s->n - s->at);
        s->n -= s->at;
        s->at = 0;
    }
    if (poll(&poll_fd, 1, left > 0 ? (int)left : 0) <= 0)
        return false;

    ssize_t n = read(s->fd, s->bytes + s->n, SANDBOX_BUFFER_SIZE - s->n);

    if (n <= 0)
        return false;
    s->n += (size_t)n;
    return true;
}

bool sandbox_next(struct sandbox *s, struct sandbox_answer *ret_answer)
{
    struct header header;

    for (;;) {
        size_t there = s->n - s->at;

        if (there >= sizeof(header)) {
            memcpy(&header, s->bytes + s->at, sizeof(header));
            if (header.len > SANDBOX_ANSWER_MAX)
                return false;
            if (there - sizeof(header) >= header.len)
                break;
        }
        if (!receive(s))
            return false;
    }
    if (header.number == DONE) {
        s->is_done = true;
        return false;
    }
    *ret_answer =
        (struct sandbox_answer){ header.number, header.len, s->bytes + s->at + sizeof(header) };
    s->at += sizeof(header) + header.len;
    return true;
}

bool sandbox_close(struct sandbox *s)
{
    bool is_done = s->is_done;

    if (s->pid <= 0)
        return false;
    (void)kill(s->pid, SIGKILL);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    (void)close(s->fd);
    free(s->bytes);
    *s = (struct sandbox){ 0 };
    return is_done;
}
