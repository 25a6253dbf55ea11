/* SPDX-License-Identifier: Apache-2.0 */
/* hotspot: Java. A compiled frame runs a method and those that were inlined into it. */
#include "agent/bpf/hotspot_table.h"
#include "agent/runtimes/hotspot_image.h"
#include "agent/runtimes/hotspot_layout.h"
#include "agent/runtimes/runtime.h"
#include "agent/runtimes/target_memory.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOB_NAME_MAX = 64, FRAME_BCP = -64, FRAME_BCP_8 = -56, MIRROR_SINCE = 9 };

struct hotspot_process {
    struct hotspot_layout layout;
};

struct hotspot_function {
    enum hotspot_object what;
    char *blob; /* owned; the name of code that is none of a method */
};

static uint64_t tag_of(enum hotspot_object what)
{
    return (uint64_t)what << HOTSPOT_OBJECT_SHIFT;
}

static bool read_image(int fd, const struct elf_image *elf, void *ret_image)
{
    return hotspot_image_read(fd, elf, ret_image);
}

static void version(const void *data, char *text, size_t size)
{
    (void)data;
    (void)snprintf(text, size, "java");
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
        return HOTSPOT_NOT_YET;
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
    const char *why = hotspot_layout_read(pid, image, bias, &process->layout);

    space->image = *run;
    return why ? why : fill_space(pid, &process->layout, space);
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
    if (f->what == HOTSPOT_BLOB)
        f->blob = blob_name(pid, &process->layout, addr, check);
    return f->blob != NULL;
}

static void release_function(void *data)
{
    struct hotspot_function *f = data;

    free(f->blob);
}

static uint32_t line(const void *data, uint32_t at)
{
    (void)data;
    (void)at;
    return 0;
}

static char *name(const void *data, uint32_t line)
{
    (void)line;
    return mem_printf("[%s]", ((const struct hotspot_function *)data)->blob);
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
    .line = line,
    .name = name,
};
