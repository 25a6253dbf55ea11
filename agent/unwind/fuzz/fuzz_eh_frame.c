/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/eh_frame.h"
#include "lib/fuzz/fuzz.h"

enum { ROWS_MAX = 300 };

/* An odd first byte makes the rest a .debug_frame, its second bit one of arm64 code. Rows are
 * sorted, within the range, and have rules that there are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct unwind_rule all[UNWIND_RULES_MAX];
    static struct unwind_rules rules;
    size_t kind = fuzz_take_number(&data, &size, 3);
    const struct eh_range range = { 0x1000, 0x8000, kind & 2 ? UNWIND_ARM64 : UNWIND_X86_64 };
    struct eh_section section = { data, size, 0x8000, kind & 1 };
    struct eh_table table = { 0 };
    uint64_t vaddr;

    unwind_rules_init(&rules, all);
    eh_frame_read(&section, 1, range, ROWS_MAX, &rules, &table);
    assert(table.n_rows <= ROWS_MAX && rules.n <= UNWIND_RULES_MAX);
    for (size_t i = 0; i < table.n_rows; i++) {
        assert(table.rows[i].rule < rules.n && table.rows[i].addr <= range.end - range.start);
        assert(i == 0 || table.rows[i].addr > table.rows[i - 1].addr);
    }
    eh_table_release(&table);
    (void)eh_frame_header(&section, &vaddr);
    return 0;
}
