/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/v8/v8_image.h"

#include "agent/runtimes/v8/v8_bytecode_sizes.h"
#include "agent/symbols/elf_find.h"

#include <string.h>
#include <unistd.h>

/* The name of a constant changed between versions; one of its names is enough. */
enum wanted {
    MAJOR,
    MINOR,
    FUNCTION_TYPE,
    FIRST_FUNCTION,
    LAST_FUNCTION,
    MAP_TYPE,
    FUNCTION_SHARED,
    SHARED_NAME,
    SHARED_NAME_12,
    SHARED_NAME_13,
    SHARED_SCRIPT,
    SHARED_SCRIPT_12,
    SHARED_TYPE,
    SCRIPT_TYPE,
    SCOPE_INFO_TYPE,
    FIRST_NONSTRING,
    SCRIPT_NAME,
    SCRIPT_SOURCE,
    STRING_LENGTH,
    STRING_CHARS,
    CONS_FIRST,
    CONS_SECOND,
    THIN_ACTUAL,
    SLICED_PARENT,
    SLICED_OFFSET,
    BYTECODE_TYPE,
    BYTECODE_DATA,
    BYTECODE_WRAPPER,
    CODE_TYPE,
    BYTES_TYPE,
    BYTES_TYPE_12,
    CODE_START,
    CODE_SIZE,
    CODE_FLAGS,
    BASELINE_KIND,
    LITERALS_INDEX,
    SHARED_INDEX,
    SHARED_INDEX_13,
    INLINED_INDEX,
    BYTECODE_SIZES,
    WANTED_COUNT,
};

static const char *const names[WANTED_COUNT] = {
    [MAJOR] = "_ZN2v88internal7Version6major_E",
    [MINOR] = "_ZN2v88internal7Version6minor_E",
    [FUNCTION_TYPE] = "v8dbg_type_JSFunction__JS_FUNCTION_TYPE",
    [FIRST_FUNCTION] = "v8dbg_FirstJSFunctionType",
    [LAST_FUNCTION] = "v8dbg_LastJSFunctionType",
    [MAP_TYPE] = "v8dbg_class_Map__instance_type__uint16_t",
    [FUNCTION_SHARED] = "v8dbg_class_JSFunction__shared__SharedFunctionInfo",
    [SHARED_NAME] = "v8dbg_class_SharedFunctionInfo__name_or_scope_info__Object",
    [SHARED_NAME_12] = "v8dbg_class_SharedFunctionInfo__name_or_scope_info__Tagged_Object_",
    [SHARED_NAME_13] =
        "v8dbg_class_SharedFunctionInfo__name_or_scope_info__Tagged_NameOrScopeInfoT_",
    [SHARED_SCRIPT] = "v8dbg_class_SharedFunctionInfo__script_or_debug_info__HeapObject",
    [SHARED_SCRIPT_12] = "v8dbg_class_SharedFunctionInfo__script__Tagged_HeapObject_",
    [SHARED_TYPE] = "v8dbg_type_SharedFunctionInfo__SHARED_FUNCTION_INFO_TYPE",
    [SCRIPT_TYPE] = "v8dbg_type_Script__SCRIPT_TYPE",
    [SCOPE_INFO_TYPE] = "v8dbg_type_ScopeInfo__SCOPE_INFO_TYPE",
    [FIRST_NONSTRING] = "v8dbg_FirstNonstringType",
    [SCRIPT_NAME] = "v8dbg_class_Script__name__Object",
    [SCRIPT_SOURCE] = "v8dbg_class_Script__source__Object",
    [STRING_LENGTH] = "v8dbg_class_String__length__int32_t",
    [STRING_CHARS] = "v8dbg_class_SeqOneByteString__chars__char",
    [CONS_FIRST] = "v8dbg_class_ConsString__first__String",
    [CONS_SECOND] = "v8dbg_class_ConsString__second__String",
    [THIN_ACTUAL] = "v8dbg_class_ThinString__actual__String",
    [SLICED_PARENT] = "v8dbg_class_SlicedString__parent__String",
    [SLICED_OFFSET] = "v8dbg_class_SlicedString__offset__SMI",
    [BYTECODE_TYPE] = "v8dbg_type_BytecodeArray__BYTECODE_ARRAY_TYPE",
    [BYTECODE_DATA] = "v8dbg_class_BytecodeArray__data__uintptr_t",
    [BYTECODE_WRAPPER] = "v8dbg_class_BytecodeArray__wrapper__Tagged_BytecodeWrapper_",
    [CODE_TYPE] = "v8dbg_type_Code__CODE_TYPE",
    [BYTES_TYPE] = "v8dbg_type_ByteArray__BYTE_ARRAY_TYPE",
    [BYTES_TYPE_12] = "v8dbg_type_TrustedByteArray__TRUSTED_BYTE_ARRAY_TYPE",
    [CODE_START] = "v8dbg_class_Code__instruction_start__uintptr_t",
    [CODE_SIZE] = "v8dbg_class_Code__instruction_size__int",
    [CODE_FLAGS] = "v8dbg_class_Code__flags__uint32_t",
    [BASELINE_KIND] = "v8dbg_CodeKindBaseline",
    [LITERALS_INDEX] = "v8dbg_DeoptimizationDataLiteralArrayIndex",
    [SHARED_INDEX] = "v8dbg_DeoptimizationDataSharedFunctionInfoIndex",
    [SHARED_INDEX_13] = "v8dbg_DeoptimizationDataWrappedSharedFunctionInfoIndex",
    [INLINED_INDEX] = "v8dbg_DeoptimizationDataInliningPositionsIndex",
    [BYTECODE_SIZES] = "_ZN2v88internal11interpreter9Bytecodes14kBytecodeSizesE",
};

/* What a version does not export, and has there. */
enum { SCRIPT_SOURCE_16 = 8, SHARED_CODE = 8 };

/* Functions of other kinds (of classes, of built-in constructors) follow JS_FUNCTION_TYPE: 14 kinds
 * from V8 9.0 on, 15 from 9.6 on. */
enum { MORE_FUNCTION_TYPES = 15 };

/*
 * What no version exports, or not all, src/objects/code.h and bytecode-array.h: from version 11 on
 * the instructions are an object of their own, from 12 on tables are in trusted space and the
 * bytecode's are in another order.
 */
static const struct {
    int major;
    uint16_t bytecode_data, bytecode_positions;
    struct v8_compiled compiled;
} layouts[] = {
    { 9, 54, 32, { 16, 24, 0, 96, 40, 48, 15, 11, 2, 6, 7 } },
    { 10, 54, 32, { 16, 24, 0, 128, 40, 48, 15, 11, 2, 6, 7 } },
    { 11, 54, 32, { 16, 24, 32, 40, 56, 48, 15, 11, 2, 6, 7 } },
    { 12, 64, 24, { 8, 16, 32, 40, 52, 48, 15, 10, 2, 6, 7 } },
    { 13, 64, 24, { 8, 16, 32, 40, 56, 52, 15, 10, 3, 7, 8 } },
};

static bool read_int(int fd, const struct elf_image *elf, uint64_t vaddr, int32_t *ret_value)
{
    uint64_t off;

    *ret_value = 0;
    if (!elf_image_off(elf, vaddr, &off))
        return true; /* in .bss */
    return pread(fd, ret_value, sizeof(*ret_value), (off_t)off) == sizeof(*ret_value);
}

/* The first of two or three that is there; false: none is, or its value makes no sense. */
static bool pick(const bool *has, const int32_t *values, const enum wanted *which, size_t n,
                 uint16_t *ret)
{
    for (size_t i = 0; i < n; i++) {
        if (!has[which[i]])
            continue;
        if (values[which[i]] < 0 || values[which[i]] > UINT16_MAX)
            return false;
        *ret = (uint16_t)values[which[i]];
        return true;
    }
    return false;
}

#define PICK(to, ...)                                                                              \
    pick(has, values, (const enum wanted[]){ __VA_ARGS__ },                                        \
         sizeof((const enum wanted[]){ __VA_ARGS__ }) / sizeof(enum wanted), &(to))

/* What it takes to know the line of a place; without it functions have but their names. */
static void read_code(const bool *has, const int32_t *values, struct v8_image *v)
{
    struct v8_compiled *c = &v->compiled;

    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        if (layouts[i].major != v->major)
            continue;
        v->walk.bytecode_data = layouts[i].bytecode_data;
        v->bytecode_positions = layouts[i].bytecode_positions;
        *c = layouts[i].compiled;
    }
    (void)PICK(v->walk.bytecode_data, BYTECODE_DATA);
    if (c->stream == 0)
        (void)PICK(c->start, CODE_START);
    (void)PICK(c->size, CODE_SIZE);
    (void)PICK(c->flags, CODE_FLAGS);
    (void)PICK(c->baseline_kind, BASELINE_KIND);
    (void)PICK(c->literals, LITERALS_INDEX);
    (void)PICK(c->shared, SHARED_INDEX, SHARED_INDEX_13);
    (void)PICK(c->inlined, INLINED_INDEX);
    if (!PICK(v->walk.bytecode_type, BYTECODE_TYPE) ||
        !PICK(v->bytes_type, BYTES_TYPE_12, BYTES_TYPE) || !PICK(v->plain_bytes_type, BYTES_TYPE))
        v->walk.bytecode_data = 0;
    if (!PICK(v->code_type, CODE_TYPE))
        c->size = 0;
}

/* All that a walk needs. */
static bool read_walk(const bool *has, const int32_t *values, struct v8_image *v)
{
    if (!PICK(v->walk.first_function, FIRST_FUNCTION, FUNCTION_TYPE) ||
        !PICK(v->walk.map_type, MAP_TYPE) || !PICK(v->walk.function_shared, FUNCTION_SHARED) ||
        !PICK(v->walk.shared_name, SHARED_NAME, SHARED_NAME_12, SHARED_NAME_13) ||
        !PICK(v->walk.shared_script, SHARED_SCRIPT, SHARED_SCRIPT_12) ||
        !PICK(v->shared_type, SHARED_TYPE) || !PICK(v->script_type, SCRIPT_TYPE) ||
        !PICK(v->scope_info_type, SCOPE_INFO_TYPE) ||
        !PICK(v->first_nonstring_type, FIRST_NONSTRING) || !PICK(v->script_name, SCRIPT_NAME) ||
        !PICK(v->string_length, STRING_LENGTH) || !PICK(v->string_chars, STRING_CHARS) ||
        !PICK(v->cons_first, CONS_FIRST) || !PICK(v->cons_second, CONS_SECOND) ||
        !PICK(v->thin_actual, THIN_ACTUAL) || !PICK(v->sliced_parent, SLICED_PARENT) ||
        !PICK(v->sliced_offset, SLICED_OFFSET))
        return false;
    (void)PICK(v->script_source, SCRIPT_SOURCE);
    if (!PICK(v->walk.last_function, LAST_FUNCTION))
        v->walk.last_function = (uint16_t)(v->walk.first_function + MORE_FUNCTION_TYPES);
    return true;
}

bool v8_image_read(int fd, const struct elf_image *elf, struct v8_image *ret_image)
{
    struct elf_wanted wanted[WANTED_COUNT] = { 0 };
    struct v8_image v = { .script_source = SCRIPT_SOURCE_16, .shared_code = SHARED_CODE };
    int32_t values[WANTED_COUNT] = { 0 };
    bool has[WANTED_COUNT];

    for (size_t i = 0; i < WANTED_COUNT; i++)
        wanted[i].name = names[i];
    (void)elf_find(fd, elf, wanted, WANTED_COUNT);
    for (size_t i = 0; i < WANTED_COUNT; i++)
        has[i] = wanted[i].found && read_int(fd, elf, wanted[i].vaddr, &values[i]);
    v.major = values[MAJOR];
    v.minor = values[MINOR];
    v.is_known = read_walk(has, values, &v);
    if (!v.is_known && (!has[MAJOR] || !has[FUNCTION_TYPE]))
        return false;
    read_code(has, values, &v);
    v8_bytecode_sizes_read(fd, elf, &wanted[BYTECODE_SIZES], &v.bytecode_sizes);
    *ret_image = v;
    return true;
}
