/* SPDX-License-Identifier: Apache-2.0 */
/* hotspot: Java. A compiled frame runs a method and those that were inlined into it. */
#include "agent/bpf/hotspot_table.h"
#include "agent/runtimes/hotspot/hotspot_image.h"
#include "agent/runtimes/hotspot/hotspot_layout.h"
#include "agent/runtimes/hotspot/hotspot_method.h"
#include "agent/runtimes/hotspot/hotspot_scopes.h"
#include "agent/runtimes/runtime.h"
#include "agent/runtimes/target_memory.h"
#include "lib/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOB_NAME_MAX = 64 };

/* Where an interpreted frame keeps the pointer to its bytecode: from JDK 9 on, it keeps the mirror
 * of the method's class as well (cpu/x86/frame_x86.hpp). */
enum { FRAME_BCP = -64, FRAME_BCP_8 = -56, MIRROR_SINCE = 9 };

/* Lines of code that is none of a method. */
enum { BLOB_ANY, BLOB_CALL_STUB };

struct hotspot_process {
    struct hotspot_layout layout;
    bool has_layout;
    uint64_t call_stub_return; /* an address in the code that enters Java */
    struct hotspot_loops loops;
};

struct hotspot_function {
    enum hotspot_object what;
    struct hotspot_method method;
    char *blob;         /* owned; the name of code that is none of a method */
    uint64_t call_stub; /* where in it a method returns to that native code called */
};

static uint64_t tag_of(enum hotspot_object what)
{
    return (uint64_t)what << HOTSPOT_OBJECT_SHIFT;
}

static bool read_image(int fd, const struct elf_image *elf, void *ret_image)
{
    return hotspot_image_read(fd, elf, ret_image);
}

static void version(const void *image, const void *process, char *text, size_t size)
{
    const char *known = ((const struct hotspot_process *)process)->layout.version;

    (void)image;
    (void)snprintf(text, size, "%s", *known ? known : "java");
}

static uint16_t field(uint16_t off)
{
    return off == HOTSPOT_NO_FIELD ? HOTSPOT_NO_OFFSET : off;
}

static struct hotspot_offsets offsets_of(const struct hotspot_layout *l, uint32_t segment_shift)
{
    bool code_is_offset = l->blob_code_begin == HOTSPOT_NO_FIELD;
    bool deopt_is_offset = l->nmethod_deopt_begin == HOTSPOT_NO_FIELD;

    return (struct hotspot_offsets){
        .blob_name = l->blob_name,
        .blob_size = l->blob_size,
        .blob_frame_size = l->blob_frame_size,
        .blob_frame_complete = l->blob_frame_complete,
        .blob_code = code_is_offset ? l->blob_code_offset : l->blob_code_begin,
        .nmethod_id = l->nmethod_compile_id,
        .nmethod_orig_pc = l->nmethod_orig_pc_offset,
        .nmethod_deopt = field(deopt_is_offset ? l->nmethod_deopt_offset : l->nmethod_deopt_begin),
        .nmethod_deopt_mh = field(l->nmethod_deopt_mh),
        .method_const = l->method_const,
        .const_size = l->const_size,
        .const_code_size = l->const_code_size,
        .frame_bcp = l->major < MIRROR_SINCE ? FRAME_BCP_8 : FRAME_BCP,
        .segment_shift = (uint8_t)segment_shift,
        .block_header = (uint8_t)l->block_size,
        .flags = (uint8_t)((code_is_offset ? HOTSPOT_CODE_IS_OFFSET : 0) |
                           (deopt_is_offset ? HOTSPOT_DEOPT_IS_OFFSET : 0) |
                           (l->blob_frame_complete_width == 2 ? HOTSPOT_SHORT_COMPLETE : 0)),
    };
}

static const char *fill_space(pid_t pid, const struct hotspot_layout *layout,
                              struct hotspot_space *ret_space)
{
    const struct hotspot_code_heap *heaps = ret_space->heaps;
    uint32_t segment_shift = 0;
    size_t n = hotspot_heaps_read(pid, layout, ret_space->heaps, &segment_shift);

    if (n == 0)
        return runtime_not_yet;
    ret_space->low = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        if (heaps[i].low < ret_space->low)
            ret_space->low = heaps[i].low;
        if (heaps[i].high > ret_space->high)
            ret_space->high = heaps[i].high;
    }
    ret_space->offsets = offsets_of(layout, segment_shift);
    return NULL;
}

static const char *meet(pid_t pid, const struct process_image *run, const void *image,
                        uint64_t bias, void *ret_process, void *ret_space)
{
    struct hotspot_process *process = ret_process;
    struct hotspot_space *space = ret_space;

    space->image = *run;
    if (!process->has_layout) {
        const char *why = hotspot_layout_read(pid, image, bias, &process->layout);

        if (why)
            return why == HOTSPOT_NOT_YET ? runtime_not_yet : why;
        process->has_layout = true;
    }
    if (!target_memory_u64(pid, process->layout.call_stub_return, &process->call_stub_return) ||
        process->call_stub_return == 0)
        return runtime_not_yet;
    return fill_space(pid, &process->layout, space);
}

static char *blob_name(pid_t pid, const struct hotspot_layout *layout, uint64_t blob,
                       uint32_t check)
{
    char text[BLOB_NAME_MAX + 1] = { 0 };
    uint64_t at = 0;

    if (!target_memory_u64(pid, blob + layout->blob_name, &at) || (uint32_t)at != check ||
        !target_memory_read(pid, at, text, BLOB_NAME_MAX) || !*text)
        return NULL;
    return mem_strdup(text);
}

static bool read_function(pid_t pid, void *data, uint64_t object, uint32_t check,
                          void *ret_function)
{
    const struct hotspot_process *process = data;
    struct hotspot_function *f = ret_function;
    uint64_t addr = object & (tag_of(1) - 1);

    f->what = (enum hotspot_object)(object >> HOTSPOT_OBJECT_SHIFT);
    if (f->what == HOTSPOT_METHOD)
        return hotspot_method_read(pid, &process->layout, addr, check, &f->method);
    if (f->what != HOTSPOT_BLOB)
        return false;
    f->blob = blob_name(pid, &process->layout, addr, check);
    f->call_stub = process->call_stub_return - addr;
    return f->blob != NULL;
}

static enum runtime_way way_of(const struct hotspot_scopes *scopes, size_t i)
{
    if (i + 1 < scopes->n)
        return RUNTIME_WAY_INLINED;
    if (scopes->level == 0)
        return RUNTIME_WAY_NATIVE;
    return scopes->level <= HOTSPOT_LEVEL_C1_MAX ? RUNTIME_WAY_BASELINE : RUNTIME_WAY_OPTIMISED;
}

static size_t compiled_calls(pid_t pid, struct hotspot_process *process, uint64_t nmethod,
                             const struct runtime_frame *frame, struct runtime_call *ret_calls)
{
    struct hotspot_scopes scopes;

    static_assert((int)HOTSPOT_SCOPES_MAX <= (int)RUNTIME_CALLS_MAX, "a place runs no more");
    if (!hotspot_scopes_read(pid, &process->layout, &process->loops, nmethod, frame->check,
                             frame->at & RUNTIME_AT_UNKNOWN, &scopes))
        return 0;
    for (size_t i = 0; i < scopes.n; i++)
        ret_calls[i] = (struct runtime_call){ scopes.scopes[i].method | tag_of(HOTSPOT_METHOD),
                                              scopes.scopes[i].check, scopes.scopes[i].bci,
                                              way_of(&scopes, i) };
    return scopes.n;
}

static size_t calls(pid_t pid, void *data, const struct runtime_frame *frame, uint64_t pc,
                    struct runtime_call ret_calls[RUNTIME_CALLS_MAX])
{
    struct hotspot_process *process = data;
    uint64_t object = runtime_frame_object(frame);
    enum hotspot_object what = (enum hotspot_object)(object >> HOTSPOT_OBJECT_SHIFT);

    (void)pc;
    if (what == HOTSPOT_NMETHOD)
        return compiled_calls(pid, process, object & (tag_of(1) - 1), frame, ret_calls);
    if (what != HOTSPOT_BLOB)
        return 0;
    *ret_calls = (struct runtime_call){ object, frame->check, frame->at & RUNTIME_AT_UNKNOWN,
                                        RUNTIME_WAY_NATIVE };
    return 1;
}

static void release_function(void *data)
{
    struct hotspot_function *f = data;

    hotspot_method_release(&f->method);
    free(f->blob);
}

static size_t function_bytes(const void *data)
{
    const struct hotspot_function *f = data;

    return f->blob ? strlen(f->blob) : strlen(f->method.name) + f->method.n_lines;
}

static uint32_t line(const void *data, uint32_t at)
{
    const struct hotspot_function *f = data;

    if (f->what == HOTSPOT_BLOB)
        return at == f->call_stub ? BLOB_CALL_STUB : BLOB_ANY;
    return hotspot_method_line(&f->method, at);
}

static char *name(const void *data, uint32_t line)
{
    const struct hotspot_function *f = data;

    if (f->what == HOTSPOT_BLOB)
        return line == BLOB_CALL_STUB ? mem_strdup("call_stub") : mem_printf("[%s]", f->blob);
    if (line == 0)
        return mem_strdup(f->method.name);
    return mem_printf("%s:%u", f->method.name, line);
}

const struct runtime_kind runtime_hotspot = {
    .image_size = sizeof(struct hotspot_image),
    .process_size = sizeof(struct hotspot_process),
    .function_size = sizeof(struct hotspot_function),
    .space_size = sizeof(struct hotspot_space),
    .jit_name = "[java]",
    .read_image = read_image,
    .version = version,
    .meet = meet,
    .read_function = read_function,
    .release_function = release_function,
    .function_bytes = function_bytes,
    .calls = calls,
    .line = line,
    .name = name,
};
