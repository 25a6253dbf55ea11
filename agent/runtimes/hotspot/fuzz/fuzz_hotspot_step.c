/* SPDX-License-Identifier: Apache-2.0 */
/* The walk through the code cache of a Java virtual machine: all that it reads is the input's. */
#define UNWIND_OF_ARM64 0

#include "agent/runtimes/hotspot/tests/hotspot_host.h"
#include "lib/fuzz/fuzz.h"

enum { LOW = 0x10000, HIGH = 0x20000, FRAMES_MAX = 64 };

static struct input {
    __u64 regs[UNWIND_REGS];
    struct hotspot_offsets offsets;
    __u8 memory[2048]; /* over and over, from LOW to twice HIGH */
} in;

static bool hotspot_read(void *to, __u32 size, __u64 addr)
{
    for (__u32 i = 0; i < size; i++) {
        if (addr + i < LOW || addr + i >= 2 * (__u64)HIGH)
            return false;
        ((__u8 *)to)[i] = in.memory[(addr + i) % sizeof(in.memory)];
    }
    return true;
}

/* A search ends; but for the first frame, the stack only shrinks. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct unwind_walk w = { .is_exact = 1, .has_regs = 1 };
    struct hotspot_look look = { 0 };
    struct hotspot_space space = { .low = LOW,
                                   .high = HIGH,
                                   .heaps = { { LOW, LOW + 0x8000, LOW + 0x100 },
                                              { LOW + 0x8000, HIGH, LOW + 0x200 } } };

    memset(&in, 0, sizeof(in));
    memcpy(&in, data, size < sizeof(in) ? size : sizeof(in));
    space.offsets = in.offsets;
    memcpy(w.regs, in.regs, sizeof(w.regs));
    w.pc = LOW + in.regs[0] % (HIGH - LOW);
    w.sp = HIGH + in.regs[UNWIND_REG_SP] % 0x1000;
    w.bp = in.regs[UNWIND_REG_BP];
    w.stop = UNWIND_CONTINUE;
    for (int i = 0; i < FRAMES_MAX && w.stop == UNWIND_CONTINUE && hotspot_has(&space, w.pc); i++) {
        struct runtime_frame frame = { 0 };
        __u64 sp = w.sp;
        bool is_exact = w.is_exact;

        w.stop = hotspot_step(&w, &space, &look, &frame);
        for (int j = 0; look.scan; j++) {
            w.stop = hotspot_scan(&w, &space, &look);
            assert(j <= HOTSPOT_SCAN_MAX);
        }
        assert(w.stop <= UNWIND_CONTINUE);
        assert(w.stop != UNWIND_CONTINUE || is_exact || w.sp > sp);
        assert(frame.object == 0 || frame.object >> RUNTIME_OBJECT_BITS == RUNTIME_HOTSPOT);
    }
    return 0;
}
