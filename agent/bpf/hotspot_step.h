/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * hotspot_step: from a frame that runs in HotSpot's code cache to its caller, and which method it
 * is. x86-64.
 *
 * The same source runs in the kernel and, for tests, in user space. Who includes it has
 * unwind_step.h before, and says how memory is read:
 *
 *   static bool hotspot_read(void *to, __u32 size, __u64 addr);
 *
 * Compiled code keeps no frame pointer but has frames of one size, the saved frame pointer and the
 * return address on top; where that is not so yet, or not any more, the instructions around pc
 * tell. Interpreted frames are chained by frame pointers.
 */
#pragma once

#include "agent/bpf/hotspot_table.h"
#include "agent/bpf/runtime_frame.h"

enum {
    HOTSPOT_HOPS_MAX = 64, /* from a segment to the first of its block */
    HOTSPOT_SEGMENT_FREE = 0xff,
    HOTSPOT_FRAME_WORDS_MAX = 1 << 16,
    HOTSPOT_SCAN_MAX = 64, /* words */
};

/* Code before and from pc on. */
enum { HOTSPOT_CODE_BEFORE = 32, HOTSPOT_CODE_AFTER = 16 };

/* The words of an interpreted frame from the lowest that is looked at, and how far below the frame
 * pointer that is. */
enum {
    HOTSPOT_FRAME_METHOD = 5, /* fp - 24 */
    HOTSPOT_FRAME_SENDER_SP = 7,
    HOTSPOT_FRAME_BP = 8,
    HOTSPOT_FRAME_PC = 9,
    HOTSPOT_FRAME_WORDS = 10,
    HOTSPOT_FRAME_BELOW = 64,
    HOTSPOT_ENTRY_MAX =
        1 << 16, /* bytes from the stack pointer at a method's entry to its caller's */
};

/* The first eight characters of what HotSpot calls its code. */
#define HOTSPOT_NAME_NMETHOD     0x00646f6874656d6eULL /* "nmethod" */
#define HOTSPOT_NAME_NATIVE      0x6e2065766974616eULL /* "native nmethod" */
#define HOTSPOT_NAME_INTERPRETER 0x6572707265746e49ULL /* "Interpreter" */
#define HOTSPOT_NAME_ADAPTER     0x204932432f433249ULL /* "I2C/C2I adapters" */

/* DWARF's numbers of the registers that the interpreter keeps things in. */
enum { HOTSPOT_REG_RETURN = 0, HOTSPOT_REG_METHOD = 3, HOTSPOT_REG_BCP = 13 };

/* What one step needs, too much for the kernel's stack. */
struct hotspot_look {
    union {
        __u8 header[512]; /* of the blob; HOTSPOT_HEADER_SIZE of it are read */
        __u64 align;
    };
    __u8 code[HOTSPOT_CODE_BEFORE + HOTSPOT_CODE_AFTER];
    __u64 frame[HOTSPOT_FRAME_WORDS];
    __u64 blob, name, begin; /* where it is, what it is, where its code begins */
    __u64 scan;              /* where a return address is looked for next; 0: nowhere */
    __u32 n_scanned;
    __u32 size, frame_size; /* in bytes */
    __u32 n;                /* frames of the stack when there was one of Java's */
};

/* Fields of the blob. Offsets are the target's: the masks keep them within what is there. */
static __always_inline __u16 hotspot_u16(const struct hotspot_look *k, __u16 off)
{
    return *(const __u16 *)(const void *)(k->header + (off & 0x1fe));
}

static __always_inline __u32 hotspot_u32(const struct hotspot_look *k, __u16 off)
{
    return *(const __u32 *)(const void *)(k->header + (off & 0x1fc));
}

static __always_inline __u64 hotspot_u64(const struct hotspot_look *k, __u16 off)
{
    return *(const __u64 *)(const void *)(k->header + (off & 0x1f8));
}

/* An address of the blob's that is either kept as one or as an offset. */
static __always_inline __u64 hotspot_address(const struct hotspot_look *k, __u16 off,
                                             bool is_offset)
{
    return is_offset ? k->blob + hotspot_u32(k, off) : hotspot_u64(k, off);
}

static __always_inline bool hotspot_has(const struct hotspot_space *space, __u64 addr)
{
    return addr - space->low < space->high - space->low;
}

/* Whether @pc may be where a call made in the code cache returns to. */
static __always_inline bool hotspot_is_return(const struct unwind_walk *w,
                                              const struct hotspot_space *space, __u64 pc)
{
    return hotspot_has(space, pc) && unwind_scan_is_behind_call(w, pc);
}

/* The block that holds @pc, by the heap's segment map; 0: none. */
static __always_inline __u64 hotspot_find_blob(const struct hotspot_space *space, __u64 pc)
{
    __u64 low = 0, segmap = 0, segment;
    __u8 back = 0;

    for (int i = 0; i < HOTSPOT_CODE_HEAPS_MAX; i++) {
        if (pc - space->heaps[i].low < space->heaps[i].high - space->heaps[i].low) {
            low = space->heaps[i].low;
            segmap = space->heaps[i].segmap;
        }
    }
    if (low == 0)
        return 0;
    segment = (pc - low) >> (space->offsets.segment_shift & 31);
    for (int i = 0; i < HOTSPOT_HOPS_MAX; i++) {
        if (!hotspot_read(&back, sizeof(back), segmap + segment) || back == HOTSPOT_SEGMENT_FREE ||
            back > segment)
            return 0;
        if (back == 0)
            return low + (segment << (space->offsets.segment_shift & 31)) +
                   space->offsets.block_header;
        segment -= back;
    }
    return 0;
}

/* Finds the blob that holds @pc, which often is that of the frame before. False: there is none. */
static __always_inline bool hotspot_look(const struct hotspot_space *space, __u64 pc,
                                         struct hotspot_look *k)
{
    const struct hotspot_offsets *l = &space->offsets;

    k->scan = 0;
    if (k->blob && pc - k->blob <= k->size)
        return true;
    k->blob = hotspot_find_blob(space, pc);
    if (k->blob == 0 || !hotspot_read(k->header, HOTSPOT_HEADER_SIZE, k->blob) ||
        !hotspot_read(&k->name, sizeof(k->name), hotspot_u64(k, l->blob_name))) {
        k->blob = 0;
        return false;
    }
    k->size = hotspot_u32(k, l->blob_size);
    k->frame_size = hotspot_u32(k, l->blob_frame_size);
    k->frame_size = k->frame_size <= HOTSPOT_FRAME_WORDS_MAX ? k->frame_size * 8 : 0;
    k->begin = hotspot_address(k, l->blob_code, l->flags & HOTSPOT_CODE_IS_OFFSET);
    return pc - k->blob <= k->size;
}

static __always_inline struct runtime_frame hotspot_frame(enum hotspot_object what, __u64 addr,
                                                          __u64 at, __u32 check)
{
    return (struct runtime_frame){
        .object = addr | (__u64)what << HOTSPOT_OBJECT_SHIFT |
                  (__u64)RUNTIME_HOTSPOT << RUNTIME_OBJECT_BITS,
        .at = (at < RUNTIME_AT_UNKNOWN ? (__u32)at : RUNTIME_AT_UNKNOWN) | RUNTIME_AT_ENTRY,
        .check = check,
    };
}

static __always_inline __u8 hotspot_leave(struct unwind_walk *w, __u64 pc, __u64 sp, __u64 bp)
{
    if (sp <= w->sp && !w->is_exact)
        return RECORD_STOP_NO_READ; /* a stack only shrinks */
    w->pc = pc;
    w->sp = sp;
    w->bp = bp;
    w->is_exact = w->has_regs = 0;
    return UNWIND_CONTINUE;
}

/* The caller of a function whose frame has only the return address, and maybe below it the caller's
 * frame pointer. */
static __always_inline __u8 hotspot_leave_small(struct unwind_walk *w, bool has_bp)
{
    __u64 pc, bp = w->bp;

    if (has_bp && !unwind_read(w, w->sp, &bp))
        return RECORD_STOP_NO_READ;
    if (!unwind_read(w, w->sp + (has_bp ? 8 : 0), &pc))
        return RECORD_STOP_NO_READ;
    return hotspot_leave(w, pc, w->sp + (has_bp ? 16 : 8), bp);
}

/* ---- interpreted code ---------------------------------------------------------------------- */

struct hotspot_method {
    __u64 addr, const_method;
    __u32 code_size;
};

static __always_inline bool hotspot_method(const struct hotspot_space *space, __u64 addr,
                                           struct hotspot_method *ret)
{
    const struct hotspot_offsets *l = &space->offsets;
    __u64 const_method = 0;
    __u16 size = 0;

    if (addr & 7 || addr >> 47 || addr < UNWIND_SCAN_START ||
        !hotspot_read(&const_method, sizeof(const_method), addr + l->method_const) ||
        const_method & 7 || !hotspot_read(&size, sizeof(size), const_method + l->const_code_size))
        return false;
    *ret = (struct hotspot_method){ addr, const_method, size };
    return true;
}

/* Which bytecode a pointer to it means. */
static __always_inline __u64 hotspot_bci(const struct hotspot_space *space,
                                         const struct hotspot_method *method, __u64 bcp)
{
    __u64 bci = bcp - (method->const_method + space->offsets.const_size);

    return bci < method->code_size ? bci : RUNTIME_AT_UNKNOWN;
}

static __always_inline struct runtime_frame hotspot_method_frame(
    const struct hotspot_method *method, __u64 bci)
{
    return hotspot_frame(HOTSPOT_METHOD, method->addr, bci, hotspot_check(method->const_method));
}

/* A method is entered, and has no frame yet: its caller's stack pointer is where the pointer to its
 * bytecode will be, the return address on the stack or taken from there. The interpreter enters
 * methods by jumps, and pushes where they are to return to. */
static __always_inline bool hotspot_enter(struct unwind_walk *w, const struct hotspot_space *space,
                                          struct runtime_frame *ret_frame)
{
    __u64 sender_sp, addr, pc = 0, bp = w->bp;
    struct hotspot_method method;

    if (!w->is_exact || !unwind_reg(w, HOTSPOT_REG_BCP, &sender_sp) || sender_sp & 7 ||
        sender_sp - w->sp > HOTSPOT_ENTRY_MAX || !unwind_reg(w, HOTSPOT_REG_METHOD, &addr) ||
        !hotspot_method(space, addr, &method))
        return false;
    if ((!unwind_read(w, w->sp, &pc) || !hotspot_has(space, pc)) &&
        (!unwind_reg(w, HOTSPOT_REG_RETURN, &pc) || !hotspot_has(space, pc)))
        return false;
    if (w->bp - w->sp < sender_sp - w->sp && !unwind_read(w, w->bp, &bp))
        return false; /* the frame pointer is pushed already */
    *ret_frame = hotspot_method_frame(&method, 0);
    (void)hotspot_leave(w, pc, sender_sp, bp);
    return true;
}

static __always_inline __u8 hotspot_interpreted(struct unwind_walk *w,
                                                const struct hotspot_space *space,
                                                struct hotspot_look *k,
                                                struct runtime_frame *ret_frame)
{
    struct hotspot_method method;
    __u64 bcp, bci;

    if (w->bp & 7 || w->bp < w->sp)
        return RECORD_STOP_NO_RULE;
    if (!hotspot_read(k->frame, sizeof(k->frame), w->bp - HOTSPOT_FRAME_BELOW))
        return RECORD_STOP_NO_READ;
    if (hotspot_method(space, k->frame[HOTSPOT_FRAME_METHOD], &method)) {
        bci = RUNTIME_AT_UNKNOWN;
        if (w->is_exact && unwind_reg(w, HOTSPOT_REG_BCP, &bcp))
            bci = hotspot_bci(space, &method, bcp);
        if (bci == RUNTIME_AT_UNKNOWN)
            bci = hotspot_bci(space, &method,
                              k->frame[space->offsets.frame_bcp == -HOTSPOT_FRAME_BELOW ? 0 : 1]);
        *ret_frame = hotspot_method_frame(&method, bci);
    }
    return hotspot_leave(w, k->frame[HOTSPOT_FRAME_PC], k->frame[HOTSPOT_FRAME_SENDER_SP],
                         k->frame[HOTSPOT_FRAME_BP]);
}

/* ---- compiled code ------------------------------------------------------------------------- */

static __always_inline __u32 hotspot_code_u32(const struct hotspot_look *k, __u32 at)
{
    return (__u32)k->code[at] | (__u32)k->code[at + 1] << 8 | (__u32)k->code[at + 2] << 16 |
           (__u32)k->code[at + 3] << 24;
}

/* What there is of a frame. */
enum hotspot_progress {
    HOTSPOT_WHOLE,
    HOTSPOT_PUSHED,  /* the frame pointer and the return address alone */
    HOTSPOT_UNSAVED, /* all but the saved frame pointer */
    HOTSPOT_NONE,    /* the return address alone */
};

/*
 * How much of a frame there is at the start of a method: it is made by push %rbp; sub $n, %rsp,
 * with a mov %rsp, %rbp between them where frame pointers are kept, or by sub $n + 8, %rsp; mov
 * %rbp, n(%rsp).
 */
static __always_inline enum hotspot_progress hotspot_prologue(const struct hotspot_look *k)
{
    enum { HERE = HOTSPOT_CODE_BEFORE };
    const __u8 *code = k->code;

    for (__u32 i = 0; i <= HERE - 4; i++) {
        __u32 size = 0;

        if (code[i] != 0x48 || code[i + 2] != 0xec)
            continue;
        if (code[i + 1] == 0x83)
            size = code[i + 3];
        else if (code[i + 1] == 0x81 && i <= HERE - 7)
            size = hotspot_code_u32(k, i + 3);
        else
            continue;
        if (size + 16 == k->frame_size)
            return HOTSPOT_WHOLE;
        if (size + 8 == k->frame_size)
            return code[HERE] == 0x48 && code[HERE + 1] == 0x89 ? HOTSPOT_UNSAVED : HOTSPOT_WHOLE;
    }
    if (code[HERE - 1] == 0x55 || (code[HERE - 4] == 0x55 && code[HERE - 3] == 0x48 &&
                                   (code[HERE - 1] == 0xec || code[HERE - 1] == 0xe5)))
        return HOTSPOT_PUSHED;
    return HOTSPOT_NONE;
}

/*
 * Only a poll for a safepoint may lie between pop %rbp and ret: test %eax, n(%rip) (JDK 8);
 * mov n(%r15), %r10; test %eax, (%r10) (JDK 10); cmp n(%r15), %rsp; ja n (JDK 16).
 */
static __always_inline enum hotspot_progress hotspot_epilogue(const struct hotspot_look *k)
{
    const __u8 *code = k->code + HOTSPOT_CODE_BEFORE;
    enum hotspot_progress state = HOTSPOT_NONE;
    __u32 at = 0;

    if (code[0] == 0x5d) {
        state = HOTSPOT_PUSHED;
        code++;
    }
    if (code[0] == 0x49 && code[1] == 0x3b && code[2] == 0x67)
        at = 4;
    else if (code[0] == 0x49 && code[1] == 0x3b && code[2] == 0xa7)
        at = 7;
    else if (code[0] == 0x4d && code[1] == 0x8b && code[2] == 0x57)
        at = 4;
    else if (code[0] == 0x4d && code[1] == 0x8b && code[2] == 0x97)
        at = 7;
    code += at;
    at = 0;
    if (code[0] == 0x0f && code[1] == 0x87)
        at = 6;
    else if (code[0] == 0x85 && code[1] == 0x05)
        at = 6;
    else if (code[0] == 0x41 && code[1] == 0x85 && code[2] == 0x02)
        at = 3;
    return code[at] == 0xc3 ? state : HOTSPOT_WHOLE;
}

static __always_inline enum hotspot_progress hotspot_progress(const struct unwind_walk *w,
                                                              const struct hotspot_space *space,
                                                              struct hotspot_look *k)
{
    const struct hotspot_offsets *l = &space->offsets;
    __u64 complete = l->flags & HOTSPOT_SHORT_COMPLETE ? hotspot_u16(k, l->blob_frame_complete)
                                                       : hotspot_u32(k, l->blob_frame_complete);

    if (!hotspot_read(k->code, sizeof(k->code), w->pc - HOTSPOT_CODE_BEFORE))
        return HOTSPOT_WHOLE;
    return w->pc - k->begin < complete ? hotspot_prologue(k) : hotspot_epilogue(k);
}

/* Where the code goes on, when the frame is to be interpreted from here on: the return address into
 * it was changed, and is kept in the frame. */
static __always_inline __u64 hotspot_original(const struct unwind_walk *w,
                                              const struct hotspot_space *space,
                                              const struct hotspot_look *k)
{
    const struct hotspot_offsets *l = &space->offsets;
    bool is_offset = l->flags & HOTSPOT_DEOPT_IS_OFFSET;
    __u64 pc = w->pc;

    if (w->is_exact)
        return pc;
    if ((l->nmethod_deopt != HOTSPOT_NO_OFFSET &&
         pc == hotspot_address(k, l->nmethod_deopt, is_offset)) ||
        (l->nmethod_deopt_mh != HOTSPOT_NO_OFFSET &&
         pc == hotspot_address(k, l->nmethod_deopt_mh, is_offset)))
        (void)unwind_read(w, w->sp + hotspot_u32(k, l->nmethod_orig_pc), &pc);
    return pc;
}

/* Is this a caller? The interpreter calls nobody, and jumps; but it has a frame pointer. */
static __always_inline bool hotspot_is_caller(const struct unwind_walk *w,
                                              const struct hotspot_space *space, __u64 pc, __u64 bp,
                                              __u64 cfa)
{
    return hotspot_has(space, pc) &&
           (unwind_scan_is_behind_call(w, pc) || (!(bp & 7) && bp - cfa < HOTSPOT_ENTRY_MAX));
}

/* Its caller is in the code cache as well. Where native code is called for the collector, registers
 * are pushed before: then the return address is a little higher. */
static __always_inline __u8 hotspot_whole(struct unwind_walk *w, const struct hotspot_space *space,
                                          struct hotspot_look *k)
{
    __u64 cfa = w->sp + k->frame_size;

    if (!hotspot_read(k->frame, 2 * sizeof(k->frame[0]), cfa - 16))
        return RECORD_STOP_NO_READ;
    if (k->n + 1 == w->n ? hotspot_has(space, k->frame[1])
                         : hotspot_is_caller(w, space, k->frame[1], k->frame[0], cfa))
        return hotspot_leave(w, k->frame[1], cfa, k->frame[0]);
    k->scan = cfa;
    k->n_scanned = 0;
    return UNWIND_CONTINUE;
}

static __always_inline __u8 hotspot_scan(struct unwind_walk *w, const struct hotspot_space *space,
                                         struct hotspot_look *k)
{
    __u64 pc, bp, at = k->scan;

    k->scan += 8;
    if (k->n_scanned++ >= HOTSPOT_SCAN_MAX || !unwind_read(w, at, &pc) ||
        !unwind_read(w, at - 8, &bp)) {
        k->scan = 0;
        return RECORD_STOP_NO_RULE;
    }
    if (!hotspot_is_caller(w, space, pc, bp, at + 8))
        return UNWIND_CONTINUE;
    k->scan = 0;
    return hotspot_leave(w, pc, at + 8, bp);
}

static __always_inline __u8 hotspot_compiled(struct unwind_walk *w,
                                             const struct hotspot_space *space,
                                             struct hotspot_look *k,
                                             struct runtime_frame *ret_frame)
{
    enum hotspot_progress state = k->frame_size == 0 ? HOTSPOT_NONE
                                  : w->is_exact      ? hotspot_progress(w, space, k)
                                                     : HOTSPOT_WHOLE;

    *ret_frame = hotspot_frame(HOTSPOT_NMETHOD, k->blob,
                               hotspot_original(w, space, k) - k->begin + w->is_exact,
                               hotspot_u32(k, space->offsets.nmethod_id));
    if (state == HOTSPOT_NONE || state == HOTSPOT_PUSHED)
        return hotspot_leave_small(w, state == HOTSPOT_PUSHED);
    if (state == HOTSPOT_UNSAVED) {
        __u64 pc, cfa = w->sp + k->frame_size;

        if (!unwind_read(w, cfa - 8, &pc))
            return RECORD_STOP_NO_READ;
        return hotspot_leave(w, pc, cfa, w->bp);
    }
    return hotspot_whole(w, space, k);
}

/* ---- other code ---------------------------------------------------------------------------- */

/* The interpreter jumped to what has no frame: its stack pointer is where its pointer to the
 * bytecode would be, what it returns to on top of the stack. */
static __always_inline bool hotspot_was_jumped_to(const struct unwind_walk *w,
                                                  const struct hotspot_space *space, __u64 *ret_pc,
                                                  __u64 *ret_sp)
{
    return w->is_exact && unwind_reg(w, HOTSPOT_REG_BCP, ret_sp) && !(*ret_sp & 7) &&
           *ret_sp - w->sp - 1 < HOTSPOT_ENTRY_MAX && unwind_read(w, w->sp, ret_pc) &&
           hotspot_has(space, *ret_pc);
}

/* Stubs have a frame of a known size, or keep the frame pointer, or have no frame. */
static __always_inline __u8 hotspot_stub(struct unwind_walk *w, const struct hotspot_space *space,
                                         struct hotspot_look *k)
{
    __u64 pc, bp, cfa = w->sp + k->frame_size;

    if (k->frame_size > 0 && unwind_read(w, cfa - 8, &pc) &&
        (w->is_exact ? hotspot_is_return(w, space, pc) : hotspot_has(space, pc)) &&
        unwind_read(w, cfa - 16, &bp))
        return hotspot_leave(w, pc, cfa, bp); /* a poll for a safepoint need not be a call */
    if (w->is_exact && unwind_read(w, w->sp, &pc) && hotspot_is_return(w, space, pc))
        return hotspot_leave(w, pc, w->sp + 8, w->bp);
    if (k->frame_size == 0 && hotspot_was_jumped_to(w, space, &pc, &cfa))
        return hotspot_leave(w, pc, cfa, w->bp);
    if (w->bp >= w->sp && !(w->bp & 7) && unwind_read(w, w->bp + 8, &pc) &&
        unwind_scan_is_behind_call(w, pc) && unwind_read(w, w->bp, &bp))
        return hotspot_leave(w, pc, w->bp + 16, bp);
    k->scan = w->sp + 8;
    k->n_scanned = 0;
    return UNWIND_CONTINUE;
}

static __always_inline __u8 hotspot_leave_blob(struct unwind_walk *w,
                                               const struct hotspot_space *space,
                                               struct hotspot_look *k,
                                               struct runtime_frame *ret_frame)
{
    *ret_frame = hotspot_frame(HOTSPOT_BLOB, k->blob, w->pc - k->blob,
                               (__u32)hotspot_u64(k, space->offsets.blob_name));
    if ((k->name == HOTSPOT_NAME_INTERPRETER || k->name == HOTSPOT_NAME_ADAPTER) &&
        hotspot_enter(w, space, ret_frame))
        return UNWIND_CONTINUE;
    if (k->name == HOTSPOT_NAME_INTERPRETER)
        return hotspot_interpreted(w, space, k, ret_frame);
    if (k->name == HOTSPOT_NAME_NMETHOD || k->name == HOTSPOT_NAME_NATIVE)
        return hotspot_compiled(w, space, k, ret_frame);
    return hotspot_stub(w, space, k);
}

/*
 * The frame whose code lies in the code cache: notes what it runs, unless that is not known, and
 * goes to its caller. Returns what w->stop is to be. It may take more steps, which note nothing,
 * while k->scan is not 0: they are hotspot_scan()'s.
 */
static __always_inline __u8 hotspot_step(struct unwind_walk *w, const struct hotspot_space *space,
                                         struct hotspot_look *k, struct runtime_frame *ret_frame)
{
    __u8 stop;

    if (!hotspot_look(space, w->pc - !w->is_exact, k))
        return unwind_by_frame_pointer(w, 0);
    stop = hotspot_leave_blob(w, space, k, ret_frame);
    k->n = w->n;
    return stop;
}
