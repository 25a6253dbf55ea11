/* SPDX-License-Identifier: Apache-2.0 */
/* How long instructions are, what they do to the stack, and whether that agrees with what a
 * compiler says about its own code. */
#include "agent/unwind/code_frames.h"
#include "agent/unwind/code_rows.h"
#include "agent/unwind/x86_insn.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { CODE_MAX = 64 };

/* @hex: digits, with spaces. */
static size_t bytes_of(const char *hex, uint8_t code[CODE_MAX])
{
    size_t n = 0;
    int used = 0;

    for (unsigned byte; n < CODE_MAX && sscanf(hex, "%2x%n", &byte, &used) == 1; hex += used)
        code[n++] = (uint8_t)byte;
    return n;
}

static const struct {
    const char *name, *code;
    size_t len; /* 0: none */
    enum x86_flow flow;
    enum x86_effect effect;
    int64_t value; /* or the target */
} insns[] = {
    { "push %rbp", "55", 1, X86_NEXT, X86_SAVES_BP, 0 },
    { "push %r13", "4155", 2, X86_NEXT, X86_GROWS, 8 },
    { "push $1", "6a01", 2, X86_NEXT, X86_GROWS, 8 },
    { "push 8(%rax)", "ff7008", 3, X86_NEXT, X86_GROWS, 8 },
    { "pop %rbp", "5d", 1, X86_NEXT, X86_RESTORES_BP, 0 },
    { "pop %r12", "415c", 2, X86_NEXT, X86_GROWS, -8 },
    { "pop %rsp", "5c", 1, X86_NEXT, X86_LOSES_SP, 0 },
    { "sub $0x18,%rsp", "4883ec18", 4, X86_NEXT, X86_GROWS, 0x18 },
    { "sub $-128,%rsp", "4883ec80", 4, X86_NEXT, X86_GROWS, -128 },
    { "add $0x118,%rsp", "4881c418010000", 7, X86_NEXT, X86_GROWS, -0x118 },
    { "add $0x18,%r12", "4983c418", 4, X86_NEXT, X86_KEEPS, 0 },
    { "cmp $8,%rsp", "4883fc08", 4, X86_NEXT, X86_KEEPS, 0 },
    { "and $-16,%rsp", "4883e4f0", 4, X86_NEXT, X86_LOSES_SP, 0 },
    { "sub %rax,%rsp", "4829c4", 3, X86_NEXT, X86_LOSES_SP, 0 },
    { "mov %rsp,%rbp", "4889e5", 3, X86_NEXT, X86_SETS_BP, 0 },
    { "mov %rsp,%r13", "4989e5", 3, X86_NEXT, X86_KEEPS, 0 },
    { "mov %rbp,%rsp", "4889ec", 3, X86_NEXT, X86_SETS_SP, 0 },
    { "mov %rsp,%rbp, the other way", "488bec", 3, X86_NEXT, X86_SETS_BP, 0 },
    { "mov 8(%rdi),%rsp", "488b6708", 4, X86_NEXT, X86_LOSES_SP, 0 },
    { "lea -0x28(%rbp),%rsp", "488d65d8", 4, X86_NEXT, X86_SETS_SP, -0x28 },
    { "lea 8(%rsp),%rsp", "488d642408", 5, X86_NEXT, X86_GROWS, -8 },
    { "lea 16(%rsp),%rbp", "488d6c2410", 5, X86_NEXT, X86_SETS_BP, 16 },
    { "lea (%rsp,%rax),%rsp", "488d2404", 4, X86_NEXT, X86_LOSES_SP, 0 },
    { "lea -2 GiB(%rsp),%rsp", "488da42400000080", 8, X86_NEXT, X86_GROWS, 0x80000000 },
    { "add $-2 GiB,%rsp", "4881c400000080", 7, X86_NEXT, X86_GROWS, 0x80000000 },
    { "leave", "c9", 1, X86_NEXT, X86_LEAVES, 0 },
    { "call", "e8fbffffff", 5, X86_CALL, X86_KEEPS, -5 },
    { "call *8(%rip)", "ff1508000000", 6, X86_CALL, X86_KEEPS, 0 },
    { "jmp short", "eb10", 2, X86_JUMP, X86_KEEPS, 16 },
    { "jne short", "75fe", 2, X86_BRANCH, X86_KEEPS, -2 },
    { "jne", "0f8500010000", 6, X86_BRANCH, X86_KEEPS, 256 },
    { "notrack jmp *%rax", "3effe0", 3, X86_ANYWHERE, X86_KEEPS, 0 },
    { "ret", "c3", 1, X86_STOP, X86_KEEPS, 0 },
    { "ud2", "0f0b", 2, X86_STOP, X86_KEEPS, 0 },
    { "test $1,%ax", "66f7c00100", 5, X86_NEXT, X86_KEEPS, 0 },
    { "not %eax", "f7d0", 2, X86_NEXT, X86_KEEPS, 0 },
    { "movabs $1,%rax", "48b80100000000000000", 10, X86_NEXT, X86_KEEPS, 0 },
    { "mov %fs:0x28,%rax", "64488b042528000000", 9, X86_NEXT, X86_KEEPS, 0 },
    { "vmovdqu (%r9),%xmm8", "c4417a6f01", 5, X86_NEXT, X86_KEEPS, 0 },
    { "vpalignr $8", "c4e3490fc108", 6, X86_NEXT, X86_KEEPS, 0 },
    { "vzeroupper", "c5f877", 3, X86_NEXT, X86_KEEPS, 0 },
    { "vmovdqu64 (%rsi),%ymm16", "62e1fe286f06", 6, X86_NEXT, X86_KEEPS, 0 },
    { "pshufb", "660f3800c1", 5, X86_NEXT, X86_KEEPS, 0 },
    { "no instruction", "06", 0, 0, 0, 0 },
    { "cut off", "4881c41801", 0, 0, 0, 0 },
    { "prefixes alone", "66666666666666666666666666666690", 0, 0, 0, 0 },
    { "nothing", "", 0, 0, 0, 0 },
};

static void instructions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(insns) / sizeof(insns[0]); i++) {
        uint8_t code[CODE_MAX] = { 0 };
        struct x86_insn insn = { 0 };
        size_t n = bytes_of(insns[i].code, code);
        int64_t value = 0;

        if (x86_insn_decode(code, n, &insn))
            value = insn.has_target ? insn.target : insn.value;
        if (insn.len != insns[i].len || insn.flow != insns[i].flow ||
            insn.effect != insns[i].effect || value != insns[i].value)
            fail_msg("%s: %u bytes, flow %u, effect %u, %d", insns[i].name, insn.len, insn.flow,
                     insn.effect, (int)value);
    }
}

/* "at:size[,bp][,saved]" of the instructions that were reached, in words. */
static void describe(const struct code_frame *frames, size_t n, char *text, size_t room)
{
    size_t len = 0;

    *text = '\0';
    for (size_t at = 0; at < n && len < room; at++) {
        const struct code_frame *f = &frames[at];

        if (!f->is_seen)
            continue;
        len += (size_t)snprintf(text + len, room - len, "%s%zu:%u", len ? " " : "", at, f->size);
        if (f->bp && len < room)
            len += (size_t)snprintf(text + len, room - len, "b%u", f->bp);
        if (f->saved && len < room)
            len += (size_t)snprintf(text + len, room - len, "s%u", f->saved);
    }
}

static const struct {
    const char *name, *code, *frames;
    uint64_t size; /* of the one function */
} walks[] = {
    { "leaf", "31c0 c3", "0:1 2:1", 3 },
    { "pushes among other instructions", "4157 4989d7 55 53 4883ec08 c3",
      "0:1 2:2 5:2 6:3s3 7:4s3 11:5s3", 12 },
    { "with a frame pointer", "55 4889e5 4829c4 c9 c3", "0:1 1:2s2 4:2b2s2 7:0b2s2 8:1", 9 },
    { "a register of the caller's on top", "55 4889e5 53 488d65f8 5b 5d c3",
      "0:1 1:2s2 4:2b2s2 5:3b2s2 9:3b2s2 10:2b2s2 11:1", 12 },
    { "a way out in the middle", "53 7402 5b c3 90 5b c3", "0:1 1:2 3:2 4:1 5:2 6:2 7:1", 8 },
    { "a table of jumps", "53 ffe0 90 5b c3", "0:1 1:2 3:2 4:2 5:1", 6 },
    { "a call that does not return, and what it calls", "53 e800000000 53 c3", "0:1 1:2 6:1 7:2",
      8 },
    { "an address that is taken", "53 488d0502000000 5b c3 53 c3", "0:1 1:2 8:2 9:1 10:1 11:2",
      10 },
    { "more is popped than there is", "5f 57 c3", "0:1 1:0 2:0", 3 },
    { "bytes that are none", "53 06", "0:1 1:2", 2 },
    { "it loops", "53 ebfd", "0:1 1:2", 3 },
    { "it jumps out of the code", "53 eb70", "0:1 1:2", 3 },
    { "it jumps in front of the code", "53 eb80", "0:1 1:2", 3 },
    { "longer than the code", "53 ffe0 5b", "0:1 1:2", 5 },
};

static void frames(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
        struct code_function function = { 0, walks[i].size };
        struct code_frame found[CODE_MAX] = { 0 };
        uint8_t code[CODE_MAX];
        size_t n = bytes_of(walks[i].code, code);
        char text[256];

        code_frames_find(code, n, &function, 1, found);
        describe(found, n, text, sizeof(text));
        if (strcmp(text, walks[i].frames) != 0)
            fail_msg("%s: %s, not %s", walks[i].name, text, walks[i].frames);
    }
}

static const struct unwind_rule *rule_at(const struct eh_table *t, const struct unwind_rule *all,
                                         uint32_t addr, size_t *from)
{
    while (*from < t->n_rows && t->rows[*from].addr <= addr)
        (*from)++;
    return &all[*from ? t->rows[*from - 1].rule : UNWIND_RULE_NONE];
}

/* Of this program, of which .eh_frame knows the same. Where one of both goes by the frame pointer
 * and the other does not, there is nothing to compare. */
static void as_the_compiler_says(void **state)
{
    static struct unwind_rule all[UNWIND_RULES_MAX];
    _cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    _cleanup_free_ struct unwind_rules *rules = mem_zalloc(sizeof(*rules));
    struct unwind_image image = { 0 };
    struct err e = { 0 };
    size_t at = 0;
    unsigned same = 0, other = 0;

    (void)state;
    unwind_rules_init(rules, all);
    assert_int_equal(unwind_image_read(fd, rules, &image, &e), 0);
    if (image.range.arch != UNWIND_X86_64) {
        unwind_image_release(&image);
        skip();
    }

    struct eh_table told = image.table;
    _cleanup_elf_headers_ struct elf_headers headers = { 0 };

    assert_int_equal(elf_headers_read(fd, &headers, &e), 0);
    image.table = (struct eh_table){ 0 };
    code_rows_add(fd, &headers, UNWIND_ROWS_PER_IMAGE_MAX, rules, &image);
    for (size_t i = 0; i < told.n_rows; i++) {
        const struct unwind_rule *a = &all[told.rows[i].rule];
        const struct unwind_rule *b = rule_at(&image.table, all, told.rows[i].addr, &at);

        if (a->cfa == UNWIND_CFA_REG && b->cfa == UNWIND_CFA_REG && a->reg == b->reg)
            (*(a->cfa_off == b->cfa_off ? &same : &other))++;
    }
    eh_table_release(&told);
    unwind_image_release(&image);
    if (same < 100 || other > same / 100)
        fail_msg("%u rows as the compiler says, %u not", same, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions),
        cmocka_unit_test(frames),
        cmocka_unit_test(as_the_compiler_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
