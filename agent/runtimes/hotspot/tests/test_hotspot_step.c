/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/tests/hotspot_host.h"

#include <string.h>

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

/* A stack, one code heap with its map, blobs in it, a method. Offsets are this world's own. */
enum {
    STACK = 0x7000,
    HEAP = 0x100000,
    HEAP_SIZE = 0x10000,
    SEGMENT = 128,
    SEGMAP = 0x50000,
    BLOCK = 16,
    NAMES = 0x60000,
    METHOD = 0x61000,
    CONST = 0x62000,
    CONST_SIZE = 48,
    WORDS = 128,
};
#define AT(i) (STACK + 8 * (__u64)(i))

/* Where in the heap each blob's code is, 0x400 apart. */
enum blob { INTERPRETER, COMPILED, SMALL, STUB, ADAPTER, LONG, BLOBS };
enum { CODE_OFF = 256, BLOB_SIZE = 0x3c0, LONG_SIZE = 0x9000, DEOPT_OFF = 0x200 };
enum { FRAME_WORDS = 6, FRAME_COMPLETE = 12, ORIG_PC = 8, COMPILE_ID = 77 };

static const char *const names[BLOBS] = { "Interpreter",      "nmethod",          "native nmethod",
                                          "StubRoutines (1)", "I2C/C2I adapters", "nmethod" };

static struct {
    __u64 stack[WORDS];
    __u8 heap[HEAP_SIZE], segmap[HEAP_SIZE / SEGMENT];
    char names[BLOBS][32];
    __u64 method[4];
    __u8 const_method[CONST_SIZE];
} world;

static bool hotspot_read(void *to, __u32 size, __u64 addr)
{
    const struct {
        __u64 at;
        const void *bytes;
        size_t size;
    } regions[] = {
        { STACK, world.stack, sizeof(world.stack) },
        { HEAP, world.heap, sizeof(world.heap) },
        { SEGMAP, world.segmap, sizeof(world.segmap) },
        { NAMES, world.names, sizeof(world.names) },
        { METHOD, world.method, sizeof(world.method) },
        { CONST, world.const_method, sizeof(world.const_method) },
    };

    for (size_t i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
        if (addr >= regions[i].at && addr - regions[i].at < regions[i].size &&
            size <= regions[i].size - (addr - regions[i].at)) {
            memcpy(to, (const char *)regions[i].bytes + (addr - regions[i].at), size);
            return true;
        }
    }
    return false;
}

static __u64 blob_at(enum blob blob)
{
    return HEAP + 0x400 * (__u64)blob + BLOCK;
}

static __u64 code_at(enum blob blob, __u64 off)
{
    return blob_at(blob) + CODE_OFF + off;
}

static __u8 *bytes_at(__u64 addr)
{
    return world.heap + (addr - HEAP);
}

static void put_u64(__u64 addr, __u64 value)
{
    memcpy(bytes_at(addr), &value, sizeof(value));
}

static void put_u32(__u64 addr, __u32 value)
{
    memcpy(bytes_at(addr), &value, sizeof(value));
}

static void make_blob(enum blob blob, __u32 size, __u32 frame_words)
{
    __u64 at = blob_at(blob);
    size_t first = (at - HEAP) / SEGMENT;

    (void)strncpy(world.names[blob], names[blob], sizeof(world.names[blob]) - 1);
    put_u64(at, NAMES + sizeof(world.names[0]) * (__u64)blob);
    put_u32(at + 8, size);
    put_u32(at + 12, frame_words);
    put_u32(at + 16, FRAME_COMPLETE);
    put_u32(at + 24, CODE_OFF);
    put_u32(at + 32, COMPILE_ID);
    put_u32(at + 36, ORIG_PC);
    put_u32(at + 40, DEOPT_OFF);
    for (size_t i = 0; i <= (BLOCK + size) / SEGMENT; i++)
        world.segmap[first + i] = i < 254 ? (__u8)i : 254;
}

static void make_world(void)
{
    __u16 code_size = 100;

    memset(&world, 0, sizeof(world));
    memset(world.segmap, HOTSPOT_SEGMENT_FREE, sizeof(world.segmap));
    make_blob(INTERPRETER, BLOB_SIZE, 0);
    make_blob(COMPILED, BLOB_SIZE, FRAME_WORDS);
    make_blob(SMALL, BLOB_SIZE, 0);
    make_blob(STUB, BLOB_SIZE, 0);
    make_blob(ADAPTER, BLOB_SIZE, 0);
    make_blob(LONG, LONG_SIZE, FRAME_WORDS);
    world.method[1] = CONST;
    memcpy(world.const_method + 32, &code_size, sizeof(code_size));
}

static const struct hotspot_space space = {
    .low = HEAP,
    .high = HEAP + HEAP_SIZE,
    .heaps = { { HEAP, HEAP + HEAP_SIZE, SEGMAP } },
    .offsets = {
    .blob_name = 0,
    .blob_size = 8,
    .blob_frame_size = 12,
    .blob_frame_complete = 16,
    .blob_code = 24,
    .nmethod_id = 32,
    .nmethod_orig_pc = 36,
    .nmethod_deopt = 40,
    .nmethod_deopt_mh = HOTSPOT_NO_OFFSET,
    .method_const = 8,
    .const_size = CONST_SIZE,
    .const_code_size = 32,
    .frame_bcp = -64,
    .segment_shift = 7,
    .block_header = BLOCK,
    .flags = HOTSPOT_CODE_IS_OFFSET | HOTSPOT_DEOPT_IS_OFFSET,
},
};

#define CALLER code_at(COMPILED, 0x80)
#define FRAME  AT(40) /* of an interpreted method, where it has one */
#define BCI(i) (CONST + CONST_SIZE + (i))

/* Up to two words of the stack and some code are set before a step. */
struct step_case {
    const char *name;
    enum blob blob;
    __u64 off; /* of pc in its code */
    bool is_exact;
    bool has_called_native; /* the frame before was native */
    struct {
        __s32 off; /* from pc */
        __u8 n, bytes[16];
    } code[2];
    struct {
        __u32 at;
        __u64 value;
    } words[5];
    __u64 rax, rbx, r13;
    __u64 bp;
    /* then */
    __u8 stop;
    enum hotspot_object what;
    __u64 object, at;
    __u64 pc, sp, new_bp;
};

#define PROLOGUE .blob = COMPILED, .off = 5, .is_exact = true
#define EPILOGUE .blob = COMPILED, .off = 0x60, .is_exact = true
#define WHOLE    .words = { { 5, CALLER }, { 4, 0xb0 } }, .pc = CALLER, .sp = AT(6), .new_bp = 0xb0
#define ONLY_RA  .words = { { 0, CALLER } }, .pc = CALLER, .sp = AT(1), .new_bp = 0xbb
#define PUSHED   .words = { { 0, 0xb0 }, { 1, CALLER } }, .pc = CALLER, .sp = AT(2), .new_bp = 0xb0
#define COMPILED_AT(off_)                                                                          \
    .stop = UNWIND_CONTINUE, .what = HOTSPOT_NMETHOD, .object = blob_at(COMPILED), .at = (off_)

static void check(const struct step_case *c)
{
    struct hotspot_look look = { 0 };
    struct runtime_frame frame = { 0 };
    struct unwind_walk w = { .pc = code_at(c->blob, c->off),
                             .sp = STACK,
                             .bp = c->bp ? c->bp : 0xbb,
                             .regs = { [0] = c->rax, [3] = c->rbx, [13] = c->r13 },
                             .is_exact = c->is_exact,
                             .has_regs = c->is_exact,
                             .n = c->has_called_native ? 5 : 1 };

    make_world();
    for (size_t i = 0; i < 2; i++) {
        if (c->code[i].n)
            memcpy(bytes_at(w.pc + (__u64)(__s64)c->code[i].off), c->code[i].bytes, c->code[i].n);
    }
    for (size_t i = 0; i < 5; i++) {
        if (c->words[i].value)
            world.stack[c->words[i].at] = c->words[i].value;
    }

    __u8 stop = hotspot_step(&w, &space, &look, &frame);

    for (int i = 0; look.scan && i <= HOTSPOT_SCAN_MAX + 1; i++)
        stop = hotspot_scan(&w, &space, &look);
    if (stop != c->stop ||
        frame.object >> RUNTIME_OBJECT_BITS != (c->object ? RUNTIME_HOTSPOT : 0) ||
        runtime_frame_object(&frame) !=
            (c->object ? c->object | (__u64)c->what << HOTSPOT_OBJECT_SHIFT : 0) ||
        (frame.at & RUNTIME_AT_UNKNOWN) != c->at ||
        (c->stop == UNWIND_CONTINUE &&
         (w.pc != c->pc || w.sp != c->sp || w.bp != c->new_bp || w.is_exact || w.has_regs)))
        fail_msg("%s: stop %d object %llx at %u pc %llx sp %llx bp %llx", c->name, stop,
                 frame.object, frame.at & RUNTIME_AT_UNKNOWN, w.pc, w.sp, w.bp);
}

static void from_a_frame_to_its_caller(void **state)
{
    const struct step_case cases[] = {
        { "a call", .blob = COMPILED, .off = 0x40, WHOLE, COMPILED_AT(0x40) },
        { "within", .blob = COMPILED, .off = 0x40, .is_exact = true, WHOLE, COMPILED_AT(0x41) },
        { "far from the beginning of its block", .blob = LONG, .off = 0x8800,
          .stop = UNWIND_CONTINUE, .what = HOTSPOT_NMETHOD, .object = blob_at(LONG), .at = 0x8800,
          WHOLE },
        { "at its start", PROLOGUE, ONLY_RA, COMPILED_AT(6) },
        { "after push %rbp", PROLOGUE, .code = { { -1, 1, { 0x55 } } }, PUSHED, COMPILED_AT(6) },
        { "after mov %rsp, %rbp", PROLOGUE, .code = { { -4, 4, { 0x55, 0x48, 0x8b, 0xec } } },
          PUSHED, COMPILED_AT(6) },
        { "after sub $32, %rsp", PROLOGUE, .code = { { -4, 4, { 0x48, 0x83, 0xec, 32 } } }, WHOLE,
          COMPILED_AT(6) },
        { "after sub $32, %rsp, long", PROLOGUE,
          .code = { { -7, 7, { 0x48, 0x81, 0xec, 32, 0, 0, 0 } } }, WHOLE, COMPILED_AT(6) },
        { "before mov %rbp, 32(%rsp)", PROLOGUE,
          .code = { { -7, 7, { 0x48, 0x81, 0xec, 40, 0, 0, 0 } },
                    { 0, 5, { 0x48, 0x89, 0x6c, 0x24, 32 } } },
          .words = { { 5, CALLER } }, .pc = CALLER, .sp = AT(6), .new_bp = 0xbb, COMPILED_AT(6) },
        { "at pop %rbp", EPILOGUE, .code = { { 0, 2, { 0x5d, 0xc3 } } }, PUSHED,
          COMPILED_AT(0x61) },
        { "at pop %rbp before a poll", EPILOGUE,
          .code = { { 0, 12, { 0x5d, 0x49, 0x3b, 0x67, 0x10, 0x0f, 0x87, 1, 2, 0, 0, 0xc3 } } },
          PUSHED, COMPILED_AT(0x61) },
        { "at ret", EPILOGUE, .code = { { 0, 1, { 0xc3 } } }, ONLY_RA, COMPILED_AT(0x61) },
        { "at the jump of a poll", EPILOGUE, .code = { { 0, 7, { 0x0f, 0x87, 1, 2, 0, 0, 0xc3 } } },
          ONLY_RA, COMPILED_AT(0x61) },
        { "at a poll of JDK 8", EPILOGUE, .code = { { 0, 7, { 0x85, 0x05, 1, 2, 3, 4, 0xc3 } } },
          ONLY_RA, COMPILED_AT(0x61) },
        { "at a poll of JDK 11", EPILOGUE,
          .code = { { 0, 11, { 0x4d, 0x8b, 0x97, 1, 2, 0, 0, 0x41, 0x85, 0x02, 0xc3 } } }, ONLY_RA,
          COMPILED_AT(0x61) },
        { "at a poll in a loop", EPILOGUE, .code = { { 0, 7, { 0x85, 0x05, 1, 2, 3, 4, 0x90 } } },
          WHOLE, COMPILED_AT(0x61) },
        { "to be interpreted from here on", .blob = COMPILED, .off = DEOPT_OFF - CODE_OFF,
          .words = { { 5, CALLER }, { 4, 0xb0 }, { 1, code_at(COMPILED, 0x44) } }, .pc = CALLER,
          .sp = AT(6), .new_bp = 0xb0, COMPILED_AT(0x44) },
        { "registers lie below the frame", .blob = COMPILED, .off = 0x40,
          .code = { { 0x80 - 0x40 - 5, 5, { 0xe8 } } },
          .words = { { 5, 0x1234 }, { 15, CALLER }, { 14, 0xb0 } }, .pc = CALLER, .sp = AT(16),
          .new_bp = 0xb0, COMPILED_AT(0x40) },
        { "registers lie below the frame, and a word that is no return address", .blob = COMPILED,
          .off = 0x40, .has_called_native = true, .code = { { 0x80 - 0x40 - 5, 5, { 0xe8 } } },
          .words = { { 5, code_at(STUB, 0) }, { 4, 0xb1 }, { 15, CALLER }, { 14, 0xb0 } },
          .pc = CALLER, .sp = AT(16), .new_bp = 0xb0, COMPILED_AT(0x40) },
        { "called by the interpreter, it calls native code", .blob = COMPILED, .off = 0x40,
          .has_called_native = true, .words = { { 5, code_at(INTERPRETER, 0) }, { 4, FRAME } },
          .pc = code_at(INTERPRETER, 0), .sp = AT(6), .new_bp = FRAME, COMPILED_AT(0x40) },
        { "native, without a frame", .blob = SMALL, .off = 0x40, .is_exact = true, ONLY_RA,
          .stop = UNWIND_CONTINUE, .what = HOTSPOT_NMETHOD, .object = blob_at(SMALL), .at = 0x41 },
        { "interpreted", .blob = INTERPRETER, .off = 0x40, .bp = FRAME,
          .words = { { 37, METHOD }, { 32, BCI(9) }, { 39, AT(50) }, { 40, 0xb0 }, { 41, CALLER } },
          .stop = UNWIND_CONTINUE, .what = HOTSPOT_METHOD, .object = METHOD, .at = 9, .pc = CALLER,
          .sp = AT(50), .new_bp = 0xb0 },
        { "interpreted, at a bytecode", .blob = INTERPRETER, .off = 0x40, .is_exact = true,
          .bp = FRAME, .r13 = BCI(11),
          .words = { { 37, METHOD }, { 32, BCI(9) }, { 39, AT(50) }, { 40, 0xb0 }, { 41, CALLER } },
          .stop = UNWIND_CONTINUE, .what = HOTSPOT_METHOD, .object = METHOD, .at = 11, .pc = CALLER,
          .sp = AT(50), .new_bp = 0xb0 },
        { "interpreted, in native code", .blob = INTERPRETER, .off = 0x40, .bp = FRAME,
          .words = { { 37, METHOD }, { 39, AT(50) }, { 40, 0xb0 }, { 41, CALLER } },
          .stop = UNWIND_CONTINUE, .what = HOTSPOT_METHOD, .object = METHOD,
          .at = RUNTIME_AT_UNKNOWN, .pc = CALLER, .sp = AT(50), .new_bp = 0xb0 },
        { "no method in its frame", .blob = INTERPRETER, .off = 0x40, .bp = FRAME,
          .words = { { 37, 0x33 }, { 39, AT(50) }, { 40, 0xb0 }, { 41, CALLER } },
          .stop = UNWIND_CONTINUE, .what = HOTSPOT_BLOB, .object = blob_at(INTERPRETER),
          .at = CODE_OFF + 0x40, .pc = CALLER, .sp = AT(50), .new_bp = 0xb0 },
        { "a frame pointer that is none", .blob = INTERPRETER, .off = 0x40, .bp = 0x33,
          .stop = RECORD_STOP_NO_RULE, .what = HOTSPOT_BLOB, .object = blob_at(INTERPRETER),
          .at = CODE_OFF + 0x40 },
        { "a method is entered", .blob = INTERPRETER, .off = 0x40, .is_exact = true, .rbx = METHOD,
          .r13 = AT(1), ONLY_RA, .stop = UNWIND_CONTINUE, .what = HOTSPOT_METHOD,
          .object = METHOD },
        { "a method is entered from compiled code", .blob = ADAPTER, .off = 0x40, .is_exact = true,
          .rbx = METHOD, .r13 = AT(4), .rax = CALLER, .stop = UNWIND_CONTINUE,
          .what = HOTSPOT_METHOD, .object = METHOD, .pc = CALLER, .sp = AT(4), .new_bp = 0xbb },
        { "a method is entered, and its frame pointer set", .blob = INTERPRETER, .off = 0x40,
          .is_exact = true, .rbx = METHOD, .r13 = AT(4), .rax = CALLER, .bp = AT(2),
          .words = { { 2, 0xb0 }, { 3, CALLER } }, .stop = UNWIND_CONTINUE, .what = HOTSPOT_METHOD,
          .object = METHOD, .pc = CALLER, .sp = AT(4), .new_bp = 0xb0 },
        { "a stub with a frame pointer", .blob = STUB, .off = 0x40, .bp = FRAME,
          .code = { { (__s32)(0x80 - 0x40) - 0x800 - 5, 5, { 0xe8 } } },
          .words = { { 40, 0xb0 }, { 41, CALLER } }, .stop = UNWIND_CONTINUE, .what = HOTSPOT_BLOB,
          .object = blob_at(STUB), .at = CODE_OFF + 0x40, .pc = CALLER, .sp = AT(42),
          .new_bp = 0xb0 },
        { "a stub without", .blob = STUB, .off = 0x40, .is_exact = true,
          .code = { { (__s32)(0x80 - 0x40) - 0x800 - 5, 5, { 0xe8 } } }, ONLY_RA,
          .stop = UNWIND_CONTINUE, .what = HOTSPOT_BLOB, .object = blob_at(STUB),
          .at = CODE_OFF + 0x40 },
        { "a stub that the interpreter jumped to", .blob = STUB, .off = 0x40, .is_exact = true,
          .r13 = AT(1), .words = { { 0, CALLER } }, .pc = CALLER, .sp = AT(1), .new_bp = 0xbb,
          .stop = UNWIND_CONTINUE, .what = HOTSPOT_BLOB, .object = blob_at(STUB),
          .at = CODE_OFF + 0x40 },
        { "a stub that nothing is known of", .blob = STUB, .off = 0x40, .bp = 0x33,
          .stop = RECORD_STOP_NO_RULE, .what = HOTSPOT_BLOB, .object = blob_at(STUB),
          .at = CODE_OFF + 0x40 },
        { "free memory", .blob = LONG, .off = LONG_SIZE + 0x100, .bp = 0x33,
          .stop = RECORD_STOP_NO_RULE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check(&cases[i]);
}

static void hostile_maps_end(void **state)
{
    struct hotspot_space odd = space;

    (void)state;
    make_world();
    memset(world.segmap, 1, sizeof(world.segmap)); /* each leads to the one before */
    assert_int_equal(hotspot_find_blob(&space, HEAP + HEAP_SIZE - 1), 0);
    memset(world.segmap, 200, sizeof(world.segmap)); /* in front of the heap */
    assert_int_equal(hotspot_find_blob(&space, HEAP + 100 * SEGMENT), 0);
    odd.heaps[0].segmap = 1;
    assert_int_equal(hotspot_find_blob(&odd, HEAP + 1), 0);
    assert_int_equal(hotspot_find_blob(&space, HEAP - 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_a_frame_to_its_caller),
        cmocka_unit_test(hostile_maps_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
