/* SPDX-License-Identifier: Apache-2.0 */
/* eh_frame: hand-made sections, and real files against what readelf makes of them. */
#include "agent/unwind/eh_frame.h"

#include "agent/unwind/unwind_image.h"
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

enum { BASE = 0x1000, FUNCTION = 0x1100, SIZE = 0x40 };

static struct unwind_rules rules;
static struct unwind_rule all_rules[UNWIND_RULES_MAX];

static const struct unwind_rule *rule_at(const struct eh_table *t, uint64_t addr)
{
    return &all_rules[eh_table_rule(t, addr)];
}

static int set_up(void **state)
{
    (void)state;
    memset(all_rules, 0, sizeof(all_rules));
    unwind_rules_init(&rules, all_rules);
    return 0;
}

/* A section with one CIE as compilers write it, and one FDE of FUNCTION with the given program. */
struct section {
    uint8_t bytes[256];
    size_t size;
};

static void put(struct section *s, const void *bytes, size_t size)
{
    assert_true(s->size + size <= sizeof(s->bytes));
    memcpy(s->bytes + s->size, bytes, size);
    s->size += size;
}

static void put_u32(struct section *s, uint32_t value)
{
    put(s, &value, sizeof(value));
}

static struct section make_of(enum unwind_arch arch, const char *augmentation,
                              const uint8_t *program, size_t size)
{
    /* def_cfa rsp 8; offset rip, cfa-8. def_cfa sp 0 */
    static const uint8_t starts[][7] = { { 0x0c, 7, 8, 0x90, 1, 0, 0 }, { 0x0c, 31, 0 } };
    static const uint8_t all_aligns[][5] = { { 1, 0x78, 16, 1, 0x1b }, { 4, 0x78, 30, 1, 0x1b } };
    const uint8_t(*start)[7] = &starts[arch], (*aligns)[5] = &all_aligns[arch];
    struct section s = { .size = 0 };
    size_t text = strlen(augmentation) + 1;
    size_t cie_size = 4 + 1 + text + sizeof(*aligns) + sizeof(*start);

    put_u32(&s, (uint32_t)cie_size);
    put_u32(&s, 0);
    put(&s, "\1", 1);
    put(&s, augmentation, text);
    put(&s, aligns, sizeof(*aligns));
    put(&s, start, sizeof(*start));

    put_u32(&s, (uint32_t)(4 + 8 + 1 + size));
    put_u32(&s, (uint32_t)s.size);
    put_u32(&s, (uint32_t)(FUNCTION - (BASE + s.size)));
    put_u32(&s, SIZE);
    put(&s, "\0", 1);
    put(&s, program, size);
    put_u32(&s, 0);
    return s;
}

static struct section make(const char *augmentation, const uint8_t *program, size_t size)
{
    return make_of(UNWIND_X86_64, augmentation, program, size);
}

static void read_of(enum unwind_arch arch, const struct section *s, struct eh_table *ret_table)
{
    struct eh_section section = { s->bytes, s->size, BASE, false };
    struct eh_range range = { BASE, BASE + 0x1000, arch };

    eh_frame_read(&section, 1, range, 1000, &rules, ret_table);
}

static void read_one(const struct section *s, struct eh_table *ret_table)
{
    read_of(UNWIND_X86_64, s, ret_table);
}

#define RSP(o)       .cfa = UNWIND_CFA_REG, .reg = 7, .cfa_off = (o), .ra_off = -8
#define PROGRAM(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })
#define IS(at, ...)                                                                                \
    {                                                                                              \
        at,                                                                                        \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

struct program {
    const char *name;
    uint8_t program[32];
    size_t size;
    size_t n_broken;
    struct {
        uint32_t at;
        struct unwind_rule rule;
    } is[3];
};

static const struct program programs[] = {
    { "as the CIE says", PROGRAM(0), 0, { IS(0, RSP(8)), IS(SIZE - 1, RSP(8)) } },
    { "push rbp; mov rsp, rbp",
      PROGRAM(0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6),
      0,
      { IS(0, RSP(8)), IS(1, RSP(16), .bp = UNWIND_BP_AT_CFA, .bp_off = -16),
        IS(4, .cfa = UNWIND_CFA_REG, .reg = 6, .cfa_off = 16, .ra_off = -8, .bp = UNWIND_BP_AT_CFA,
           .bp_off = -16) } },
    { "remember and restore",
      PROGRAM(0x0a, 0x0e, 32, 0x44, 0x0b),
      0,
      { IS(3, RSP(32)), IS(4, RSP(8)) } },
    { "the return address undefined", PROGRAM(0x07, 16), 0, { IS(0, .cfa = UNWIND_CFA_END) } },
    { "the return address in rdi",
      PROGRAM(0x0e, 0, 0x09, 16, 5),
      0,
      { IS(0, .cfa = UNWIND_CFA_REG, .reg = 7, .ra = UNWIND_RA_IN_REG, .ra_off = 5) } },
    { "a realigned stack",
      PROGRAM(0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0),
      0,
      { IS(0, .cfa = UNWIND_CFA_DEREF, .reg = 6, .cfa_off = -8, .ra_off = -8,
           .bp = UNWIND_BP_AT_BP) } },
    { "dereferenced, and more",
      PROGRAM(0x0f, 5, 0x77, 0x10, 0x06, 0x23, 8),
      0,
      { IS(0, .cfa = UNWIND_CFA_DEREF, .reg = 7, .cfa_off = 16, .deref_off = 8, .ra_off = -8) } },
    { "a PLT entry",
      PROGRAM(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22),
      0,
      { IS(0, .cfa = UNWIND_CFA_PLT, .cfa_off = 11, .ra_off = -8) } },
    { "another expression", PROGRAM(0x0f, 2, 0x30, 0x31), 0, { IS(0, .cfa = UNWIND_CFA_UNKNOWN) } },
    { "an unknown instruction",
      PROGRAM(0x44, 0x3f),
      1,
      { IS(0, RSP(8)), IS(4, .cfa = UNWIND_CFA_UNKNOWN) } },
    { "an operand that is missing",
      PROGRAM(0x44, 0x0e),
      1,
      { IS(0, RSP(8)), IS(4, .cfa = UNWIND_CFA_UNKNOWN) } },
    { "a block past the end", PROGRAM(0x0f, 100, 0x77), 1, { IS(0, .cfa = UNWIND_CFA_UNKNOWN) } },
    { "restored before remembered", PROGRAM(0x0b), 1, { IS(0, .cfa = UNWIND_CFA_UNKNOWN) } },
    { "remembered too often",
      PROGRAM(0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a),
      1,
      { IS(0, .cfa = UNWIND_CFA_UNKNOWN) } },
    { "an offset too large",
      PROGRAM(0x0e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
      1,
      { IS(0, .cfa = UNWIND_CFA_UNKNOWN) } },
    { "rows past the end of the function",
      PROGRAM(0x04, 0, 1, 0, 0, 0x0e, 64),
      0,
      { IS(SIZE - 1, RSP(8)), IS(SIZE, .cfa = UNWIND_CFA_NONE) } },
};

/* x29 and x30 in the lowest words of a frame of so many bytes, and none. */
#define IN_LINK .ra = UNWIND_RA_IN_REG, .ra_off = 30
#define LEAF    .cfa = UNWIND_CFA_REG, .reg = 31, IN_LINK
#define FRAME(r, o)                                                                                \
    .cfa = UNWIND_CFA_REG, .reg = (r), .cfa_off = (o), .ra_off = 8 - (o), .bp = UNWIND_BP_AT_CFA,  \
    .bp_off = -(o)

static const struct program arm64_programs[] = {
    { "arm64: as the CIE says", PROGRAM(0), 0, { IS(0, LEAF), IS(SIZE - 1, LEAF) } },
    { "stp x29, x30, [sp, -48]!; and the epilogue",
      PROGRAM(0x41, 0x0e, 48, 0x9d, 6, 0x9e, 5, 0x44, 0xde, 0xdd, 0x0e, 0),
      0,
      { IS(0, LEAF), IS(4, FRAME(31, 48)), IS(20, LEAF) } },
    { "mov x29, sp, in a frame that varies",
      PROGRAM(0x41, 0x0e, 16, 0x9d, 2, 0x9e, 1, 0x41, 0x0d, 29),
      0,
      { IS(0, LEAF), IS(4, FRAME(31, 16)), IS(8, FRAME(29, 16)) } },
    { "a signed return address",
      PROGRAM(0x41, 0x2d, 0x41, 0x0e, 16, 0x9d, 2, 0x9e, 1, 0x41, 0x2d),
      0,
      { IS(0, LEAF), IS(4, LEAF), IS(8, FRAME(31, 16)) } },
    { "a return address signed with the place", PROGRAM(0x41, 0x2c), 0, { IS(4, LEAF) } },
    { "the return address in another register",
      PROGRAM(0x09, 30, 9),
      0,
      { IS(0, .cfa = UNWIND_CFA_REG, .reg = 31, .ra = UNWIND_RA_IN_REG, .ra_off = 9) } },
    { "the return address undefined", PROGRAM(0x07, 30), 0, { IS(0, .cfa = UNWIND_CFA_END) } },
    { "the same as in the caller",
      PROGRAM(0x0e, 16, 0x9e, 2, 0x41, 0x08, 30, 0x0e, 0),
      0,
      { IS(0, .cfa = UNWIND_CFA_REG, .reg = 31, .cfa_off = 16, .ra_off = -16), IS(4, LEAF) } },
    { "undefined, and restored",
      PROGRAM(0x07, 30, 0x41, 0xde),
      0,
      { IS(0, .cfa = UNWIND_CFA_END), IS(4, LEAF) } },
    { "frame addresses from x16",
      PROGRAM(0x0c, 16, 32),
      0,
      { IS(0, .cfa = UNWIND_CFA_REG, .reg = 16, .cfa_off = 32, IN_LINK) } },
    { "a frame of vectors: sp + 16 + 8 * VG",
      PROGRAM(0x0f, 10, 0x8f, 16, 0x92, 0x2e, 0, 0x11, 8, 0x1e, 0x22, 0),
      0,
      { IS(0, .cfa = UNWIND_CFA_UNKNOWN) } },
    { "the expression of an x86-64 PLT entry",
      PROGRAM(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22),
      0,
      { IS(0, .cfa = UNWIND_CFA_UNKNOWN) } },
    { "x29 saved at x29",
      PROGRAM(0x10, 29, 2, 0x8d, 0x10),
      0,
      { IS(0, LEAF, .bp = UNWIND_BP_AT_BP, .bp_off = 16) } },
    { "x29 in another register", PROGRAM(0x09, 29, 9), 0, { IS(0, .cfa = UNWIND_CFA_UNKNOWN) } },
};

static void run_all(enum unwind_arch arch, const struct program *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct section s = make_of(arch, "zR", cases[i].program, cases[i].size);
        struct eh_table table;

        read_of(arch, &s, &table);
        if (table.n_broken != cases[i].n_broken)
            fail_msg("%s: %zu broken", cases[i].name, table.n_broken);
        for (size_t j = 0; j < 3; j++) {
            const struct unwind_rule *want = &cases[i].is[j].rule;
            const struct unwind_rule *got = rule_at(&table, FUNCTION - BASE + cases[i].is[j].at);

            if (j > 0 && cases[i].is[j].at == 0)
                break;
            if (memcmp(want, got, sizeof(*got)) != 0)
                fail_msg("%s, row at %u: cfa %u reg %u %d %d bp %u %d ra %u %d", cases[i].name,
                         cases[i].is[j].at, got->cfa, got->reg, got->cfa_off, got->deref_off,
                         got->bp, got->bp_off, got->ra, got->ra_off);
        }
        assert_int_equal(rule_at(&table, FUNCTION - BASE - 1)->cfa, UNWIND_CFA_NONE);
        assert_int_equal(rule_at(&table, FUNCTION - BASE + SIZE)->cfa, UNWIND_CFA_NONE);
        eh_table_release(&table);
    }
}

static void runs_programs(void **state)
{
    (void)state;
    run_all(UNWIND_X86_64, programs, sizeof(programs) / sizeof(programs[0]));
    run_all(UNWIND_ARM64, arm64_programs, sizeof(arm64_programs) / sizeof(arm64_programs[0]));
}

/* B: signed with the other key; G: tagged. */
static void knows_augmentations(void **state)
{
    static const struct {
        enum unwind_arch arch;
        const char *text;
        uint8_t cfa;
    } cases[] = {
        { UNWIND_X86_64, "zRS", UNWIND_CFA_SIGNAL },  { UNWIND_ARM64, "zRS", UNWIND_CFA_SIGNAL },
        { UNWIND_ARM64, "zRB", UNWIND_CFA_REG },      { UNWIND_ARM64, "zRG", UNWIND_CFA_REG },
        { UNWIND_ARM64, "zRBGS", UNWIND_CFA_SIGNAL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct section s = make_of(cases[i].arch, cases[i].text, (const uint8_t[]){ 0 }, 1);
        struct eh_table table;

        read_of(cases[i].arch, &s, &table);
        if (rule_at(&table, FUNCTION - BASE)->cfa != cases[i].cfa || table.n_broken > 0)
            fail_msg("%s: rule %u", cases[i].text, rule_at(&table, FUNCTION - BASE)->cfa);
        eh_table_release(&table);
    }
}

/* Every section that is a prefix of a good one, and every one with a byte changed. */
static void survives_what_is_broken(void **state)
{
    struct section whole = make("zR", (const uint8_t[]){ 0x41, 0x0e, 16, 0x86, 2 }, 5);
    struct eh_table table;

    (void)state;
    for (size_t size = 0; size < whole.size; size++) {
        _cleanup_free_ uint8_t *exact = mem_alloc(size); /* for the address sanitizer */
        struct eh_section section = { exact, size, BASE, false };

        memcpy(exact, whole.bytes, size);
        for (int is_debug_frame = 0; is_debug_frame < 2; is_debug_frame++) {
            section.is_debug_frame = is_debug_frame;
            eh_frame_read(&section, 1, (struct eh_range){ .end = UINT64_MAX }, 10, &rules, &table);
            eh_table_release(&table);
        }
    }
    for (size_t at = 0; at < whole.size; at++) {
        for (unsigned value = 0; value < 256; value++) {
            struct section s = whole;

            s.bytes[at] = (uint8_t)value;
            read_one(&s, &table);
            eh_table_release(&table);
        }
    }
}

static void keeps_to_its_bounds(void **state)
{
    struct section s = make("zR", (const uint8_t[]){ 0x41, 0x0e, 16, 0x41, 0x0e, 24 }, 6);
    struct eh_section section = { s.bytes, s.size, BASE, false };
    struct eh_table table;

    (void)state;
    eh_frame_read(&section, 1, (struct eh_range){ .start = BASE, .end = BASE + 0x1000 }, 2, &rules,
                  &table);
    assert_int_equal(table.n_rows, 2);
    assert_true(table.is_full);
    eh_table_release(&table);
    eh_frame_read(&section, 1, (struct eh_range){ .start = FUNCTION + 1, .end = FUNCTION + 2 }, 9,
                  &rules, &table);
    assert_int_equal(table.n_rows, 0);
    eh_table_release(&table);
}

/* What readelf calls a rule, against ours; a text of its own for expressions. */
static bool is_cfa(enum unwind_arch arch, const struct unwind_rule *rule, const char *text)
{
    static const char *const names[] = { "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
                                         "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };
    char expect[32], number[8];
    const char *name = number;

    (void)snprintf(number, sizeof(number), rule->reg == 31 ? "sp" : "x%u", rule->reg);
    if (arch == UNWIND_X86_64)
        name = names[rule->reg];

    if (rule->cfa == UNWIND_CFA_SIGNAL || rule->cfa == UNWIND_CFA_END)
        return true; /* the latter is compared by the return address */
    if (strcmp(text, "exp") == 0)
        return rule->cfa == UNWIND_CFA_DEREF || rule->cfa == UNWIND_CFA_PLT ||
               rule->cfa == UNWIND_CFA_UNKNOWN;
    if (rule->cfa != UNWIND_CFA_REG)
        return false;
    (void)snprintf(expect, sizeof(expect), "%s%+d", name, rule->cfa_off);
    return strcmp(expect, text) == 0;
}

static bool is_saved(const char *text, bool in_cfa, int32_t off)
{
    char expect[32];

    (void)snprintf(expect, sizeof(expect), "c%+d", off);
    return in_cfa && strcmp(expect, text) == 0;
}

static bool is_bp(const struct unwind_rule *rule, const char *text)
{
    if (rule->cfa != UNWIND_CFA_REG && rule->cfa != UNWIND_CFA_DEREF)
        return true;
    if (strcmp(text, "u") == 0 || strcmp(text, "s") == 0)
        return rule->bp == UNWIND_BP_SAME;
    if (strcmp(text, "exp") == 0)
        return rule->bp == UNWIND_BP_AT_BP;
    return is_saved(text, rule->bp == UNWIND_BP_AT_CFA, rule->bp_off);
}

static bool is_ra(const struct unwind_rule *rule, const char *text)
{
    if (rule->cfa == UNWIND_CFA_SIGNAL || rule->cfa == UNWIND_CFA_UNKNOWN)
        return true;
    if (strcmp(text, "u") == 0) /* also said of what no rule was given for */
        return rule->cfa == UNWIND_CFA_END || rule->ra == UNWIND_RA_IN_REG;
    if (*text == 'r' || strcmp(text, "s") == 0) /* a register's name, or its own */
        return rule->ra == UNWIND_RA_IN_REG;
    return is_saved(text, rule->ra == UNWIND_RA_AT_CFA, rule->ra_off);
}

struct oracle {
    const struct unwind_image *image;
    int column_bp, column_ra; /* -1: not in this table */
    uint64_t end;             /* of the function; 0: the rows are a CIE's */
    size_t n_rows, n_wrong;
};

/* "   LOC           CFA      rbp   ra" */
static void take_columns(struct oracle *o, char *line)
{
    int column = 0;
    char *rest = NULL;

    o->column_bp = o->column_ra = -1;
    for (char *word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        if (strcmp(word, o->image->range.arch == UNWIND_ARM64 ? "x29" : "rbp") == 0)
            o->column_bp = column;
        if (strcmp(word, "ra") == 0)
            o->column_ra = column;
        column++;
    }
}

static void take_row(struct oracle *o, char *line)
{
    const char *words[24] = { NULL };
    int n = 0;
    char *rest = NULL;

    for (char *word = strtok_r(line, " \n", &rest); word && n < 24;
         word = strtok_r(NULL, " \n", &rest))
        if (*word != '(') /* another name of the register before */
            words[n++] = word;
    if (n < 2)
        return;

    uint64_t vaddr = strtoull(words[0], NULL, 16);
    enum unwind_arch arch = o->image->range.arch;
    const struct unwind_rule *rule = rule_at(&o->image->table, vaddr - o->image->range.start);
    const char *bp = o->column_bp >= 0 && o->column_bp < n ? words[o->column_bp] : "u";
    const char *ra = o->column_ra >= 0 && o->column_ra < n ? words[o->column_ra]
                     : arch == UNWIND_ARM64                ? "u"
                                                           : "c-8";

    if (vaddr < o->image->range.start || vaddr >= o->end)
        return; /* dropped by the linker, or a row of no code at the end of its function */
    o->n_rows++;
    if (*bp == 'r' ? rule->cfa == UNWIND_CFA_UNKNOWN
                   : is_cfa(arch, rule, words[1]) && is_bp(rule, bp) && is_ra(rule, ra))
        return;
    if (o->n_wrong++ < 5)
        print_message("%s: readelf has %s, rbp %s, ra %s; got cfa %u, reg %u, %d, bp %u %d, ra %u "
                      "%d\n",
                      words[0], words[1], bp, ra, rule->cfa, rule->reg, rule->cfa_off, rule->bp,
                      rule->bp_off, rule->ra, rule->ra_off);
}

static void take_line(struct oracle *o, char *line)
{
    const char *end = strstr(line, "..");

    if (strstr(line, " FDE ") && end)
        o->end = strtoull(end + 2, NULL, 16);
    else if (strstr(line, " CIE"))
        o->end = 0;
    else if (strncmp(line, "   LOC", 6) == 0)
        take_columns(o, line);
    else if (o->end && strlen(line) > 16 && strspn(line, "0123456789abcdef") == 16)
        take_row(o, line);
}

static void agrees(const char *path)
{
    struct oracle o = { 0 };
    struct unwind_image image = { 0 };
    struct err e = { 0 };
    char command[512], line[512];

    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        print_message("skipped: no '%s' here\n", path);
        return;
    }
    assert_int_equal(unwind_image_read(fd, &rules, &image, &e), 0);
    (void)snprintf(command, sizeof(command), "readelf --debug-dump=frames-interp '%s' 2>/dev/null",
                   path);
    FILE *in = popen(command, "r"); /* NOLINT(cert-env33-c) */
    assert_non_null(in);
    o.image = &image;
    while (fgets(line, sizeof(line), in))
        take_line(&o, line);
    (void)pclose(in);
    print_message("%s: %zu rows of readelf's, %zu of ours, %u rules, %zu broken\n", path, o.n_rows,
                  image.table.n_rows, rules.n, image.table.n_broken);
    unwind_image_release(&image);
    assert_int_equal(o.n_wrong, 0);
    assert_true(o.n_rows > 0);
}

static void agrees_with_readelf(void **state)
{
    static const char *const paths[] = { "/usr/aarch64-linux-gnu/lib/libc.so.6",
                                         "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1",
                                         "/usr/aarch64-linux-gnu/lib/libstdc++.so.6",
                                         "/lib/x86_64-linux-gnu/libc.so.6",
                                         "/lib64/ld-linux-x86-64.so.2",
                                         "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
                                         "/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
                                         "/bin/busybox",
                                         "/bin/bash" };
    const char *more = getenv("PODFLAME_TEST_FILE"); /* NOLINT(concurrency-mt-unsafe) */
    char self[512];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    (void)state;
    if (system("readelf --version >/dev/null 2>&1") != 0) { /* NOLINT */
        print_message("skipped: no readelf here\n");
        skip();
    }
    assert_true(n > 0);
    self[n] = '\0';
    agrees(self);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        agrees(paths[i]);
    if (more)
        agrees(more);
}

/* The PLT of a small library, as the linker wrote it: what calls the dynamic linker, two entries.
 */
static void describes_plts_of_arm64(void **state)
{
    static const struct {
        uint64_t vaddr;
        struct unwind_rule rule;
    } cases[] = {
        { 0x2b0, { 0 } },
        { 0x2c0, { LEAF } },
        { 0x2c4, { LEAF } },
        { 0x2c8, { LEAF, .cfa_off = 16 } },
        { 0x2dc, { LEAF, .cfa_off = 16 } },
        { 0x2e0, { LEAF } },
        { 0x2fc, { LEAF } },
    };
    struct unwind_image image = { 0 };
    struct err e = { 0 };
    _cleanup_close_ int fd =
        open("agent/unwind/fuzz/corpus/unwind_image/arm64-shared.so", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(unwind_image_read(fd, &rules, &image, &e), 0);
    assert_int_equal(image.range.arch, UNWIND_ARM64);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct unwind_rule *got = rule_at(&image.table, cases[i].vaddr - image.range.start);

        if (memcmp(got, &cases[i].rule, sizeof(*got)) != 0)
            fail_msg("0x%lx: cfa %u, reg %u, %d, ra %u %d", (unsigned long)cases[i].vaddr, got->cfa,
                     got->reg, got->cfa_off, got->ra, got->ra_off);
    }
    unwind_image_release(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(runs_programs, set_up),
        cmocka_unit_test_setup(knows_augmentations, set_up),
        cmocka_unit_test_setup(survives_what_is_broken, set_up),
        cmocka_unit_test_setup(keeps_to_its_bounds, set_up),
        cmocka_unit_test_setup(describes_plts_of_arm64, set_up),
        cmocka_unit_test_setup(agrees_with_readelf, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
