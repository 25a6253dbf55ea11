/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_stack PID: walks the stack of a stopped process with the source that runs in the kernel,
 * and writes what it read of it, as golden.h says; but for the frames, which record_stacks takes
 * from another unwinder, and a line "walked PC" for each frame found here.
 */
#include "agent/bpf/unwind_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unwind_walk;
static bool unwind_read(const struct unwind_walk *w, __u64 addr, __u64 *ret_value);
static const struct unwind_mapping *unwind_mapping_at(const struct unwind_walk *w, __u32 i);
static const struct unwind_row *unwind_row_at(const struct unwind_walk *w, __u32 i);
static const struct unwind_rule *unwind_rule_at(const struct unwind_walk *w, __u32 i);

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#include "agent/bpf/unwind_step.h"

#include "agent/images.h"
#include "agent/process.h"
#include "agent/unwind/tests/golden.h"
#include "agent/unwind/unwind_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { HITS_MAX = 4 * GOLDEN_FRAMES_MAX };

static struct {
    struct unwind_view view;
    pid_t pid;
    struct {
        __u64 addr, value;
    } words[GOLDEN_WORDS_MAX];
    size_t n_words;
    __u32 row; /* the last that was looked at */
    struct {
        __u32 mapping, row;
        bool has_row;
    } hits[HITS_MAX];
    size_t n_hits;
} now;

static bool unwind_read(const struct unwind_walk *w, __u64 addr, __u64 *ret_value)
{
    struct iovec to = { ret_value, sizeof(*ret_value) };
    struct iovec from = { (void *)addr, sizeof(*ret_value) }; /* NOLINT: of the other process */

    (void)w;
    if (process_vm_readv(now.pid, &to, 1, &from, 1, 0) != (ssize_t)sizeof(*ret_value))
        return false;
    for (size_t i = 0; i < now.n_words; i++) {
        if (now.words[i].addr == addr)
            return true;
    }
    if (now.n_words == GOLDEN_WORDS_MAX)
        return false;
    now.words[now.n_words].addr = addr;
    now.words[now.n_words++].value = *ret_value;
    return true;
}

static const struct unwind_mapping *unwind_mapping_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i < now.view.n_mappings ? &now.view.mappings[i] : NULL;
}

static const struct unwind_row *unwind_row_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    now.row = i;
    return i < now.view.n_rows ? &now.view.rows[i] : NULL;
}

static const struct unwind_rule *unwind_rule_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i < now.view.n_rules ? &now.view.rules[i] : NULL;
}

/* What the next step will find, kept for the file. */
static void note_row(const struct unwind_walk *w)
{
    __u64 at = w->pc - !w->is_exact;
    const struct unwind_mapping *m = unwind_find_mapping(w, at);

    if (!m || now.n_hits == HITS_MAX)
        return;
    now.hits[now.n_hits].mapping = (__u32)(m - now.view.mappings);
    now.hits[now.n_hits].has_row = unwind_find_rule(w, m, at) != NULL;
    now.hits[now.n_hits++].row = now.row;
}

static int by_place(const void *a, const void *b)
{
    typeof(now.hits[0]) const *x = a, *y = b;

    if (x->mapping != y->mapping)
        return x->mapping < y->mapping ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static void write_tables(void)
{
    qsort(now.hits, now.n_hits, sizeof(now.hits[0]), by_place);
    for (size_t i = 0; i < now.n_hits; i++) {
        const struct unwind_mapping *m = &now.view.mappings[now.hits[i].mapping];
        const struct unwind_row *row = &now.view.rows[now.hits[i].row];
        bool is_new = i == 0 || now.hits[i].mapping != now.hits[i - 1].mapping;

        if (is_new)
            (void)printf("map %llx %llx %llx %u\n", m->start, m->end, m->base, m->flags);
        if (!now.hits[i].has_row || (!is_new && now.hits[i].row == now.hits[i - 1].row))
            continue;

        const struct unwind_rule *r = &now.view.rules[row->rule];

        (void)printf("row %x %u %u %u %u %u %d %d %d %d\n", row->addr, r->cfa, r->reg, r->bp, r->ra,
                     r->flags, r->cfa_off, r->deref_off, r->bp_off, r->ra_off);
    }
}

static void record(struct unwind_walk *w)
{
    __u64 pcs[GOLDEN_FRAMES_MAX + 1];

    for (int i = 0; i < UNWIND_REGS; i++)
        (void)printf("reg %d %llx\n", i, w->regs[i]);
    (void)printf("reg %d %llx\nreg %d %llx\n", GOLDEN_REG_PC, w->pc, GOLDEN_REG_THREAD, w->thread);
    w->space = now.view.space;
    w->stop = UNWIND_CONTINUE;
    while (w->stop == UNWIND_CONTINUE && (w->n < GOLDEN_FRAMES_MAX || w->scan.is_on)) {
        if (!w->scan.is_on)
            note_row(w);
        unwind_step(w, &pcs[w->n]);
    }
    write_tables();
    for (size_t i = 0; i < now.n_words; i++)
        (void)printf("word %llx %llx\n", now.words[i].addr, now.words[i].value);
    for (__u32 i = 0; i < w->n; i++)
        (void)printf("walked %llx\n", pcs[i]);
    (void)printf("stop %u\n", w->stop == UNWIND_CONTINUE ? RECORD_STOP_FULL : w->stop);
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

    now.pid = argc == 2 ? (pid_t)strtol(argv[1], NULL, 10) : 0;
    if (now.pid <= 0 || !read_registers(now.pid, &w)) {
        (void)fprintf(stderr, "usage: record_stack PID (of a stopped process)\n");
        return 2;
    }

    struct images *images = images_new();
    struct unwind_tables *tables = unwind_tables_new(images);
    struct processes *processes = processes_new(images, tables, NULL);

    processes_expect(processes, &now.pid, 1, 1);
    now.view =
        unwind_tables_view(tables, &running_layout(processes_running(processes, now.pid))->place);
    record(&w);
    processes_free(processes);
    unwind_tables_free(tables);
    images_free(images);
    return 0;
}
