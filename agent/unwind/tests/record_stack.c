/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_stack PID: walks the stack of a stopped process and writes what golden_record.h says;
 * record_stacks takes the frames from another unwinder.
 */
#include "agent/unwind/tests/golden_record.h"

#include "agent/images.h"
#include "agent/process.h"

#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { RECORDED_MAX = 40 };

static pid_t target;

static bool record_read(__u64 addr, __u64 *ret_value)
{
    struct iovec to = { ret_value, sizeof(*ret_value) };
    struct iovec from = { (void *)addr, sizeof(*ret_value) }; /* NOLINT: of the other process */

    return process_vm_readv(target, &to, 1, &from, 1, 0) == (ssize_t)sizeof(*ret_value);
}

static bool read_registers(pid_t pid, struct unwind_walk *w)
{
    struct user_regs_struct r;
    int status;

    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ||
        ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) < 0 ||
        ptrace(PTRACE_GETREGS, pid, NULL, &r) < 0)
        return false;
    *w = (struct unwind_walk){
        .pc = r.rip,
        .sp = r.rsp,
        .bp = r.rbp,
        .thread = r.fs_base,
        .regs = { r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11,
                  r.r12, r.r13, r.r14, r.r15 },
        .is_exact = 1,
        .has_regs = 1,
    };
    return ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0;
}

int main(int argc, char **argv)
{
    struct unwind_walk w;

    target = argc == 2 ? (pid_t)strtol(argv[1], NULL, 10) : 0;
    if (target <= 0 || !read_registers(target, &w)) {
        (void)fprintf(stderr, "usage: record_stack PID (of a stopped process)\n");
        return 2;
    }

    struct images *images = images_new();
    struct unwind_tables *tables = unwind_tables_new(images);
    struct processes *processes = processes_new(images, tables, NULL);

    processes_expect(processes, &target, 1, 1);
    now.view =
        unwind_tables_view(tables, &running_layout(processes_running(processes, target))->place);
    record(&w, RECORDED_MAX);
    processes_free(processes);
    unwind_tables_free(tables);
    images_free(images);
    return 0;
}
