/* SPDX-License-Identifier: Apache-2.0 */
/* go_table, go_names, go_rows: a small program in each format, whole, broken and cut off. */
#include "agent/unwind/go_table.h"

#include "agent/symbols/go_names.h"
#include "agent/unwind/tests/small_go.h"
#include "agent/unwind/unwind_image.h"
#include "lib/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const formats[GO_FORMAT_COUNT] = { "go1.16", "go1.18", "go1.20" };

static int memory_file(const void *data, size_t len)
{
    int fd = memfd_create("go", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    return fd;
}

static void join(const struct name_chain *chain, char *to, size_t size)
{
    *to = '\0';
    for (size_t i = 0; i < chain->n; i++) {
        size_t len = strlen(to);

        (void)snprintf(to + len, size - len, "%s%s%s", i > 0 ? " < " : "", chain->names[i].text,
                       chain->names[i].kind == FLAME_INLINED ? " (inlined)" : "");
    }
}

static void names_what_is_called_and_inlined(void **state)
{
    static const struct {
        uint64_t pc;
        const char *names;
    } cases[] = {
        { 0x00, "runtime.goexit" },
        { 0x1f, "runtime.goexit" },
        { 0x20, "main.outer[...]" },
        { 0x2f, "main.outer[...]" },
        { 0x30, "main.outer[...] < main.inlined (inlined)" },
        { 0x3f, "main.outer[...] < main.inlined (inlined)" },
        { 0x40, "main.outer[...] < main.inlined (inlined) < main.innermost (inlined)" },
        { 0x50, "main.outer[...]" },
        { 0xbf, "c_function" },
        { 0xc0, "runtime.morestack" },
        { 0x140, "" },
        { UINT64_MAX, "" },
    };
    enum { CASES = sizeof(cases) / sizeof(cases[0]) };

    (void)state;
    for (unsigned format = 0; format < GO_FORMAT_COUNT; format++) {
        struct name_query queries[CASES] = { 0 };
        struct small_go small;
        char text[256];

        small_go_make(format, &small);
        _cleanup_close_ int fd = memory_file(&small, sizeof(small));
        for (size_t i = 0; i < CASES; i++)
            queries[i].vaddr = SMALL_GO_TEXT + cases[i].pc;
        assert_true(go_names_find(fd, queries, CASES, &(struct name_room){ NAME_ROOM_BYTES, 0 }));
        for (size_t i = 0; i < CASES; i++) {
            join(&queries[i].chain, text, sizeof(text));
            if (strcmp(text, cases[i].names) != 0)
                fail_msg("%s, +0x%lx: '%s', not '%s'", formats[format], (unsigned long)cases[i].pc,
                         text, cases[i].names);
            name_chain_release(&queries[i].chain);
        }
    }
}

static void knows_frames(void **state)
{
#define BY_SIZE(size)                                                                              \
    .cfa = UNWIND_CFA_REG, .reg = UNWIND_REG_SP, .cfa_off = (size) + 8, .ra_off = -8
    static const struct {
        uint32_t addr;
        struct unwind_rule rule;
    } expected[] = {
        { 0x00, { .cfa = UNWIND_CFA_END } },
        { 0x20, { BY_SIZE(0) } },
        { 0x24, { BY_SIZE(24), .bp = UNWIND_BP_AT_CFA, .bp_off = -16 } },
        { 0x60, { BY_SIZE(0) } },
        { 0x61,
          { .cfa = UNWIND_CFA_REG,
            .reg = UNWIND_REG_BP,
            .cfa_off = 16,
            .ra_off = -8,
            .bp = UNWIND_BP_AT_CFA,
            .bp_off = -16,
            .flags = UNWIND_RULE_SWITCHES } },
        { 0x7f, { .cfa = UNWIND_CFA_SIGNAL } },
        { 0xa0, { .cfa = UNWIND_CFA_NONE } },
    };
    static const struct unwind_rule goroutines[GO_FORMAT_COUNT] = {
        { .cfa = UNWIND_CFA_GOROUTINE, .cfa_off = -8, .deref_off = 0xc0, .bp_off = 0x68 },
        { .cfa = UNWIND_CFA_GOROUTINE, .cfa_off = -8, .deref_off = 0xc0, .bp_off = 0x68 },
        { .cfa = UNWIND_CFA_GOROUTINE, .cfa_off = -8, .deref_off = 0xb8, .bp_off = 0x60 },
    };
    enum { EXPECTED = sizeof(expected) / sizeof(expected[0]) };
    static struct unwind_rule all[UNWIND_RULES_MAX];
    static struct unwind_rules rules;

    (void)state;
    for (unsigned format = 0; format < GO_FORMAT_COUNT; format++) {
        struct unwind_image image = { 0 };
        struct small_go small;
        struct err e = { 0 };

        unwind_rules_init(&rules, all);
        small_go_make(format, &small);
        _cleanup_close_ int fd = memory_file(&small, sizeof(small));
        assert_int_equal(unwind_image_read(fd, &rules, &image, &e), 0);
        assert_true(image.is_go);
        for (size_t i = 0; i < EXPECTED && i < image.table.n_rows; i++) {
            const struct unwind_row *row = &image.table.rows[i];
            const struct unwind_rule *rule = &all[row->rule];

            if (row->addr != expected[i].addr ||
                memcmp(rule, &expected[i].rule, sizeof(*rule)) != 0)
                fail_msg("%s: row %zu is at 0x%x, cfa %u of %u%+d", formats[format], i, row->addr,
                         rule->cfa, rule->reg, rule->cfa_off);
        }
        assert_int_equal(image.table.n_rows, EXPECTED + 1);
        assert_int_equal(image.table.rows[EXPECTED].addr, 0xc0);
        assert_memory_equal(&all[image.table.rows[EXPECTED].rule], &goroutines[format],
                            sizeof(struct unwind_rule));
        unwind_image_release(&image);
    }
}

/* All that can be asked for; whether it is a table at all. */
static bool use(int fd)
{
    struct go_table table = { 0 };
    struct go_function function;
    struct go_inlined inlined;
    struct go_values values;
    char name[GO_NAME_MAX + 1];
    uint32_t at;

    if (!go_table_open(fd, &table))
        return false;
    for (uint64_t i = 0; i < table.location.header.n_functions; i++) {
        if (!go_table_function(&table, i, &function))
            continue;
        assert_true(function.start < function.end);
        assert_true(go_table_name(&table, function.name, name, GO_NAME_MAX) <= GO_NAME_MAX);
        go_values_start(&table, &function, function.sp_values, &values);
        while (go_values_next(&values))
            assert_true(values.from < values.to && values.to <= values.size);
        go_inlined_start(&table, &function, function.start + 0x20, &inlined);
        for (int depth = 0; depth < 10 && go_inlined_next(&inlined, &at); depth++)
            (void)go_table_name(&table, at, name, GO_NAME_MAX);
    }
    go_table_release(&table);
    return true;
}

static void refuses_what_is_broken(void **state)
{
    enum {
        MAGIC = 0,
        PADDING = 4,
        QUANTUM = 6,
        POINTER = 7,
        COUNT = 8,
        NAMES = 32,
        FUNCTIONS = 64
    };
    static const struct {
        const char *name;
        size_t at; /* in the table; from SMALL_GO_TABLE_SIZE on, in moduledata */
        uint64_t value;
        size_t size;
        bool is_table;
    } cases[] = {
        { "as it is", COUNT, SMALL_GO_FUNCTIONS, 8, true },
        { "a magic number of go1.2", MAGIC, 0xfffffffb, 4, false },
        { "padding that is not zero", PADDING, 1, 1, false },
        { "code in units of 3 bytes", QUANTUM, 3, 1, false },
        { "pointers of 4 bytes", POINTER, 4, 1, false },
        { "no functions", COUNT, 0, 8, false },
        { "more functions than the table has room for", COUNT, 1000, 8, false },
        { "functions without end", COUNT, UINT64_MAX, 8, false },
        { "names behind the rest", NAMES, 0x500, 8, false },
        { "functions behind the end", FUNCTIONS, SMALL_GO_TABLE_SIZE, 8, false },
        { "moduledata of another table", SMALL_GO_TABLE_SIZE, SMALL_GO_TABLE + 8, 8, false },
        { "code that is not there", SMALL_GO_TABLE_SIZE + 22 * 8, 0x1000, 8, false },
        { "data of functions that is not there", SMALL_GO_TABLE_SIZE + 40 * 8, 0x1000, 8, true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct small_go small;

        small_go_make(GO_1_20, &small);
        memcpy(small.table + cases[i].at, &cases[i].value, cases[i].size);
        _cleanup_close_ int fd = memory_file(&small, sizeof(small));
        if (use(fd) != cases[i].is_table)
            fail_msg("%s: %s", cases[i].name, cases[i].is_table ? "refused" : "taken");
    }
}

static void survives_a_cut(void **state)
{
    (void)state;
    for (unsigned format = 0; format < GO_FORMAT_COUNT; format++) {
        struct small_go small;

        small_go_make(format, &small);
        for (size_t size = 0; size < sizeof(small); size += 7) {
            _cleanup_close_ int fd = memory_file(&small, size);

            bool is_table = use(fd);

            assert_true(!is_table || size > offsetof(struct small_go, table) + 64);
        }
    }
}

/* A file that changes while it is read, at every place in turn. */
static void survives_changes(void **state)
{
    (void)state;
    for (size_t at = 0; at < sizeof(struct small_go); at += 3) {
        struct small_go small;

        small_go_make((enum go_format)(at % GO_FORMAT_COUNT), &small);
        memset((uint8_t *)&small + at, 0xff, at + 4 <= sizeof(small) ? 4 : 1);
        _cleanup_close_ int fd = memory_file(&small, sizeof(small));
        (void)use(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_what_is_called_and_inlined),
        cmocka_unit_test(knows_frames),
        cmocka_unit_test(refuses_what_is_broken),
        cmocka_unit_test(survives_a_cut),
        cmocka_unit_test(survives_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
