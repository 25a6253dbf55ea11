/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/go_goroutine.h"

#include <string.h>

enum { CODE_SIZE = 128 }; /* all that is looked at is before */

/* The first instruction is mov %fs:OFFSET, REG or, in a PIE, mov $OFFSET, REG. */
static bool find_thread_off(const uint8_t *code, int32_t *ret)
{
    if (code[0] == 0x64 && code[1] == 0x48 && code[2] == 0x8b && code[4] == 0x25)
        memcpy(ret, code + 5, sizeof(*ret));
    else if (code[0] == 0x48 && code[1] == 0xc7 && (code[2] & 0xf8) == 0xc0)
        memcpy(ret, code + 3, sizeof(*ret));
    else
        return false;
    return true;
}

/* mov %rbp, OFFSET(%rsi or %rdi), which saves it in g.sched.bp. */
static uint8_t find_bp_off(const uint8_t *code)
{
    for (size_t i = 0; i + 4 <= CODE_SIZE; i++) {
        if (code[i] == 0x48 && code[i + 1] == 0x89 && (code[i + 2] & 0xfe) == 0x6e)
            return code[i + 3];
    }
    return 0;
}

struct unwind_rule go_goroutine_rule(struct go_table *table, const struct go_function *morestack)
{
    /* runtime/runtime2.go: gobuf lost a word, and m has one before curg. */
    static const struct {
        uint8_t bp_off, running_off;
    } layouts[] = { { 0x68, 0xc0 }, /* Go 1.16 */
                    { 0x60, 0xb8 } /* Go 1.25 */ };
    struct unwind_rule rule = { .cfa = UNWIND_CFA_END };
    uint8_t code[CODE_SIZE];
    int32_t thread_off;
    uint64_t off;

    if (!go_location_off(&table->location, morestack->start, &off) ||
        !file_reader_read(&table->reader, off, code, sizeof(code)) ||
        !find_thread_off(code, &thread_off))
        return rule;
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        if (layouts[i].bp_off == find_bp_off(code))
            rule = (struct unwind_rule){ .cfa = UNWIND_CFA_GOROUTINE,
                                         .cfa_off = thread_off,
                                         .deref_off = layouts[i].running_off,
                                         .bp_off = layouts[i].bp_off };
    }
    return rule;
}
