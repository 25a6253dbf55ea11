/* SPDX-License-Identifier: Apache-2.0 */
/* hotspot_scopes: over made-up compiled code, well formed and hostile; and what it costs. */
#include "agent/runtimes/hotspot/hotspot_method.h"
#include "agent/runtimes/hotspot/hotspot_scopes.h"
#include "agent/runtimes/target_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* An nmethod of JDK 17, with all it refers to behind it. */
enum {
    BASE = 0x10000, /* any address */
    HEADER = 128,
    METADATA = 256,
    METHODS = 64, /* two words each */
    METHODS_AT = METADATA + METHODS * 8,
    PCS = METHODS_AT + METHODS * 16,
    SCOPES = PCS + 64,
    SIZE = 1 << 20,
    COMPILE_ID = 77,
    PC = 100,
    LEVEL_C2 = 4,
    READS_MAX = 128,
    CODE = 0x50000,
};

static const struct hotspot_layout layout = {
    .major = 17,
    .nmethod_size = HEADER,
    .blob_code_begin = HOTSPOT_NO_FIELD,
    .blob_code_offset = 32,
    .blob_data_offset = 40,
    .blob_mutable_data = HOTSPOT_NO_FIELD,
    .blob_relocation_size = HOTSPOT_NO_FIELD,
    .nmethod_method = 64,
    .nmethod_compile_id = 72,
    .nmethod_comp_level = 76,
    .nmethod_metadata = 80,
    .nmethod_metadata_width = 4,
    .nmethod_dependencies = 84,
    .nmethod_scopes_pcs = 88,
    .nmethod_scopes_data = HOTSPOT_NO_FIELD,
    .nmethod_scopes_begin = 96,
    .nmethod_immutable = HOTSPOT_NO_FIELD,
    .pc_desc_size = 16,
    .pc_desc_pc = 0,
    .pc_desc_scope = 4,
    .method_const = 8,
    .const_size = 48,
    .const_constants = 8,
    .const_code_size = 32,
    .pool_cache = 16,
    .cache_size = 24,
    .entry_size = 32,
    .entry_indices = 0,
    .entry_f1 = 8,
    .entry_f2 = 16,
    .cache_resolved = HOTSPOT_NO_FIELD,
    .klass_methods = HOTSPOT_NO_FIELD,
};

static unsigned char memory[SIZE];
static size_t n_reads;
static struct hotspot_loops loops;

bool target_memory_read(pid_t pid, uint64_t addr, void *to, size_t size)
{
    (void)pid;
    n_reads++;
    if (addr < BASE || addr - BASE > SIZE - size)
        return false;
    memcpy(to, memory + (addr - BASE), size);
    return true;
}

static void put_u64(size_t off, uint64_t value)
{
    memcpy(memory + off, &value, sizeof(value));
}

static void put_u32(size_t off, uint32_t value)
{
    memcpy(memory + off, &value, sizeof(value));
}

static uint64_t method(unsigned i)
{
    return BASE + METHODS_AT + i * 16;
}

static size_t put_number(size_t off, uint32_t value)
{
    for (; value >= 192; value = (value - 192) >> 6)
        memory[off++] = (unsigned char)(192 + (value - 192) % 64);
    memory[off++] = (unsigned char)value;
    return off;
}

/* What the next scope lies behind the one before, and which method it is of: the root of the first
 * one, and others in turn. */
static uint32_t put_scopes(unsigned n, unsigned apart)
{
    size_t at = 1;
    uint32_t caller = 0;

    for (unsigned i = 0; i < n; i++) {
        size_t end = put_number(SCOPES + at, caller);

        end = put_number(end, i % METHODS + 1);
        (void)put_number(end, i % 1000 + 1);
        caller = (uint32_t)at;
        at += apart;
    }
    return caller;
}

static void put_nmethod(uint32_t scope)
{
    static const int32_t ends[] = { -1, INT32_MAX };

    put_u32(32, CODE);
    put_u64(64, method(0));
    put_u32(72, COMPILE_ID);
    put_u32(76, LEVEL_C2);
    put_u32(80, METADATA);
    put_u32(84, SCOPES);
    put_u32(88, PCS);
    put_u64(96, BASE + SCOPES);
    for (unsigned i = 0; i < METHODS; i++) {
        put_u64(METADATA + i * 8, method(i));
        put_u64(METHODS_AT + i * 16 + 8, 0x1000 + i * 64);
    }
    put_u32(PCS, (uint32_t)ends[0]);
    put_u32(PCS + 16, PC);
    put_u32(PCS + 20, scope);
    put_u32(PCS + 32, PC + 50);
    put_u32(PCS + 48, (uint32_t)ends[1]);
}

static bool read_scopes(uint32_t pc, struct hotspot_scopes *s)
{
    n_reads = 0;

    bool found = hotspot_scopes_read(1, &layout, &loops, BASE, COMPILE_ID, pc, s);

    assert_true(n_reads < READS_MAX);
    return found;
}

static void reads_chains(void **state)
{
    static const struct {
        unsigned n, apart;
        size_t is;
    } cases[] = {
        { 1, 8, 1 }, { 3, 8, 3 }, { 32, 8, 32 }, { 33, 8, 32 }, { 200, 100, 32 }, { 16, 4000, 16 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hotspot_scopes s;

        memset(memory, 0, sizeof(memory));
        put_nmethod(put_scopes(cases[i].n, cases[i].apart));
        assert_true(read_scopes(PC, &s));
        assert_int_equal(s.n, cases[i].is);
        assert_int_equal(s.level, LEVEL_C2);
        for (size_t j = 0; j < s.n; j++) {
            unsigned of = j < s.n - 1 ? cases[i].n - 1 - (unsigned)j : 0;

            assert_int_equal(s.scopes[j].method, method(of % METHODS));
            assert_int_equal(s.scopes[j].check, hotspot_check(0x1000 + of % METHODS * 64));
            assert_int_equal(s.scopes[j].bci, of % 1000);
        }
    }
}

/* The one that was compiled, and no place in it. */
static void assert_only_compiled(uint32_t pc)
{
    struct hotspot_scopes s;

    assert_true(read_scopes(pc, &s));
    assert_int_equal(s.n, 1);
    assert_int_equal(s.scopes[0].method, method(0));
    assert_int_equal(s.scopes[0].bci, HOTSPOT_BCI_UNKNOWN);
}

static void takes_the_next_place(void **state)
{
    struct hotspot_scopes s;

    (void)state;
    memset(memory, 0, sizeof(memory));
    put_nmethod(put_scopes(2, 8));
    for (uint32_t pc = 0; pc <= PC; pc += 20) {
        assert_true(read_scopes(pc, &s));
        assert_int_equal(s.n, 2);
    }
    assert_only_compiled(PC + 1); /* of which nothing is known */
    assert_only_compiled(PC + 51);
    assert_only_compiled(UINT32_MAX);
}

static void takes_the_nearest_place_of_the_first_compiler(void **state)
{
    static const struct {
        uint32_t pc;
        size_t n;
    } cases[] = { { 0, 3 }, { PC, 3 }, { PC + 24, 3 }, { PC + 25, 2 }, { PC + 51, 2 } };
    struct hotspot_scopes s;

    (void)state;
    memset(memory, 0, sizeof(memory));
    put_nmethod(put_scopes(3, 8));
    put_u32(76, HOTSPOT_LEVEL_C1_MAX);
    put_u32(PCS + 36, put_scopes(2, 8));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(read_scopes(cases[i].pc, &s));
        assert_int_equal(s.n, cases[i].n);
    }
}

static void believes_nothing_that_does_not_fit(void **state)
{
    static const struct {
        unsigned n, apart;
        size_t off; /* of what is spoilt, in memory */
        uint64_t with;
    } cases[] = {
        { 300, 8, 0, 0 },                           /* deeper than any compiler goes */
        { 200, 4000, 0, 0 },                        /* spread over too much */
        { 3, 8, SCOPES + 9, 0x7f7f7f7f7f7f7f7f },   /* its caller lies behind it */
        { 3, 8, SCOPES + 2, 0 },                    /* no method */
        { 3, 8, SCOPES + 2, 0xffffffff },           /* one beyond all */
        { 3, 8, METADATA, BASE + METHODS_AT + 16 }, /* another method was compiled */
        { 3, 8, METADATA + 8, 5 },                  /* what is no address */
        { 3, 8, PCS + 20, 0xffffffffffffffff },     /* below all scopes */
        { 3, 8, PCS + 20, 0x7fffffff },             /* and above them */
        { 3, 8, 84, 0 },                            /* an end before the beginning */
        { 3, 8, 96, 1 },                            /* scopes nowhere */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(memory, 0, sizeof(memory));
        put_nmethod(put_scopes(cases[i].n, cases[i].apart));
        if (cases[i].off)
            put_u64(cases[i].off, cases[i].with);
        assert_only_compiled(PC);
    }
}

/* A machine that says where references to methods lie, but not how far into that. */
static void survives_a_layout_in_part(void **state)
{
    struct hotspot_layout part = layout;
    struct hotspot_scopes s;

    (void)state;
    memset(memory, 0, sizeof(memory));
    put_nmethod(put_scopes(2, 8));
    part.nmethod_metadata = HOTSPOT_NO_FIELD;
    part.nmethod_metadata_width = HOTSPOT_NO_FIELD;
    part.blob_mutable_data = 16;
    part.blob_relocation_size = HOTSPOT_NO_FIELD;
    assert_true(hotspot_scopes_read(1, &part, &loops, BASE, COMPILE_ID, PC, &s));
    assert_int_equal(s.n, 1);
    assert_int_equal(s.scopes[0].bci, HOTSPOT_BCI_UNKNOWN);
}

static void knows_what_is_gone(void **state)
{
    struct hotspot_scopes s;

    (void)state;
    memset(memory, 0, sizeof(memory));
    put_nmethod(put_scopes(2, 8));
    put_u32(72, COMPILE_ID + 1); /* other code is there now */
    assert_false(read_scopes(PC, &s));
    put_u32(72, COMPILE_ID);
    put_u64(64, 3); /* of no method */
    put_u64(METADATA, 3);
    assert_false(read_scopes(PC, &s));
    assert_false(hotspot_scopes_read(1, &layout, &loops, 8, COMPILE_ID, PC, &s));
}

enum { CONSTS = 0x20000, POOL = 0x30000, CACHE = 0x40000, INVOKESTATIC = 0xb8 };

/* Its ConstMethod, and what the call with its number leads to: the next method. */
static void put_code(unsigned i, const unsigned char *code, uint16_t size)
{
    size_t at = CONSTS + i * 256, entry = CACHE + 24 + i * 32;

    put_u64(METHODS_AT + i * 16 + 8, BASE + at);
    put_u64(at + 8, BASE + POOL);
    put_u64(POOL + 16, BASE + CACHE);
    memcpy(memory + at + 32, &size, sizeof(size));
    memcpy(memory + at + 48, code, size);
    put_u64(entry, (uint64_t)INVOKESTATIC << 16 | 5);
    put_u64(entry + 8, method(i + 1));
}

#define CALL(number) INVOKESTATIC, (number), 0
enum { LRETURN = 0xad, IINC = 0x84, GOTO = 0xa7 };

/* A method calls a second one, that a third one, which has a loop; the machine's code has a call,
 * a loop and another call. */
static void put_loop(uint8_t level)
{
    static const unsigned char first[] = { CALL(0), LRETURN }, second[] = { CALL(1), LRETURN },
                               third[] = { IINC, 1, 1, GOTO, 0xff, 0xfd },
                               machine[] = { 0xe8, 0,    0,    0, 0x7f, 0x90, 0x90, 0x74,
                                             0xfc, 0x90, 0xe8, 0, 0,    0,    0x7f, 0xc3 };
    static const uint32_t notes[][2] = { { 5, 0 }, { 15, 0 }, { 16, 0 } };

    memset(memory, 0, sizeof(memory));
    put_nmethod(0);
    for (unsigned i = 0; i < 3; i++) {
        put_u32(PCS + 16 * (i + 1), notes[i][0]);
        put_u32(PCS + 16 * (i + 1) + 4, notes[i][1]);
    }
    put_u32(76, level);
    put_code(0, first, sizeof(first));
    put_code(1, second, sizeof(second));
    put_code(2, third, sizeof(third));
    memcpy(memory + CODE, machine, sizeof(machine));
}

static void assert_is_third(const struct hotspot_scopes *s)
{
    assert_int_equal(s->n, 3);
    assert_int_equal(s->scopes[0].method, method(2));
    assert_int_equal(s->scopes[0].bci, 3);
    assert_int_equal(s->scopes[0].check, hotspot_check(BASE + CONSTS + 512));
    assert_int_equal(s->scopes[1].method, method(1));
    assert_int_equal(s->scopes[1].bci, 0);
    assert_int_equal(s->scopes[2].method, method(0));
    assert_int_equal(s->scopes[2].bci, 0);
}

static void finds_what_was_inlined_without_a_note(void **state)
{
    struct hotspot_scopes s;

    (void)state;
    put_loop(LEVEL_C2);
    assert_true(read_scopes(6, &s));
    assert_is_third(&s);
    put_loop(HOTSPOT_LEVEL_C1_MAX);
    assert_only_compiled(6);
}

/* Of code that was found to be something else meanwhile, nothing is remembered. */
static void asks_about_a_loop_once(void **state)
{
    struct hotspot_scopes s;
    size_t n_first;

    (void)state;
    put_loop(LEVEL_C2);
    memset(&loops, 0, sizeof(loops));
    assert_true(read_scopes(6, &s));
    n_first = n_reads;
    assert_true(read_scopes(7, &s));
    assert_is_third(&s);
    assert_true(n_reads * 2 < n_first);
    put_u32(72, COMPILE_ID + 1);
    assert_true(hotspot_scopes_read(1, &layout, &loops, BASE, COMPILE_ID + 1, 7, &s));
    assert_is_third(&s);
    assert_true(n_reads * 2 > n_first);
}

/* As of the code of another processor: the next place is all that is known. */
static void reads_code_it_cannot_follow(void **state)
{
    struct hotspot_scopes s;

    (void)state;
    put_loop(LEVEL_C2);
    memory[CODE] = 0x06;
    assert_true(read_scopes(6, &s));
    assert_is_third(&s);
    put_u32(PCS + 48, INT32_MAX); /* and so much of it */
    assert_true(read_scopes(6, &s));
    assert_is_third(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_chains),
        cmocka_unit_test(takes_the_next_place),
        cmocka_unit_test(takes_the_nearest_place_of_the_first_compiler),
        cmocka_unit_test(believes_nothing_that_does_not_fit),
        cmocka_unit_test(survives_a_layout_in_part),
        cmocka_unit_test(knows_what_is_gone),
        cmocka_unit_test(finds_what_was_inlined_without_a_note),
        cmocka_unit_test(asks_about_a_loop_once),
        cmocka_unit_test(reads_code_it_cannot_follow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
