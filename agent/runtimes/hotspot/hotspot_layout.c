/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/hotspot_layout.h"

#include "agent/runtimes/hotspot/hotspot_tables.h"
#include "agent/runtimes/target_memory.h"

#include <stdio.h>
#include <string.h>

const char hotspot_not_yet[] = "its virtual machine has not begun";

static const char no_tables[] = "its tables cannot be read, native frames only";
static const char no_field[] = "its tables lack what is needed, native frames only";
static const char no_sense[] = "its tables make no sense, native frames only";
static const char too_old[] = "not supported, native frames only";

enum { OFFSET_MAX = 8192 };

struct wanted_field {
    const char *type, *field;
    size_t to, to_width; /* in struct hotspot_layout; 0: none */
    uint16_t further;
};

#define AT(member) offsetof(struct hotspot_layout, member)

static const struct wanted_field wanted_fields[] = {
    { "GrowableArrayBase", "_len", AT(array_len), 0, 0 },
    { "GenericGrowableArray", "_len", AT(array_len), 0, 0 },
    { "GrowableArray<int>", "_data", AT(array_data), 0, 0 },
    { "CodeHeap", "_memory", AT(heap_memory), 0, 0 },
    { "CodeHeap", "_segmap", AT(heap_segmap), 0, 0 },
    { "CodeHeap", "_log2_segment_size", AT(heap_log2_segment_size), 0, 0 },
    { "VirtualSpace", "_low", AT(space_low), 0, 0 },
    { "VirtualSpace", "_low_boundary", AT(space_low_boundary), 0, 0 },
    { "VirtualSpace", "_high_boundary", AT(space_high_boundary), 0, 0 },
    { "CodeBlob", "_name", AT(blob_name), 0, 0 },
    { "CodeBlob", "_size", AT(blob_size), 0, 0 },
    { "CodeBlob", "_frame_size", AT(blob_frame_size), 0, 0 },
    { "CodeBlob", "_frame_complete_offset", AT(blob_frame_complete), AT(blob_frame_complete_width),
      0 },
    { "CodeBlob", "_code_begin", AT(blob_code_begin), 0, 0 },
    { "CodeBlob", "_code_offset", AT(blob_code_offset), 0, 0 },
    { "CodeBlob", "_data_offset", AT(blob_data_offset), 0, 0 },
    { "CodeBlob", "_mutable_data", AT(blob_mutable_data), 0, 0 },
    { "CodeBlob", "_relocation_size", AT(blob_relocation_size), 0, 0 },
    { "nmethod", "_method", AT(nmethod_method), 0, 0 },
    { "CompiledMethod", "_method", AT(nmethod_method), 0, 0 },
    { "nmethod", "_compile_id", AT(nmethod_compile_id), 0, 0 },
    { "nmethod", "_comp_level", AT(nmethod_comp_level), 0, 0 },
    { "nmethod", "_orig_pc_offset", AT(nmethod_orig_pc_offset), 0, 0 },
    { "CompiledMethod", "_deopt_handler_begin", AT(nmethod_deopt_begin), 0, 0 },
    { "CompiledMethod", "_deopt_mh_handler_begin", AT(nmethod_deopt_mh), 0, 0 },
    { "nmethod", "_deopt_mh_handler_offset", AT(nmethod_deopt_mh), 0, 0 },
    { "nmethod", "_deoptimize_mh_offset", AT(nmethod_deopt_mh), 0, 0 },
    { "nmethod", "_deoptimize_offset", AT(nmethod_deopt_offset), 0, 0 },
    { "nmethod", "_deopt_handler_offset", AT(nmethod_deopt_offset), 0, 0 },
    { "nmethod", "_deopt_handler_entry_offset", AT(nmethod_deopt_offset), 0, 0 },
    { "nmethod", "_metadata_offset", AT(nmethod_metadata), AT(nmethod_metadata_width), 0 },
    { "nmethod", "_dependencies_offset", AT(nmethod_dependencies), 0, 0 },
    { "nmethod", "_scopes_pcs_offset", AT(nmethod_scopes_pcs), 0, 0 },
    { "nmethod", "_scopes_data_offset", AT(nmethod_scopes_data), 0, 0 },
    { "CompiledMethod", "_scopes_data_begin", AT(nmethod_scopes_begin), 0, 0 },
    { "nmethod", "_immutable_data", AT(nmethod_immutable), 0, 0 },
    { "PcDesc", "_pc_offset", AT(pc_desc_pc), 0, 0 },
    { "PcDesc", "_scope_decode_offset", AT(pc_desc_scope), 0, 0 },
    { "Method", "_constMethod", AT(method_const), 0, 0 },
    { "ConstMethod", "_constants", AT(const_constants), 0, 0 },
    { "ConstMethod", "_constMethod_size", AT(const_words), 0, 0 },
    { "ConstMethod", "_flags", AT(const_flags), 0, 0 },
    { "ConstMethod", "_flags._flags", AT(const_flags), 0, 0 },
    { "ConstMethod", "_code_size", AT(const_code_size), 0, 0 },
    { "ConstMethod", "_name_index", AT(const_name), 0, 0 },
    { "ConstMethod", "_signature_index", AT(const_signature), 0, 0 },
    { "ConstantPool", "_pool_holder", AT(pool_holder), 0, 0 },
    { "ConstantPool", "_length", AT(pool_length), 0, 0 },
    { "ConstantPool", "_cache", AT(pool_cache), 0, 0 },
    { "ConstantPoolCacheEntry", "_indices", AT(entry_indices), 0, 0 },
    { "ConstantPoolCacheEntry", "_f1", AT(entry_f1), 0, 0 },
    { "ConstantPoolCacheEntry", "_f2", AT(entry_f2), 0, 0 },
    { "ConstantPoolCache", "_resolved_method_entries", AT(cache_resolved), 0, 0 },
    { "Array<ResolvedMethodEntry>", "_data", AT(resolved_data), 0, 0 },
    { "ResolvedMethodEntry", "_cpool_index", AT(resolved_constant), 0, 0 },
    { "Klass", "_name", AT(klass_name), 0, 0 },
    { "Klass", "_super", AT(klass_super), 0, 0 },
    { "InstanceKlass", "_methods", AT(klass_methods), 0, 0 },
    { "Array<Method*>", "_data", AT(methods_data), 0, 0 },
    { "Symbol", "_length", AT(symbol_length), 0, 0 },
    /* JDK 12: the length is the upper half. */
    { "Symbol", "_length_and_refcount", AT(symbol_length), 0, 2 },
    { "Symbol", "_body", AT(symbol_body), 0, 0 },
};

/* A VirtualSpace lies within a CodeHeap; what all versions have. */
static const size_t needed[] = {
    AT(heap_memory),
    AT(heap_segmap),
    AT(heap_log2_segment_size),
    AT(space_low),
    AT(space_low_boundary),
    AT(space_high_boundary),
    AT(block_size),
    AT(blob_name),
    AT(blob_size),
    AT(blob_frame_size),
    AT(blob_frame_complete),
    AT(blob_data_offset),
    AT(nmethod_size),
    AT(nmethod_method),
    AT(nmethod_compile_id),
    AT(nmethod_comp_level),
    AT(nmethod_orig_pc_offset),
    AT(nmethod_scopes_pcs),
    AT(pc_desc_size),
    AT(pc_desc_pc),
    AT(pc_desc_scope),
    AT(method_const),
    AT(const_size),
    AT(const_constants),
    AT(const_words),
    AT(const_flags),
    AT(const_code_size),
    AT(const_name),
    AT(pool_size),
    AT(pool_holder),
    AT(pool_length),
    AT(klass_name),
    AT(symbol_length),
    AT(symbol_body),
};

/* Of what is in different places, by version: one of a row has to be there. */
static const size_t needed_one_of[][2] = {
    { AT(blob_code_begin), AT(blob_code_offset) },
    { AT(nmethod_deopt_begin), AT(nmethod_deopt_offset) },
    { AT(nmethod_dependencies), AT(nmethod_immutable) },
    { AT(nmethod_scopes_begin), AT(nmethod_scopes_data) },
    { AT(nmethod_metadata), AT(blob_mutable_data) },
};

struct wanted_variable {
    const char *type, *field;
    uint64_t addr; /* out */
};

enum variables { HEAP, HEAPS, CALL_STUB_RETURN, RELEASE, MAJOR, VARIABLES };

static uint16_t *member(struct hotspot_layout *layout, size_t at)
{
    return (uint16_t *)(void *)((char *)layout + at);
}

static bool is_there(const struct hotspot_layout *layout, size_t at)
{
    uint16_t value;

    memcpy(&value, (const char *)layout + at, sizeof(value));
    return value != HOTSPOT_NO_FIELD;
}

static uint16_t width_of(const char *type)
{
    static const char *const two[] = { "int16_t", "uint16_t", "u2", "short" };

    for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++) {
        if (strcmp(type, two[i]) == 0)
            return 2;
    }
    return 4;
}

/* A layout in the making. */
struct filling {
    struct hotspot_layout *layout;
    struct wanted_variable *variables;
    bool makes_no_sense;
};

static void take_variable(struct filling *f, const struct hotspot_field *field)
{
    for (size_t i = 0; i < VARIABLES; i++) {
        struct wanted_variable *v = &f->variables[i];

        if (strcmp(field->name, v->field) == 0 && strcmp(field->type, v->type) == 0)
            v->addr = field->value;
    }
}

static void take_field(void *arg, const struct hotspot_field *field)
{
    struct filling *f = arg;

    if (field->is_static) {
        take_variable(f, field);
        return;
    }
    for (size_t i = 0; i < sizeof(wanted_fields) / sizeof(wanted_fields[0]); i++) {
        const struct wanted_field *w = &wanted_fields[i];

        if (strcmp(field->name, w->field) != 0 || strcmp(field->type, w->type) != 0)
            continue;
        f->makes_no_sense = f->makes_no_sense || field->value >= OFFSET_MAX;
        *member(f->layout, w->to) = (uint16_t)(field->value + w->further);
        if (w->to_width)
            *member(f->layout, w->to_width) = width_of(field->text);
    }
}

static void take_size(void *arg, const char *type, uint64_t size)
{
    static const struct {
        const char *type;
        size_t to;
    } wanted[] = {
        { "HeapBlock", AT(block_size) },
        { "nmethod", AT(nmethod_size) },
        { "PcDesc", AT(pc_desc_size) },
        { "ConstMethod", AT(const_size) },
        { "ConstantPool", AT(pool_size) },
        { "ConstantPoolCache", AT(cache_size) },
        { "ConstantPoolCacheEntry", AT(entry_size) },
        { "ResolvedMethodEntry", AT(resolved_size) },
    };
    struct filling *f = arg;

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (strcmp(type, wanted[i].type) != 0)
            continue;
        f->makes_no_sense = f->makes_no_sense || size == 0 || size >= OFFSET_MAX;
        *member(f->layout, wanted[i].to) = (uint16_t)size;
    }
}

/* Do all fields from one member to another begin within an object of that size? */
static bool are_within(const struct hotspot_layout *layout, size_t from, size_t to, uint16_t size)
{
    uint16_t value;

    for (size_t at = from; at <= to; at += sizeof(value)) {
        memcpy(&value, (const char *)layout + at, sizeof(value));
        if (value != HOTSPOT_NO_FIELD && value >= size)
            return false;
    }
    return true;
}

/* Of what the kernel side reads of a CodeBlob, it reads no more than the beginning. */
static bool can_be_walked(const struct hotspot_layout *l)
{
    const uint16_t walked[] = { l->blob_name,           l->blob_size,
                                l->blob_frame_size,     l->blob_frame_complete,
                                l->blob_code_begin,     l->blob_code_offset,
                                l->nmethod_compile_id,  l->nmethod_orig_pc_offset,
                                l->nmethod_deopt_begin, l->nmethod_deopt_offset,
                                l->nmethod_deopt_mh };

    for (size_t i = 0; i < sizeof(walked) / sizeof(walked[0]); i++) {
        if (walked[i] != HOTSPOT_NO_FIELD && walked[i] > HOTSPOT_HEADER_SIZE - sizeof(uint64_t))
            return false;
    }
    return true;
}

static bool makes_sense(const struct hotspot_layout *l)
{
    enum { PC_DESC_MAX = 64, WORD = 8 };

    return can_be_walked(l) && l->pc_desc_pc + sizeof(uint32_t) <= l->pc_desc_size &&
           l->pc_desc_scope + sizeof(uint32_t) <= l->pc_desc_size &&
           l->pc_desc_size <= PC_DESC_MAX && l->nmethod_size <= HOTSPOT_NMETHOD_MAX - WORD &&
           l->const_size <= HOTSPOT_CONST_MAX - WORD &&
           are_within(l, AT(blob_name), AT(nmethod_immutable), l->nmethod_size) &&
           are_within(l, AT(const_constants), AT(const_signature), l->const_size);
}

static const char *check_fields(const struct hotspot_layout *layout)
{
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (!is_there(layout, needed[i]))
            return no_field;
    }
    for (size_t i = 0; i < sizeof(needed_one_of) / sizeof(needed_one_of[0]); i++) {
        if (!is_there(layout, needed_one_of[i][0]) && !is_there(layout, needed_one_of[i][1]))
            return no_field;
    }
    if (layout->heaps && (!is_there(layout, AT(array_len)) || !is_there(layout, AT(array_data))))
        return no_field;
    return makes_sense(layout) ? NULL : no_sense;
}

/* "17.0.15+6-Debian-1deb12u1"; of JDK 8, whose machine had numbers of its own, "25.412-b08". */
static void read_version(pid_t pid, const struct wanted_variable *variables,
                         struct hotspot_layout *layout)
{
    char release[32] = "";
    uint64_t at = 0;
    int32_t major = 0;

    if (variables[MAJOR].addr)
        (void)target_memory_read(pid, variables[MAJOR].addr, &major, sizeof(major));
    if (variables[RELEASE].addr && target_memory_u64(pid, variables[RELEASE].addr, &at))
        (void)target_memory_read(pid, at, release, sizeof(release) - 1);
    release[strspn(release, "0123456789.+")] = '\0';
    layout->major = variables[HEAPS].addr ? major : 8;

    const char *update = strchr(release, '.');

    if (layout->major == 8)
        (void)snprintf(layout->version, sizeof(layout->version), "java 8%s%s", update ? "u" : "",
                       update ? update + 1 : "");
    else if (*release)
        (void)snprintf(layout->version, sizeof(layout->version), "java %s", release);
    else
        (void)snprintf(layout->version, sizeof(layout->version), "java %d", layout->major);
}

static void clear_fields(struct hotspot_layout *layout)
{
    *layout = (struct hotspot_layout){ 0 };
    for (size_t at = AT(array_len); at <= AT(symbol_body); at += sizeof(uint16_t))
        *member(layout, at) = HOTSPOT_NO_FIELD;
}

const char *hotspot_layout_read(pid_t pid, const struct hotspot_image *image, uint64_t bias,
                                struct hotspot_layout *ret_layout)
{
    struct wanted_variable variables[VARIABLES] = {
        [HEAP] = { "CodeCache", "_heap", 0 },
        [HEAPS] = { "CodeCache", "_heaps", 0 },
        [CALL_STUB_RETURN] = { "StubRoutines", "_call_stub_return_address", 0 },
        [RELEASE] = { "Abstract_VM_Version", "_s_vm_release", 0 },
        [MAJOR] = { "Abstract_VM_Version", "_vm_major_version", 0 },
    };
    struct filling filling = { .layout = ret_layout, .variables = variables };
    uint64_t stride = 0;

    clear_fields(ret_layout);
    (void)snprintf(ret_layout->version, sizeof(ret_layout->version), "java");
    /* Its initialisers fill these in when it is loaded. */
    if (target_memory_u64(pid, bias + image->structs.stride, &stride) && stride == 0)
        return hotspot_not_yet;
    if (!hotspot_tables_fields(pid, image, bias, take_field, &filling) ||
        !hotspot_tables_types(pid, image, bias, take_size, &filling))
        return no_tables;
    ret_layout->heap = variables[HEAP].addr;
    ret_layout->heaps = variables[HEAPS].addr;
    read_version(pid, variables, ret_layout);
    if (filling.makes_no_sense)
        return no_sense;
    if (!is_there(ret_layout, AT(method_const)) || (!ret_layout->heap && !ret_layout->heaps) ||
        ret_layout->major < HOTSPOT_MAJOR_MIN)
        return too_old;
    if (!variables[CALL_STUB_RETURN].addr)
        return no_field;
    ret_layout->call_stub_return = variables[CALL_STUB_RETURN].addr;
    return check_fields(ret_layout);
}

static bool read_heap(pid_t pid, const struct hotspot_layout *l, uint64_t heap,
                      struct hotspot_code_heap *ret, uint32_t *ret_segment_shift)
{
    enum { SHIFT_MIN = 3, SHIFT_MAX = 16, SIZE_MAX_SHIFT = 40 };
    uint64_t memory = heap + l->heap_memory, segmap = heap + l->heap_segmap;
    uint64_t low = 0, high = 0, map = 0;
    uint32_t shift = 0;

    if (!target_memory_u64(pid, memory + l->space_low_boundary, &low) ||
        !target_memory_u64(pid, memory + l->space_high_boundary, &high) ||
        !target_memory_u64(pid, segmap + l->space_low, &map) ||
        !target_memory_read(pid, heap + l->heap_log2_segment_size, &shift, sizeof(shift)) ||
        low == 0 || low >= high || (high - low) >> SIZE_MAX_SHIFT != 0 || map == 0 ||
        shift < SHIFT_MIN || shift > SHIFT_MAX)
        return false;
    *ret = (struct hotspot_code_heap){ .low = low, .high = high, .segmap = map };
    *ret_segment_shift = shift;
    return true;
}

/* The CodeHeaps themselves; 0: none that can be read. */
static uint32_t list_heaps(pid_t pid, const struct hotspot_layout *l,
                           uint64_t ret[HOTSPOT_CODE_HEAPS_MAX])
{
    uint64_t array = 0, data = 0;
    uint32_t n = 0;

    if (!l->heaps)
        return target_memory_u64(pid, l->heap, &ret[0]) ? 1 : 0;
    if (!target_memory_u64(pid, l->heaps, &array) || array == 0 ||
        !target_memory_read(pid, array + l->array_len, &n, sizeof(n)) ||
        n > HOTSPOT_CODE_HEAPS_MAX || !target_memory_u64(pid, array + l->array_data, &data) ||
        !target_memory_read(pid, data, ret, n * sizeof(*ret)))
        return 0;
    return n;
}

size_t hotspot_heaps_read(pid_t pid, const struct hotspot_layout *layout,
                          struct hotspot_code_heap ret_heaps[HOTSPOT_CODE_HEAPS_MAX],
                          uint32_t *ret_segment_shift)
{
    uint64_t heaps[HOTSPOT_CODE_HEAPS_MAX] = { 0 };
    uint32_t n = list_heaps(pid, layout, heaps);
    size_t n_read = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (heaps[i] && read_heap(pid, layout, heaps[i], &ret_heaps[n_read], ret_segment_shift))
            n_read++;
    }
    return n_read;
}
