/* SPDX-License-Identifier: Apache-2.0 */
/* coroutine_rows: where stacks of coroutines end. */
#include "agent/unwind/coroutine_rows.h"

#include "agent/unwind/unwind_image.h"
#include "agent/unwind/unwind_rules.h"
#include "lib/cleanup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct unwind_rules rules;
static struct unwind_rule all_rules[UNWIND_RULES_MAX];

#define AT_SP(off) .cfa = UNWIND_CFA_REG, .reg = 7, .cfa_off = (off), .ra_off = -8

/* A small library, whose middle one of three functions has the name of where a greenlet begins. */
static void ends_where_greenlets_begin(void **state)
{
    static const struct {
        uint64_t vaddr;
        struct unwind_rule rule;
    } cases[] = {
        { 0x2c1, { AT_SP(16) } },
        { 0x2c2, { AT_SP(8) } },
        { 0x2c3, { .cfa = UNWIND_CFA_END } },
        { 0x2e0, { .cfa = UNWIND_CFA_END } },
        { 0x2e1, { AT_SP(8) } },
        { 0x2e2, { AT_SP(16) } },
    };
    struct unwind_image image = { 0 };
    struct err e = { 0 };
    _cleanup_close_ int fd =
        open("agent/unwind/fuzz/corpus/unwind_image/greenlet.so", O_RDONLY | O_CLOEXEC);

    (void)state;
    unwind_rules_init(&rules, all_rules);
    assert_int_equal(unwind_image_read(fd, &rules, &image, &e), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct unwind_rule *got =
            &all_rules[eh_table_rule(&image.table, cases[i].vaddr - image.range.start)];

        if (memcmp(got, &cases[i].rule, sizeof(*got)) != 0)
            fail_msg("0x%lx: cfa %u, reg %u, %d", (unsigned long)cases[i].vaddr, got->cfa, got->reg,
                     got->cfa_off);
    }
    unwind_image_release(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(ends_where_greenlets_begin) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
