/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/go_names.h"
#include "agent/unwind/go_table.h"
#include "agent/unwind/go_rows.h"
#include "lib/fuzz/fuzz.h"

enum { FUNCTIONS_MAX = 64, ADDRESSES = 6 };

/* Names end and are in bounds, rows are sorted. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct unwind_rule all[UNWIND_RULES_MAX];
    static struct unwind_rules rules;
    struct name_query queries[ADDRESSES] = { 0 };
    _cleanup_close_ int fd = fuzz_file(data, size);
    struct go_table table = { 0 };
    struct eh_table rows = { 0 };
    struct eh_range range = { 0x400000, 0x410000, UNWIND_X86_64 };

    if (!go_table_open(fd, &table))
        return 0;
    unwind_rules_init(&rules, all);
    if (table.location.header.quantum == 4)
        range.arch = UNWIND_ARM64;
    go_rows_add(&table, range, FUNCTIONS_MAX, &rules, &rows);
    for (size_t i = 1; i < rows.n_rows; i++)
        assert(rows.rows[i].addr > rows.rows[i - 1].addr && rows.rows[i].rule < rules.n);
    eh_table_release(&rows);
    for (size_t i = 0; i < ADDRESSES; i++)
        queries[i].vaddr = 0x401000 + i * 0x1a;
    go_table_release(&table);
    (void)go_names_find(fd, queries, ADDRESSES, &(struct name_room){ 1 << 20, 0 });
    for (size_t i = 0; i < ADDRESSES; i++) {
        for (size_t k = 0; k < queries[i].chain.n; k++)
            assert(strlen(queries[i].chain.names[k].text) <= GO_NAME_MAX + 3);
        name_chain_release(&queries[i].chain);
    }
    return 0;
}
