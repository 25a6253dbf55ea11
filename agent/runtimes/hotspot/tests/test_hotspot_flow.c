/* SPDX-License-Identifier: Apache-2.0 */
/* hotspot_flow: shapes of C2's code. The letters of a case are its instructions. */
#include "agent/runtimes/hotspot/hotspot_flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CODE_MAX = 1024, NOTES_MAX = 8, NONE = HOTSPOT_FLOW_NONE };

/*
 * .    nop                  r    ret                  !    an instruction that is none
 * c    a call with a note   C    a call without one   p    a poll: a load with a note
 * t    what asks for a trap, and a call with a note that does not return
 * m    a number as a method's argument
 * jX   a jump to where X: stands   b, jump there or go on   *    jump to what memory says
 * @    here the sample was taken
 * Notes are numbered in their order.
 */
static const struct {
    const char *name, *code;
    int here;
    bool is_loop;
    int before, behind;
    enum { INNER = 1, POLL } is;
} cases[] = {
    { "the next call", "..@.c.c", 0, false, NONE, NONE, 0 },
    { "not the one before", "c..@.c.r", 1, false, NONE, NONE, 0 },
    { "the one before, which is nearer", "c.@......c.r", 0, false, NONE, NONE, 0 },
    { "no note behind", "c.@.r", 0, false, NONE, NONE, 0 },
    { "the beginning is nearer", ".@......c.r", NONE, false, NONE, NONE, 0 },
    { "no note at all", ".@.Cr", NONE, false, NONE, NONE, 0 },
    { "execution jumps over a trap", "...@.jA:t A:.c.r", 1, false, NONE, NONE, 0 },
    { "it does not go on behind its end", "@.r t", NONE, false, NONE, NONE, 0 },
    { "nor behind a jump to anywhere", "@.* c", NONE, false, NONE, NONE, 0 },
    { "a guard ahead", ".@.bA .r A:t", 0, false, NONE, NONE, 0 },
    { "a guard before", "bA .@.r A:t", 0, false, NONE, NONE, 0 },
    { "a loop without a note", "A:.@.bA.r", NONE, true, NONE, NONE, INNER },
    { "a guard before it", "bT .A:.@.bA.r T:t", NONE, true, 0, NONE, INNER },
    { "the last of two guards", "bT.bV A:.@bA r T:t V:t", NONE, true, 1, NONE, INNER },
    { "a call before it, and one behind", "c A:.@.bA c r", NONE, true, 0, 1, INNER },
    { "a guard in it", "A:.bT @.bA.r T:t", 0, true, NONE, NONE, INNER },
    { "the nearest of them", "A:.bT ...@.bV.bA.r T:t V:t", 1, true, NONE, NONE, INNER },
    { "which is the one before", "A:.bT @......bV.bA.r T:t V:t", 0, true, NONE, NONE, INNER },
    { "a call in it", "c A:@.c.bA.r", 1, true, 0, NONE, INNER },
    { "one that is behind", "A:.c.@.bA c r", 0, true, NONE, 1, INNER },
    { "a poll in it", "A:.p@.bA c r", 0, true, NONE, 1, INNER },
    { "a poll behind it", "B:A:.@bA p bB r", NONE, true, NONE, 0, INNER | POLL },
    { "a loop around it", "B:c A:.@bA .bB c r", NONE, true, 0, 1, INNER },
    { "the loop around it ends with a jump", "B:c A:.@bA bD jB D:c r", NONE, true, 0, 0, INNER },
    { "a loop in it", "B:.A:.bA.@.bB c r", NONE, true, NONE, 0, 0 },
    { "it ends in its middle", "A:.@.bE .jA c E:c r", NONE, true, NONE, 1, INNER },
    { "a call out of its way", "A:.bS B:@.bA r S:c jB", 0, true, NONE, NONE, INNER },
    { "and one that leaves it", "A:.bS @.bA r S:c r", NONE, true, NONE, NONE, INNER },
    { "a call out of the way makes no loop", "bS B:.@.c r S:c jB", 0, false, NONE, NONE, 0 },
    { "a loop that ends in itself", "A:.@.jA c", NONE, true, NONE, NONE, INNER },
    { "-1 asks for no trap", "bT.A:@.bA r T:mc r", NONE, true, NONE, NONE, INNER },
    { "an end that cannot be read", ".@.c.r!!", 0, false, NONE, NONE, 0 },
};

struct made {
    uint8_t code[CODE_MAX];
    size_t size;
    struct hotspot_note notes[NOTES_MAX];
    size_t n_notes;
    uint32_t pc;
    struct {
        size_t at; /* behind the jump */
        char to;
    } jumps[16];
    size_t n_jumps;
    size_t labels[128];
};

static void put(struct made *m, const void *bytes, size_t n)
{
    memcpy(m->code + m->size, bytes, n);
    m->size += n;
}

static void note(struct made *m)
{
    m->notes[m->n_notes++] = (struct hotspot_note){ (uint32_t)m->size, 7, true };
}

static void put_jump(struct made *m, const void *opcode, size_t n, char to)
{
    put(m, opcode, n);
    put(m, "\0\0\0\0", 4);
    m->jumps[m->n_jumps].at = m->size;
    m->jumps[m->n_jumps++].to = to;
}

static void put_instruction(struct made *m, const char *letter)
{
    switch (*letter) {
    case '.':
        put(m, "\x90", 1);
        break;
    case 'r':
        put(m, "\xc3", 1);
        break;
    case '!':
        put(m, "\x06", 1);
        break;
    case 't': /* class_check, maybe_recompile */
        put(m, "\xbe\xde\xff\xff\xff\x48\x89\x04\x24\xe8\0\0\0\x7f", 14);
        note(m);
        break;
    case 'm':
        put(m, "\xbe\xff\xff\xff\xff", 5);
        break;
    case 'c':
    case 'C':
        put(m, "\xe8\0\0\0\x7f", 5);
        if (*letter == 'c')
            note(m);
        break;
    case 'p':
        note(m);
        put(m, "\x41\x85\x02", 3);
        break;
    case 'j':
        put_jump(m, "\xe9", 1, letter[1]);
        break;
    case 'b':
        put_jump(m, "\x0f\x84", 2, letter[1]);
        break;
    case '*':
        put(m, "\xff\x20", 2);
        break;
    case '@':
        m->pc = (uint32_t)m->size;
        break;
    default:
        break;
    }
}

static void make(struct made *m, const char *code)
{
    memset(m, 0, sizeof(*m));
    for (const char *c = code; *c; c++) {
        if (isupper((unsigned char)*c) && c[1] == ':') {
            m->labels[(unsigned char)*c++] = m->size;
            continue;
        }
        put_instruction(m, c);
        c += *c == 'j' || *c == 'b';
    }
    for (size_t i = 0; i < m->n_jumps; i++) {
        int32_t by = (int32_t)m->labels[(unsigned char)m->jumps[i].to] - (int32_t)m->jumps[i].at;

        memcpy(m->code + m->jumps[i].at - sizeof(by), &by, sizeof(by));
    }
    put(m, "\xf4\xf4", 2);
}

static void finds_notes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hotspot_flow flow = { 0 };
        struct made m;

        make(&m, cases[i].code);
        if (!hotspot_flow_read(m.code, m.size, m.notes, m.n_notes, m.pc, &flow) ||
            flow.here != cases[i].here || flow.is_loop != cases[i].is_loop ||
            flow.before != cases[i].before || flow.behind != cases[i].behind ||
            flow.is_inner != !!(cases[i].is & INNER) ||
            (flow.is_loop && flow.is_poll != !!(cases[i].is & POLL)))
            fail_msg("%s: here %d, %s, before %d, behind %d%s%s", cases[i].name, flow.here,
                     flow.is_loop ? "a loop" : "no loop", flow.before, flow.behind,
                     flow.is_inner ? ", innermost" : "", flow.is_poll ? ", a poll" : "");
    }
}

static void tells_calls_from_traps_and_polls(void **state)
{
    struct hotspot_flow flow;
    struct made m;

    (void)state;
    make(&m, "@.c t p mc .c r");
    assert_true(hotspot_flow_read(m.code, m.size, m.notes, m.n_notes, m.pc, &flow));
    assert_true(m.notes[0].is_call);
    assert_false(m.notes[1].is_call);
    assert_false(m.notes[2].is_call);
    assert_true(m.notes[3].is_call);
    assert_true(m.notes[4].is_call);
}

static void knows_what_it_cannot_read(void **state)
{
    static uint8_t large[HOTSPOT_FLOW_CODE_MAX + 1];
    struct hotspot_flow flow;
    struct made m;

    (void)state;
    make(&m, "!@.c.r");
    assert_false(hotspot_flow_read(m.code, m.size, m.notes, m.n_notes, m.pc, &flow));
    make(&m, "c.@.r!.c");
    assert_false(hotspot_flow_read(m.code, m.size, m.notes, m.n_notes, m.pc, &flow));
    make(&m, "@.r");
    assert_false(hotspot_flow_read(m.code, m.size, m.notes, 0, (uint32_t)m.size, &flow));
    assert_false(hotspot_flow_read(m.code, 0, m.notes, 0, 0, &flow));
    assert_false(hotspot_flow_read(large, sizeof(large), m.notes, 0, 0, &flow));
    assert_false(hotspot_flow_read(m.code, m.size, m.notes, HOTSPOT_FLOW_NOTES_MAX + 1, 0, &flow));
}

/* Much of everything: loops one in the other, and jumps all over. */
static void ends_in_any_code(void **state)
{
    static uint8_t code[HOTSPOT_FLOW_CODE_MAX];
    struct hotspot_flow flow;

    (void)state;
    for (size_t i = 0; i + 2 <= sizeof(code); i += 2) {
        code[i] = 0x74;
        code[i + 1] = (uint8_t)(i * 37 % 256 & 0xfe);
    }
    assert_true(hotspot_flow_read(code, sizeof(code), NULL, 0, sizeof(code) / 2, &flow));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_notes),
        cmocka_unit_test(tells_calls_from_traps_and_polls),
        cmocka_unit_test(knows_what_it_cannot_read),
        cmocka_unit_test(ends_in_any_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
