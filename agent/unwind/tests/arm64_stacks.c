/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arm64_stacks CASE: a program for arm64 that stops itself at the end of a chain of calls and
 * writes down, for record_dump, all that an unwinder could read there: the lines "reg", "word" and
 * "frame" of golden.h, and
 *
 *   code START END OFF PATH         an executable mapping
 *
 * The frames are those of libgcc's unwinder or, where that cannot go on, of the chain as the
 * functions noted it themselves.
 */
#ifdef __aarch64__
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

enum { KNOWN_MAX = 1024, DEPTH = 900, SA_WITH_RESTORER = 0x04000000, DUMP_MAX = 1 << 20 };

#define NOINLINE __attribute__((noinline, noclone))
#define STOP()   __asm__ volatile("brk #1" ::: "memory")
/* Behind a call, so that it is none that the compiler turns into a jump. */
#define KEEP() __asm__ volatile("" ::: "memory")
#define NOTE() note(__builtin_return_address(0))

static uintptr_t known[KNOWN_MAX]; /* return addresses, outermost first */
static size_t n_known;
static int by_known; /* the chain is what the functions noted */
static int is_leaf;  /* and the last one did not, for it calls nobody */
static volatile int zero;

void note(const void *ret);
void note(const void *ret)
{
    known[n_known++] = (uintptr_t)ret;
}

struct found {
    uintptr_t pcs[KNOWN_MAX + 32];
    size_t n;
};

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *arg)
{
    struct found *found = arg;

    if (_Unwind_GetIP(context) == 0 || found->n == sizeof(found->pcs) / sizeof(found->pcs[0]))
        return _URC_END_OF_STACK;
    found->pcs[found->n++] = _Unwind_GetIP(context);
    return _URC_NO_REASON;
}

static void write_frames(uintptr_t pc, uintptr_t link)
{
    static struct found found;
    size_t i = 0;

    if (by_known) {
        (void)printf("frame %lx\n", pc);
        if (is_leaf)
            (void)printf("frame %lx\n", link);
        while (n_known > 0)
            (void)printf("frame %lx\n", known[--n_known]);
        return;
    }
    (void)_Unwind_Backtrace(on_frame, &found);
    while (i < found.n && found.pcs[i] != pc)
        i++;
    for (; i < found.n; i++)
        (void)printf("frame %lx\n", found.pcs[i]);
}

/* Code, and the memory of the mapping that @sp is in, from there on. */
static void write_maps(uintptr_t sp)
{
    char line[512], flags[8], path[256];
    unsigned long start, end, off;
    FILE *maps = fopen("/proc/self/maps", "re");

    while (maps && fgets(line, sizeof(line), maps)) {
        int n = sscanf(line, "%lx-%lx %7s %lx %*s %*s %255s", &start, &end, flags, &off, path);

        if (n < 4)
            continue;
        if (flags[2] == 'x' && n == 5 && path[0] == '/')
            (void)printf("code %lx %lx %lx %s\n", start, end, off, path);
        if (sp < start || sp >= end)
            continue;
        for (uintptr_t at = sp & ~7UL; at < end && at < sp + DUMP_MAX; at += 8)
            (void)printf("word %lx %lx\n", at, *(const unsigned long *)at);
    }
}

static char alternate[65536] __attribute__((aligned(16)));

static void on_stop(int number, siginfo_t *info, void *arg)
{
    const ucontext_t *context = arg;
    const mcontext_t *m = &context->uc_mcontext;
    unsigned long thread;

    (void)number;
    (void)info;
    __asm__("mrs %0, tpidr_el0" : "=r"(thread));
    for (int i = 0; i < 31; i++)
        (void)printf("reg %d %llx\n", i, m->regs[i]);
    (void)printf("reg 31 %llx\nreg 32 %llx\nreg 33 %lx\n", m->sp, m->pc, thread);
    write_maps(m->sp);
    if (m->sp >= (uintptr_t)alternate && m->sp < (uintptr_t)alternate + sizeof(alternate)) {
        /* what it left is in the frame of the signal, and above */
        const ucontext_t *first = (const ucontext_t *)(void *)known[0];

        write_maps(first->uc_mcontext.sp);
    }
    write_frames(m->pc, m->regs[30]);
    (void)fflush(stdout);
    _exit(0);
}

NOINLINE static void leaf(void)
{
    STOP();
}

NOINLINE static void inner(void)
{
    leaf();
    KEEP();
}

NOINLINE static void outer(void)
{
    inner();
    KEEP();
}

NOINLINE static int descend(int depth)
{
    int below = depth > 0 ? descend(depth - 1) : (leaf(), 0);

    KEEP();
    return below + zero;
}

static int compare(const void *a, const void *b)
{
    leaf();
    return *(const int *)a - *(const int *)b;
}

NOINLINE static void sort_all(void)
{
    int items[] = { 3, 1, 2 };

    qsort(items, 3, sizeof(*items), compare);
    KEEP();
}

NOINLINE static void variable(size_t n)
{
    char *room = alloca(n);

    memset(room, zero, n);
    outer();
    KEEP();
}

/* As the vDSO and musl have it: no unwind rules. */
__attribute__((visibility("hidden"))) void restore(void);
__asm__(".text\n nop\n.type restore, %function\nrestore:\n mov x8, #139\n svc #0\n");

struct kernel_action {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    known[0] = (uintptr_t)context;
    outer();
    KEEP();
}

/* Interrupted where the return address is in the link register alone. */
NOINLINE static void faults(void)
{
    __asm__ volatile("udf #0" ::: "memory");
}

NOINLINE static void interrupted(unsigned long flags)
{
    struct kernel_action action = { on_fault, SA_SIGINFO | SA_WITH_RESTORER | flags, restore, 0 };
    const stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };

    (void)sigaltstack(&stack, NULL);
    (void)syscall(SYS_rt_sigaction, SIGILL, &action, NULL, 8);
    faults();
    KEEP();
}

/* In the middle of a prologue, and of an epilogue. */
void in_prologue(void);
__asm__(".text\n.type in_prologue, %function\nin_prologue:\n .cfi_startproc\n"
        " sub sp, sp, #64\n .cfi_def_cfa_offset 64\n"
        " stp x29, x30, [sp, #32]\n .cfi_offset 29, -32\n .cfi_offset 30, -24\n"
        " brk #1\n add x29, sp, #32\n"
        " ldp x29, x30, [sp, #32]\n add sp, sp, #64\n .cfi_def_cfa_offset 0\n"
        " .cfi_restore 29\n .cfi_restore 30\n ret\n .cfi_endproc\n");

NOINLINE static void into_prologue(void)
{
    in_prologue();
    KEEP();
}

/* Keeps a frame record, and has no rules; and a leaf that has none. */
void without_rows(void (*callee)(void));
void leaf_without_rows(void);
__asm__(".text\n.type without_rows, %function\nwithout_rows:\n"
        " stp x29, x30, [sp, #-48]!\n mov x29, sp\n str x0, [sp, #16]\n"
        " mov x0, x30\n bl note\n ldr x0, [sp, #16]\n blr x0\n"
        " ldp x29, x30, [sp], #48\n ret\n"
        ".type leaf_without_rows, %function\nleaf_without_rows:\n nop\n brk #1\n ret\n");

NOINLINE static void called_back(void)
{
    NOTE();
    STOP();
}

NOINLINE static void calls_back(void)
{
    NOTE();
    without_rows(called_back);
    KEEP();
}

NOINLINE static void calls_leaf(void)
{
    NOTE();
    is_leaf = 1;
    leaf_without_rows();
    KEEP();
}

static void coroutine(void)
{
    n_known = 0; /* nobody called it */
    NOTE();
    STOP();
}

NOINLINE static void run_coroutine(void)
{
    static char stack[65536] __attribute__((aligned(16)));
    ucontext_t context, back;

    (void)getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = sizeof(stack);
    context.uc_link = &back;
    makecontext(&context, coroutine, 0);
    (void)swapcontext(&back, &context);
}

static void *in_thread(void *arg)
{
    outer();
    KEEP();
    return arg;
}

static void start_thread(void)
{
    pthread_t thread;

    (void)pthread_create(&thread, NULL, in_thread, NULL);
    (void)pthread_join(thread, NULL);
}

/* Its callers are found by libgcc; from here on each function notes its own. */
NOINLINE static void run_known(void (*function)(void))
{
    static struct found found;

    by_known = 1;
    (void)_Unwind_Backtrace(on_frame, &found);
    while (found.n > 1)
        known[n_known++] = found.pcs[--found.n];
    function();
    KEEP();
}

NOINLINE static void run(const char *name)
{
    if (strcmp(name, "leaf") == 0)
        outer();
    else if (strcmp(name, "recursion") == 0)
        (void)descend(DEPTH);
    else if (strcmp(name, "qsort") == 0)
        sort_all();
    else if (strcmp(name, "variable") == 0)
        variable(100 + (size_t)zero);
    else if (strcmp(name, "signal") == 0)
        interrupted(0);
    else if (strcmp(name, "altstack") == 0)
        interrupted(SA_ONSTACK);
    else if (strcmp(name, "prologue") == 0)
        into_prologue();
    else if (strcmp(name, "thread") == 0)
        start_thread();
    else if (strcmp(name, "callback") == 0)
        run_known(calls_back);
    else if (strcmp(name, "unknown-leaf") == 0)
        run_known(calls_leaf);
    else if (strcmp(name, "coroutine") == 0)
        run_known(run_coroutine);
    else
        abort();
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_sigaction = on_stop, .sa_flags = SA_SIGINFO };

    (void)sigaction(SIGTRAP, &action, NULL);
    if (argc == 2)
        run(argv[1]);
    KEEP();
    return 1;
}
#endif
