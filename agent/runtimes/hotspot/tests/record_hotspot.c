/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_hotspot PID LIBJVM START: reads places of compiled code from stdin, as HotspotScopes
 * writes them, looks them up in the running virtual machine, whose LIBJVM is mapped at START, and
 * writes what hotspot_golden.h says of those on which the two agree.
 */
#include "agent/runtimes/hotspot/hotspot_layout.h"
#include "agent/runtimes/hotspot/hotspot_method.h"
#include "agent/runtimes/hotspot/hotspot_scopes.h"
#include "agent/runtimes/target_memory.h"
#include "agent/runtimes/hotspot/tests/hotspot_golden.h"
#include "agent/runtimes/tests/recorder.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <fcntl.h>

enum { BYTES_MAX = 14 * 1024 };

static bool is_recording;
static struct hotspot_loops loops;

/* In the place of the agent's own. */
bool target_memory_read(pid_t pid, uint64_t addr, void *to, size_t size)
{
    return is_recording ? recorder_read(pid, addr, to, size) : recorder_peek(pid, addr, to, size);
}

static char *text_at(pid_t pid, uint64_t addr, char text[GOLDEN_NAME_MAX])
{
    size_t size = GOLDEN_NAME_MAX - 1;

    memset(text, 0, GOLDEN_NAME_MAX);
    while (size > 0 && !target_memory_read(pid, addr, text, size))
        size /= 2;
    for (char *c = text; *c; c++)
        *c = *c == ' ' ? '~' : *c;
    return text;
}

static bool is_of_use(const char *type)
{
    static const char *const types[] = {
        "Abstract_VM_Version",
        "CodeBlob",
        "CodeCache",
        "CodeHeap",
        "CompiledMethod",
        "ConstMethod",
        "ConstantPool",
        "GenericGrowableArray",
        "GrowableArray<int>",
        "GrowableArrayBase",
        "HeapBlock",
        "HeapBlock::Header",
        "Klass",
        "Method",
        "PcDesc",
        "StubRoutines",
        "Symbol",
        "VirtualSpace",
        "nmethod",
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(type, types[i]) == 0)
            return true;
    }
    return false;
}

static uint64_t u64(pid_t pid, uint64_t addr)
{
    uint64_t value = 0;

    (void)target_memory_u64(pid, addr, &value);
    return value;
}

/* A variable of the machine, and the text that one of them points to. */
static void keep_static(pid_t pid, const char *field, uint64_t addr)
{
    enum { RELEASE_SIZE = 31 };
    unsigned char release[RELEASE_SIZE];
    uint64_t value = 0;

    (void)recorder_read(pid, addr, &value, sizeof(value));
    if (strcmp(field, "_s_vm_release") == 0)
        (void)recorder_read(pid, value, release, sizeof(release));
}

static void write_tables(pid_t pid, const struct hotspot_image *image, uint64_t bias)
{
    char type[GOLDEN_NAME_MAX], field[GOLDEN_NAME_MAX], text[GOLDEN_NAME_MAX];
    uint64_t at = u64(pid, bias + image->structs.table);
    uint64_t stride = u64(pid, bias + image->structs.stride);
    uint64_t name;

#define COLUMN(which, column) u64(pid, at + u64(pid, bias + image->which.column))
    for (; (name = COLUMN(structs, type)); at += stride) {
        if (!is_of_use(text_at(pid, name, type)))
            continue;
        text_at(pid, COLUMN(structs, field), field);
        if ((uint32_t)COLUMN(structs, is_static) == 0)
            printf("field %s %s %s %" PRIu64 "\n", type, field,
                   COLUMN(structs, text) ? text_at(pid, COLUMN(structs, text), text) : "-",
                   COLUMN(structs, off));
        else if (strcmp(type, "StubRoutines") != 0 || strstr(field, "_call_stub")) {
            printf("static %s %s %" PRIx64 "\n", type, field, COLUMN(structs, addr));
            keep_static(pid, field, COLUMN(structs, addr));
        }
    }
    at = u64(pid, bias + image->types.table);
    stride = u64(pid, bias + image->types.stride);
    for (; (name = COLUMN(types, name)); at += stride) {
        if (is_of_use(text_at(pid, name, type)))
            printf("type %s %" PRIu64 "\n", type, COLUMN(types, size));
    }
}

/* " package.Class.method@bci:line" is what we have, and written. */
static bool agrees(pid_t pid, const struct hotspot_layout *layout,
                   const struct hotspot_scope *scope, const char *theirs, char **ret_line)
{
    struct hotspot_method m = { 0 };
    char name[GOLDEN_NAME_MAX];
    unsigned bci, line;
    bool same;

    if (sscanf(theirs, "%511[^@]@%u:%u", name, &bci, &line) != 3 || !strrchr(name, '.') ||
        !hotspot_method_read(pid, layout, scope->method, scope->check, &m))
        return false;
    char *dot = strrchr(name, '.');
    *dot = '\0';
    _cleanup_free_ char *folded = hotspot_name(name, dot + 1);
    same = strcmp(folded, m.name) == 0 && bci == scope->bci &&
           line == hotspot_method_line(&m, scope->bci);
    if (!same)
        (void)fprintf(stderr, "%s %u %u\n", m.name, scope->bci,
                      hotspot_method_line(&m, scope->bci));
    *ret_line = same ? mem_printf("scope %s %u %u", folded, bci, line) : NULL;
    hotspot_method_release(&m);
    return same;
}

/* What was agreed on, to be written behind the memory. */
static void record_place(pid_t pid, const struct hotspot_layout *layout, char *line, FILE *out)
{
    char *lines[HOTSPOT_SCOPES_MAX] = { 0 };
    struct hotspot_scopes s;
    uint64_t nmethod;
    uint32_t pc, id;
    size_t n = 0, before = recorder_memory.n;
    char *theirs = strchr(line, ' '), *rest = NULL;

    if (sscanf(line, "%" SCNx64 "@%u:", &nmethod, &pc) != 2 || !theirs ||
        !target_memory_read(pid, nmethod + layout->nmethod_compile_id, &id, sizeof(id)) ||
        !hotspot_scopes_read(pid, layout, &loops, nmethod, id, pc, &s))
        return;
    for (char *one = strtok_r(theirs, " \n", &rest); one && n < s.n;
         one = strtok_r(NULL, " \n", &rest)) {
        if (!agrees(pid, layout, &s.scopes[n], one, &lines[n]))
            break;
        n++;
    }
    if (n == s.n && !strtok_r(NULL, " \n", &rest)) {
        (void)fprintf(out, "place %" PRIx64 " %u %u %u\n", nmethod, id, pc, s.level);
        for (size_t i = 0; i < n; i++)
            (void)fprintf(out, "%s\n", lines[i]);
    } else {
        (void)fprintf(stderr, "not agreed: %s", line);
        recorded_memory_cut(&recorder_memory, before);
    }
    for (size_t i = 0; i < n; i++)
        free(lines[i]);
}

/* The variables that a layout depends on, and the heaps. */
static void record_machine(pid_t pid, const struct hotspot_layout *layout, FILE *out)
{
    struct hotspot_code_heap heaps[HOTSPOT_CODE_HEAPS_MAX];
    uint32_t shift = 0;
    size_t n = hotspot_heaps_read(pid, layout, heaps, &shift);

    (void)fprintf(out, "version %s\n", layout->version);
    for (size_t i = 0; i < n; i++)
        (void)fprintf(out, "heap %llx %llx %llx\n", heaps[i].low, heaps[i].high, heaps[i].segmap);
}

int main(int argc, char **argv)
{
    _cleanup_free_ char *line = mem_alloc(RECORDED_LINE_MAX), *expected = NULL;
    struct elf_image elf = { 0 };
    struct hotspot_image image;
    struct hotspot_layout layout;
    struct err e = { 0 };
    size_t size = 0;

    if (argc != 4)
        return 2;

    pid_t pid = (pid_t)strtol(argv[1], NULL, 10);
    uint64_t bias = strtoull(argv[3], NULL, 16);
    _cleanup_close_ int fd = open(argv[2], O_RDONLY | O_CLOEXEC);
    _cleanup_fclose_ FILE *out = open_memstream(&expected, &size);

    if (fd < 0 || !out || elf_image_read(fd, &elf, &e) < 0 ||
        !hotspot_image_read(fd, &elf, &image) || hotspot_layout_read(pid, &image, bias, &layout))
        return 1;
    elf_image_release(&elf);
    write_tables(pid, &image, bias);
    is_recording = true;
    record_machine(pid, &layout, out);
    while (recorder_memory.n_bytes < BYTES_MAX && fgets(line, RECORDED_LINE_MAX, stdin))
        record_place(pid, &layout, line, out);
    recorded_memory_write(&recorder_memory);
    recorded_memory_release(&recorder_memory);
    (void)fflush(out);
    (void)fputs(expected, stdout);
    return 0;
}
