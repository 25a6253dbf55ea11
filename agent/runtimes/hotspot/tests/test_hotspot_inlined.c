/* SPDX-License-Identifier: Apache-2.0 */
/* hotspot_inlined, hotspot_calls: over made-up methods, as JDK 17 and JDK 25 keep them. */
#include "agent/runtimes/hotspot/hotspot_calls.h"
#include "agent/runtimes/hotspot/hotspot_inlined.h"
#include "agent/runtimes/hotspot/hotspot_method.h"
#include "agent/runtimes/target_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BASE = 0x10000,
    METHODS = 8,
    METHODS_AT = 0,
    CONSTS = 0x1000,
    CONST_SIZE = 0x1000,
    CLASSES = 0x10000,
    POOLS = 0x20000,
    CACHES = 0x30000,
    SIZE = 0x40000,
    PART = 0x400, /* for each class of one of the last three */
    ANY = HOTSPOT_BCI_UNKNOWN,
};

#define SAME                                                                                       \
    .method_const = 8, .const_size = 48, .const_constants = 8, .const_code_size = 32,              \
    .const_name = 34, .const_signature = 36, .pool_size = 72, .pool_holder = 24, .pool_cache = 16, \
    .klass_methods = 64, .klass_super = 56, .methods_data = 8

static const struct hotspot_layout layouts[] = {
    { .major = 17,
      .cache_size = 24,
      .entry_size = 32,
      .entry_f1 = 8,
      .entry_f2 = 16,
      .cache_resolved = HOTSPOT_NO_FIELD,
      SAME },
    { .major = 25,
      .entry_f2 = HOTSPOT_NO_FIELD,
      .cache_resolved = 56,
      .resolved_data = 8,
      .resolved_size = 24,
      .resolved_constant = 16,
      SAME },
};

/*
 * The byte code of methods 0, 1, ... :
 * .  lload_1   r  lreturn   ( )  a loop's beginning and end   ?  what no machine has
 * With the number of a method behind it, three bytes (i: five):
 * s  invokestatic   S  one that was never made   f  invokevirtual of a final method
 * v  invokevirtual of that method's name   i  invokeinterface, the same   h  invokehandle
 * x  4,000 lload_1
 *
 * Chains are outermost first, METHOD@BCI, ? for a place that is not known; so are calls that are
 * left. Classes are those of the methods with these numbers, and each has its own method; a class
 * S/C is the same, below class C.
 */
static const struct {
    const char *name, *code[METHODS];
    const char *before, *behind, *calls, *classes;
    const char *is;                 /* "": nothing is between */
    enum { BEFORE = 1, INNER } how; /* hotspot_inlined_before; no loop in the loop */
} cases[] = {
    { "a call", { "s1r", "()" }, "0@0", "0@?", "", "", "0@0 1@0", 0 },
    { "a call of a call", { "s1r", ".s2r", "()" }, "0@0", "0@?", "", "", "0@0 1@1 2@0", 0 },
    { "a call that cannot take time", { "s1s2r", "r", "()" }, "0@0", "0@?", "", "", "0@3 2@0", 0 },
    { "nor by what it calls",
      { "s1s2r", "s3s4r", "()", "r", "..r" },
      "0@0",
      "0@?",
      "",
      "",
      "0@3 2@0",
      0 },
    { "two that can", { "s1s2r", "()", "()" }, "0@0", "0@?", "", "", "0@?", 0 },
    { "one of them is still a call",
      { "s1s2r", "()", "()" },
      "0@0",
      "0@?",
      "0@0",
      "",
      "0@3 2@0",
      0 },
    { "and one was never made", { "S1s2r", "()", "()" }, "0@0", "0@?", "", "", "0@3 2@0", 0 },
    { "all are still calls", { "s1s2r", "()", "()" }, "0@0", "0@?", "0@0 0@3", "", "", 0 },
    { "no call at all", { "..r" }, "0@0", "0@?", "", "", "", 0 },
    { "a loop", { "(.)r" }, "0@0", "0@?", "", "", "0@1", 0 },
    { "two loops", { "(.)(.)r" }, "0@0", "0@?", "", "", "0@?", 0 },
    { "a loop and a call", { "()s1r", "()" }, "0@0", "0@?", "", "", "0@?", 0 },
    { "a loop that still calls", { "(s2)s1r", "()", "" }, "0@0", "0@?", "0@0", "", "0@6 1@0", 0 },
    { "only what is behind", { "s1s2r", "()", "()" }, "0@3", "0@?", "", "", "0@3 2@0", 0 },
    { "only what is before", { "s1s2r", "()", "()" }, "0@0", "0@3", "", "", "0@0 1@0", 0 },
    { "a loop before", { "(.)s1r", "()" }, "0@4", "0@?", "", "", "0@4 1@0", 0 },
    { "what is left of a call",
      { "s1r", "s2s3r", "()", "()" },
      "0@0 1@3",
      "0@?",
      "",
      "",
      "0@0 1@3 3@0",
      0 },
    { "what came first in one",
      { "s1r", "s2s3r", "()", "()" },
      "0@0",
      "0@0 1@3",
      "",
      "",
      "0@0 1@0 2@0",
      0 },
    { "between two places in one",
      { "s1r", "s2s3s2r", "()", "()" },
      "0@0 1@3",
      "0@0 1@6",
      "",
      "",
      "0@0 1@3 3@0",
      0 },
    { "between two calls",
      { "s1s2s3r", "s4r", "s4r", "r", "()" },
      "0@0 1@3",
      "0@6 3@0",
      "",
      "",
      "0@3 2@0 4@0",
      0 },
    { "the call itself has been made", { "s1r", "()" }, "0@0 1@?", "0@?", "", "", "", 0 },
    { "the same one, called twice", { "s1s1r", "()" }, "0@0", "0@?", "", "", "0@0 1@0", 0 },
    { "once around a loop", { "(s1s2)r", "()", "r" }, "0@3", "0@3", "0@3", "", "0@0 1@0", 0 },
    { "two ways from one call",
      { "v1r", "s3r", "s3r", "()" },
      "0@0 1@0",
      "0@0 2@0",
      "",
      "",
      "",
      0 },
    { "a final method", { "f1r", "()" }, "0@0", "0@?", "", "", "0@0 1@0", 0 },
    { "by the only class", { "v1r", "()" }, "0@0", "0@?", "", "1", "0@0 1@0", 0 },
    { "through an interface", { "i1r", "()" }, "0@0", "0@?", "", "1", "0@0 1@0", 0 },
    { "from a class above", { "v1r", "()", "" }, "0@0", "0@?", "", "2/1", "0@0 1@0", 0 },
    { "a class without such a method", { "v1r", "()", "" }, "0@0", "0@?", "", "2", "0@0", 0 },
    { "no class is known", { "v1r", "()" }, "0@0", "0@?", "", "", "0@0", 0 },
    { "a method handle", { "h1r", "()" }, "0@0", "0@?", "", "1", "0@0", 0 },
    { "a method handle and a call", { "h1s1r", "()" }, "0@0", "0@?", "", "", "0@?", 0 },
    { "a recursion", { "s0s1r", "()" }, "0@0", "0@?", "", "", "0@3 1@0", 0 },
    { "two that call one another", { "s1r", "s2r", "s1r" }, "0@0", "0@?", "", "", "0@0 1@?", 0 },
    { "code that is none", { "?" }, "0@0", "0@?", "", "", "0@?", 0 },
    { "a call of such code", { "s1r", "?" }, "0@0", "0@?", "", "", "0@0 1@?", 0 },
    { "too much code", { "x" }, "0@0", "0@?", "", "", "0@?", 0 },
    { "a native method", { "s1s2r", "", "()" }, "0@0", "0@?", "", "", "0@3 2@0", 0 },
    { "a loop around a call", { "(s1)r", "()" }, "0@0", "0@?", "", "", "0@?", 0 },
    { "the innermost of them", { "(s1)r", "()" }, "0@0", "0@?", "", "", "0@0 1@0", INNER },
    { "a loop around places in a call",
      { "(s1)r", "s2s3r", "()", "()" },
      "0@0 1@3",
      "0@?",
      "",
      "",
      "0@0 1@3 3@0",
      INNER },
    { "two in one method that is called",
      { "s1r", "s2s3r", "()", "()" },
      "0@0 1@0",
      "0@?",
      "",
      "",
      "0@0 1@?",
      0 },
    { "two in two", { "s1s1r", "s2s3r", "()", "()" }, "0@0 1@3", "0@3 1@3", "", "", "0@?", 0 },
    { "a poll of a loop", { "(.)r" }, "", "0@1", "", "", "", BEFORE },
    { "of one that calls", { "(s1)r", "()" }, "", "0@3", "", "", "0@0 1@0", BEFORE },
    { "of one that still does", { "(s1)r", "()" }, "", "0@3", "0@0", "", "", BEFORE },
    { "of one that two methods call", { "(s1s2)r", "()", "()" }, "", "0@6", "", "", "", BEFORE },
    { "within another method",
      { "s1r", "(s2)r", "()" },
      "",
      "0@0 1@3",
      "",
      "",
      "0@0 1@0 2@0",
      BEFORE },
};

static unsigned char memory[SIZE];

bool target_memory_read(pid_t pid, uint64_t addr, void *to, size_t size)
{
    (void)pid;
    if (addr < BASE || addr - BASE > SIZE - size)
        return false;
    memcpy(to, memory + (addr - BASE), size);
    return true;
}

static void put(size_t off, uint64_t value, size_t size)
{
    memcpy(memory + off, &value, size);
}

static uint64_t method(unsigned i)
{
    return BASE + METHODS_AT + i * 16;
}

static uint64_t class(unsigned i)
{
    return BASE + CLASSES + i * PART;
}

/* What a call of method @i with the name of it is found out to lead to, in all classes' caches. */
static void put_call(const struct hotspot_layout *l, size_t pool, size_t number, char kind,
                     unsigned i)
{
    static const struct {
        char kind;
        uint8_t bytecode;
        size_t of_two;
    } kinds[] = { { 's', 0xb8, 0 }, { 'S', 0, 0 },    { 'f', 0xb6, BEFORE },
                  { 'v', 0xb6, 1 }, { 'i', 0xb9, 0 }, { 'h', 233, 0 } };
    size_t k = 0, cache = CACHES + pool * PART;
    uint64_t target = kind == 's' || kind == 'f' ? method(i) : kind == 'v' ? 5 : 0;
    uint16_t constant = (uint16_t)(40 + i);

    while (kinds[k].kind != kind)
        k++;
    if (l->cache_resolved == HOTSPOT_NO_FIELD) {
        size_t entry = cache + 24 + number * 32;

        put(entry, constant | (uint64_t)kinds[k].bytecode << (kinds[k].of_two ? 24 : 16), 8);
        put(entry + 8 + 8 * kinds[k].of_two, target, 8);
    } else {
        size_t entry = cache + 128 + 8 + number * 24;

        put(cache + 56, BASE + cache + 128, 8);
        put(cache + 128, number + 1, 4);
        put(entry, kind == 'v' ? 0 : target, 8);
        put(entry + 16, constant, 2);
        put(entry + 22 + kinds[k].of_two, kinds[k].bytecode, 1);
    }
}

/* Names are numbers of constants that are Symbols; what is called is a class and a pair of them. */
static void put_class(unsigned i)
{
    size_t klass = CLASSES + i * PART, pool = POOLS + i * PART;

    put(klass + 64, class(i) + 128, 8);
    put(klass + 128, 1, 4);
    put(klass + 136, method(i), 8);
    put(pool + 16, BASE + CACHES + i * PART, 8);
    put(pool + 24, class(i), 8);
    for (size_t m = 0; m < METHODS; m++) {
        put(pool + 72 + (20 + m) * 8, 0x7000 + m, 8);
        put(pool + 72 + (30 + m) * 8, (20 + m) | 19 << 16, 8);
        put(pool + 72 + (40 + m) * 8, 1 | (30 + m) << 16, 8);
    }
    put(pool + 224, 0x6000, 8);
}

static void put_bytes(unsigned char *code, uint16_t *size, const void *bytes, uint16_t n)
{
    memcpy(code + *size, bytes, n);
    *size = (uint16_t)(*size + n);
}

static void put_method(const struct hotspot_layout *l, unsigned i, const char *text)
{
    size_t at = CONSTS + i * CONST_SIZE;
    unsigned char *code = memory + at + 48;
    uint16_t size = 0, loop = 0;
    uint8_t number = 0;

    put(METHODS_AT + i * 16 + 8, BASE + at, 8);
    put(at + 8, BASE + POOLS + i * PART, 8);
    put(at + 34, 20 + i, 2);
    put(at + 36, 19, 2);
    put_class(i);
    for (const char *c = text; *c; c++) {
        const uint8_t back[] = { 0xa7, (uint8_t)((loop - size) >> 8), (uint8_t)(loop - size) };
        const uint8_t plain = *c == '?' ? 0xfe : *c == 'r' ? 0xad : 0x1f;

        if (*c == '(') {
            loop = size;
        } else if (*c == ')') {
            put_bytes(code, &size, back, 3);
        } else if (strchr("sSfvih", *c)) {
            const uint8_t is = *c == 'i'                ? 0xb9
                               : *c == 'h'              ? 233
                               : *c == 'f' || *c == 'v' ? 0xb6
                                                        : 0xb8;
            const uint8_t call[] = { is, number, 0, 1, 0 };

            put_call(l, i, number++, *c, (unsigned)(c[1] - '0'));
            put_bytes(code, &size, call, is == 0xb9 ? 5 : 3);
            c++;
        } else {
            for (int n = *c == 'x' ? 2100 : 1; n > 0; n--)
                put_bytes(code, &size, &plain, 1);
        }
    }
    put(at + 32, size, 2);
}

static struct hotspot_scopes read_chain(const char *text)
{
    struct hotspot_scopes s = { .level = 4 };

    for (const char *c = text; *c; c += c[3] == ' ' ? 4 : 3) {
        memmove(s.scopes + 1, s.scopes, s.n++ * sizeof(*s.scopes));
        s.scopes[0] = (struct hotspot_scope){ method((unsigned)(c[0] - '0')), 0,
                                              c[2] == '?' ? ANY : (uint32_t)(c[2] - '0') };
    }
    return s;
}

static void write_chain(const struct hotspot_scopes *s, char *text, size_t size)
{
    size_t used = 0;

    *text = '\0';
    for (size_t i = s->n; i-- > 0 && used < size;) {
        unsigned number = (unsigned)((s->scopes[i].method - method(0)) / 16);

        used += (size_t)snprintf(text + used, size - used,
                                 s->scopes[i].bci == ANY ? "%s%u@?" : "%s%u@%u", used ? " " : "",
                                 number, s->scopes[i].bci);
    }
}

static void check(const struct hotspot_layout *l, size_t i)
{
    struct hotspot_site sites[4];
    uint64_t classes[4] = { 3, 0x7fffffff }; /* things that are no classes */
    struct hotspot_inlining in = { 1, l, classes, 2, sites, 0, cases[i].how == INNER };
    struct hotspot_scopes before = read_chain(cases[i].before),
                          behind = read_chain(cases[i].behind), calls = read_chain(cases[i].calls),
                          is = { 0 };
    char text[128];
    bool found;

    memset(memory, 0, sizeof(memory));
    for (unsigned m = 0; m < METHODS; m++)
        put_method(l, m, cases[i].code[m] ? cases[i].code[m] : "");
    for (size_t j = 0; j < calls.n; j++)
        sites[in.n_calls++] = (struct hotspot_site){ calls.scopes[j].method, calls.scopes[j].bci };
    for (const char *c = cases[i].classes; *c; c += c[1] == '/' ? 3 : 1) {
        classes[in.n_classes++] = class((unsigned)(*c - '0'));
        if (c[1] == '/')
            put(CLASSES + (size_t)(*c - '0') * PART + 56, class((unsigned)(c[2] - '0')), 8);
    }
    found = cases[i].how == BEFORE ? hotspot_inlined_before(&in, &behind, &is)
                                   : hotspot_inlined_between(&in, &before, &behind, &is);
    write_chain(&is, text, sizeof(text));
    if (found != (*cases[i].is != '\0') || strcmp(text, cases[i].is) != 0)
        fail_msg("%s, JDK %d: '%s'", cases[i].name, l->major, text);
}

static void finds_the_only_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(&layouts[0], i);
        check(&layouts[1], i);
    }
}

/* A class with all methods, two of them of one name; the machine has them in the names' order. */
static void looks_up_methods(void **state)
{
    const struct hotspot_layout *l = &layouts[0];
    const uint64_t classes[] = { class(0) };
    unsigned left = 100;
    struct hotspot_receivers receivers = { classes, 1, NULL, 0, &left };
    struct hotspot_code code;

    (void)state;
    memset(memory, 0, sizeof(memory));
    put_method(l, 0, "v0v1v2v3v4v5v6v7r");
    for (unsigned m = 0; m < METHODS; m++) {
        if (m > 0)
            put_method(l, m, "r");
        put(CONSTS + (size_t)m * CONST_SIZE + 8, BASE + POOLS, 8);
        put(CLASSES + 136 + (size_t)m * 8, method(m), 8);
    }
    put(CLASSES + 128, METHODS, 4);
    put(POOLS + 72 + 18 * 8, 0x6001, 8);
    put(CONSTS + 2 * CONST_SIZE + 34, 23, 2); /* method 2 has the name of 3 */
    put(CONSTS + 2 * CONST_SIZE + 36, 18, 2); /* and another signature */
    assert_true(hotspot_code_read(1, l, method(0), &code));
    for (unsigned m = 0; m < METHODS; m++) {
        uint64_t to = 0;
        enum hotspot_call call = hotspot_call_read(1, l, &code, m * 3, &receivers, &to);

        assert_int_equal(call, m == 2 ? HOTSPOT_CALL_ANY : HOTSPOT_CALL_KNOWN);
        assert_int_equal(to, m == 2 ? 0 : method(m));
    }
    left = 2;
    assert_int_equal(hotspot_call_read(1, l, &code, 0, &receivers, &(uint64_t){ 0 }),
                     HOTSPOT_CALL_ANY);
    assert_int_equal(left, 0);
}

/* A machine that does not say where it keeps what its calls lead to. */
static void knows_no_call_without_a_layout(void **state)
{
    struct hotspot_layout part = layouts[0];
    struct hotspot_receivers none = { 0 };
    struct hotspot_code code;
    uint64_t to;

    (void)state;
    memset(memory, 0, sizeof(memory));
    put_method(&part, 0, "s1r");
    put_method(&part, 1, "r");
    assert_true(hotspot_code_read(1, &part, method(0), &code));
    assert_int_equal(hotspot_call_read(1, &part, &code, 0, &none, &to), HOTSPOT_CALL_KNOWN);
    part.entry_f2 = HOTSPOT_NO_FIELD;
    assert_int_equal(hotspot_call_read(1, &part, &code, 0, &none, &to), HOTSPOT_CALL_ANY);
    part.pool_cache = HOTSPOT_NO_FIELD;
    assert_int_equal(hotspot_call_read(1, &part, &code, 0, &none, &to), HOTSPOT_CALL_ANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_only_way),
        cmocka_unit_test(looks_up_methods),
        cmocka_unit_test(knows_no_call_without_a_layout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
