/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/go_rows.h"

#include "agent/unwind/go_goroutine.h"

#include <stdlib.h>
#include <string.h>

enum {
    WORD = 8,
    R12 = 12,
    FRAME_MAX = INT32_MAX - 64,
    STEPS_MAX = 1 << 24, /* of all functions together; a program of 100 MB has a million */
};

/* How the caller of a function is found. */
enum manner {
    BY_SIZE,     /* by the size of the frame */
    BY_POINTER,  /* by the frame pointer, which may lead to another stack */
    INTERRUPTED, /* by size; the runtime made it look as if the interrupted code had called it */
    BY_SIGNAL,   /* the trampoline that signal handlers return to */
    LEAVES,      /* as BY_POINTER, and where there is none by what the runtime wrote down */
    GROWS,       /* by what the runtime wrote down about the goroutine */
    AT_BOTTOM,   /* there is none */
};

static const struct {
    const char *name;
    enum manner manner;
} specials[] = {
    { "runtime.goexit", AT_BOTTOM },         { "runtime.mstart", AT_BOTTOM },
    { "runtime.rt0_go", AT_BOTTOM },         { "runtime.mcall", AT_BOTTOM },
    { "runtime.morestack", GROWS },          { "runtime.switchToCrashStack0", AT_BOTTOM },
    { "runtime.systemstack", LEAVES },       { "runtime.asmcgocall", BY_POINTER },
    { "runtime.cgocallback", BY_POINTER },   { "runtime.nanotime1", BY_POINTER },
    { "runtime.walltime1", BY_POINTER },     { "time.now", BY_POINTER },
    { "runtime.asyncPreempt", INTERRUPTED }, { "runtime.sigpanic", INTERRUPTED },
    { "runtime.sigtramp", BY_SIZE },         { "runtime.cgoSigtramp", BY_SIZE },
    { "runtime.sigreturn", BY_SIGNAL },      { "runtime.sigreturn__sigaction", BY_SIGNAL },
};

struct emit {
    struct go_table *go;
    struct eh_range range;
    size_t max_rows;
    struct unwind_rules *rules;
    struct eh_table table;
    uint32_t steps_left;
    size_t n_left; /* rows; the last of them waits for the rule of goroutines. 0: none does */
};

/* Other functions that write the stack pointer have the flag since 1.17. */
static enum manner manner_of(struct go_table *go, const struct go_function *function)
{
    char name[40];
    size_t len = go_table_name(go, function->name, name, sizeof(name) - 1);

    if (len > 4 && (memcmp(name, "runt", 4) == 0 || memcmp(name, "time", 4) == 0)) {
        for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
            if (strcmp(name, specials[i].name) == 0)
                return specials[i].manner;
        }
    }
    if (function->flags & GO_TOP_FRAME)
        return AT_BOTTOM;
    return function->flags & GO_SP_WRITE ? BY_POINTER : BY_SIZE;
}

static void emit_row(struct emit *e, uint64_t vaddr, const struct unwind_rule *rule)
{
    if (vaddr >= e->range.start && vaddr < e->range.end)
        eh_table_add(&e->table, e->max_rows, (uint32_t)(vaddr - e->range.start),
                     unwind_rules_number(e->rules, rule));
}

/* A frame of @size bytes; the return address is in its lowest word, and the frame pointer one below
 * (cmd/internal/obj/arm64/obj7.go). */
static struct unwind_rule arm64_rule_of_size(int32_t size)
{
    const struct unwind_registers *registers = &unwind_registers[UNWIND_ARM64];

    if (size < 0 || size > FRAME_MAX)
        return (struct unwind_rule){ .cfa = UNWIND_CFA_UNKNOWN };
    if (size == 0)
        return (struct unwind_rule){ .cfa = UNWIND_CFA_REG,
                                     .reg = registers->sp,
                                     .ra = UNWIND_RA_IN_REG,
                                     .ra_off = registers->link };
    return (struct unwind_rule){
        .cfa = UNWIND_CFA_REG,
        .reg = registers->sp,
        .cfa_off = size,
        .ra_off = -size,
        .bp = UNWIND_BP_AT_CFA,
        .bp_off = -size - WORD,
    };
}

/* What lies at the frame pointer, where the stack pointer may be on another stack. */
static struct unwind_rule arm64_rule_of_pointer(int32_t size)
{
    struct unwind_rule rule = arm64_rule_of_size(size);

    if (size <= 0 || rule.cfa != UNWIND_CFA_REG)
        return rule;
    rule.reg = unwind_registers[UNWIND_ARM64].bp;
    rule.cfa_off = size + WORD;
    rule.flags = UNWIND_RULE_SWITCHES;
    return rule;
}

/* The runtime pushed two words of its own on the stack of what it interrupted
 * (runtime/signal_arm64.go, pushCall). */
static struct unwind_rule arm64_rule_of_interrupted(int32_t size)
{
    struct unwind_rule rule = arm64_rule_of_size(size);

    if (rule.cfa != UNWIND_CFA_REG)
        return rule;
    rule.cfa_off += 2 * WORD;
    if (rule.ra == UNWIND_RA_AT_CFA) {
        rule.ra_off -= 2 * WORD;
        rule.bp_off -= 2 * WORD;
    }
    rule.flags = UNWIND_RULE_INTERRUPTED;
    return rule;
}

/* A frame of @size bytes, without the return address; the compiler and the assembler save the frame
 * pointer in its uppermost word (cmd/internal/obj/x86/obj6.go). */
static struct unwind_rule rule_of_size(int32_t size)
{
    if (size == -WORD) /* syscall.rawVforkSyscall: the child may not overwrite it on the stack */
        return (struct unwind_rule){
            .cfa = UNWIND_CFA_REG, .reg = UNWIND_REG_SP, .ra = UNWIND_RA_IN_REG, .ra_off = R12
        };
    if (size < 0 || size > FRAME_MAX)
        return (struct unwind_rule){ .cfa = UNWIND_CFA_UNKNOWN };
    return (struct unwind_rule){
        .cfa = UNWIND_CFA_REG,
        .reg = UNWIND_REG_SP,
        .cfa_off = size + WORD,
        .ra_off = -WORD,
        .bp = size > 0 ? UNWIND_BP_AT_CFA : UNWIND_BP_SAME,
        .bp_off = size > 0 ? -2 * WORD : 0,
    };
}

static const struct unwind_rule rule_of_pointer = {
    .cfa = UNWIND_CFA_REG,
    .reg = UNWIND_REG_BP,
    .cfa_off = 2 * WORD,
    .ra_off = -WORD,
    .bp = UNWIND_BP_AT_CFA,
    .bp_off = -2 * WORD,
    .flags = UNWIND_RULE_SWITCHES,
};

/* Up to 1.20, those that switch stacks have no frame; the pointer is their caller's then, and that
 * one is left out, where nothing better is known. */
static bool has_frame(struct emit *e, const struct go_function *function)
{
    struct go_values values;

    go_values_start(e->go, function, function->sp_values, &values);
    while (e->steps_left > 0 && go_values_next(&values)) {
        e->steps_left--;
        if (values.value > 0)
            return true;
    }
    return false;
}

static struct unwind_rule rule_of(const struct emit *e, enum manner manner, bool is_framed,
                                  int32_t size)
{
    bool by_pointer = manner == BY_POINTER || manner == LEAVES;
    struct unwind_rule rule;

    if (e->range.arch == UNWIND_ARM64)
        return manner == INTERRUPTED ? arm64_rule_of_interrupted(size)
               : by_pointer          ? arm64_rule_of_pointer(size)
                                     : arm64_rule_of_size(size);
    rule = by_pointer && (size > 0 || !is_framed) ? rule_of_pointer : rule_of_size(size);
    if (manner == INTERRUPTED)
        rule.flags = UNWIND_RULE_INTERRUPTED;
    return rule;
}

static void emit_sizes(struct emit *e, const struct go_function *function, enum manner manner)
{
    static const struct unwind_rule none = { .cfa = UNWIND_CFA_NONE };
    bool by_pointer = manner == BY_POINTER || manner == LEAVES;
    bool is_framed = by_pointer && has_frame(e, function);
    struct go_values values;

    go_values_start(e->go, function, function->sp_values, &values);
    while (e->steps_left > 0 && go_values_next(&values)) {
        struct unwind_rule rule = rule_of(e, manner, is_framed, values.value);

        e->steps_left--;
        emit_row(e, function->start + values.from, &rule);
    }
    if (manner == LEAVES && !is_framed)
        e->n_left = e->table.n_rows;
    if (values.to < values.size)
        emit_row(e, function->start + values.to, &none);
}

/* The function that grows stacks; its code tells what the one before it, that leaves them, needs.
 */
static void emit_goroutine(struct emit *e, const struct go_function *function)
{
    struct unwind_rule rule = { .cfa = UNWIND_CFA_END };

    if (e->range.arch == UNWIND_X86_64)
        rule = go_goroutine_rule(e->go, function);
    if (e->n_left > 0 && rule.cfa == UNWIND_CFA_GOROUTINE)
        e->table.rows[e->n_left - 1].rule = unwind_rules_number(e->rules, &rule);
    emit_row(e, function->start, &rule);
}

static void emit_function(struct emit *e, const struct go_function *function)
{
    static const struct unwind_rule end = { .cfa = UNWIND_CFA_END };
    static const struct unwind_rule signal = { .cfa = UNWIND_CFA_SIGNAL };
    enum manner manner = manner_of(e->go, function);

    e->table.n_functions++;
    if (manner == GROWS)
        emit_goroutine(e, function);
    else if (manner == AT_BOTTOM)
        emit_row(e, function->start, &end);
    else if (manner == BY_SIGNAL) /* it is returned to, not called: what is looked up is before */
        emit_row(e, function->start - 1, &signal);
    else
        emit_sizes(e, function, manner);
}

/* What @old has in [from, to), the rule that is in force at the start included. */
static void emit_old(struct emit *e, const struct eh_table *old, uint64_t from, uint64_t to)
{
    uint32_t rule = UNWIND_RULE_NONE;
    size_t i = 0;

    for (; i < old->n_rows && old->rows[i].addr < from; i++)
        rule = old->rows[i].rule;
    eh_table_add(&e->table, e->max_rows, (uint32_t)from, rule);
    for (; i < old->n_rows && old->rows[i].addr < to; i++)
        eh_table_add(&e->table, e->max_rows, old->rows[i].addr, old->rows[i].rule);
}

void go_rows_add(struct go_table *go, struct eh_range range, size_t max_rows,
                 struct unwind_rules *rules, struct eh_table *table)
{
    struct emit e = { go, range, max_rows, rules, *table, STEPS_MAX, 0 };
    struct go_function function;
    uint64_t end = range.start;

    if (range.end - range.start > UINT32_MAX)
        e.range.end = range.start + UINT32_MAX;
    e.table.rows = NULL;
    e.table.n_rows = 0;
    for (uint64_t i = 0; i < go->location.header.n_functions; i++) {
        if (!go_table_function(go, i, &function) || function.start < end) {
            e.table.n_broken++;
            continue;
        }
        if (end == range.start)
            emit_old(&e, table, 0, function.start - range.start);
        end = function.end;
        emit_function(&e, &function);
    }
    if (end > range.start && end < e.range.end)
        emit_old(&e, table, end - range.start, e.range.end - range.start);
    e.table.is_full |= e.steps_left == 0 || go->reader.reads_left == 0;
    if (end == range.start)
        return;
    free(table->rows);
    *table = e.table;
}
