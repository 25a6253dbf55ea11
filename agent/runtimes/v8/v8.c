/* SPDX-License-Identifier: Apache-2.0 */
/* v8: Node.js and other programs with V8. A function is shown with the line that it runs; where
 * that is not known, with the one where it begins. */
#include "agent/bpf/v8_table.h"
#include "agent/hash.h"
#include "agent/runtimes/runtime.h"
#include "agent/runtimes/v8/v8_codes.h"
#include "agent/runtimes/v8/v8_function.h"
#include "agent/runtimes/v8/v8_image.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* KEPT_MAX: bytes of lines of scripts and of tables of code, of all processes. */
enum { SCRIPTS_MAX = 1024, KEPT_MAX = 16 << 20 };

/* Of a call's @at: it is a place in the script, and not in the bytecode. */
enum { AT_PLACE = 1u << 31 };

struct script {
    uint64_t source;
    struct v8_lines lines;
    UT_hash_handle hh;
};

struct v8_process {
    struct v8_image image;
    struct script *scripts; /* owned; by source */
    struct v8_codes codes;
    size_t script_bytes, kept; /* kept: its share of what all keep */
};

static size_t kept_by_all;

struct v8_named {
    struct v8_function function;
    struct v8_lines lines; /* its own */
    bool has_lines;
};

static bool read_image(int fd, const struct elf_image *elf, void *ret_image)
{
    return v8_image_read(fd, elf, ret_image);
}

static void version(const void *data, const void *process, char *text, size_t size)
{
    const struct v8_image *image = data;

    (void)process;
    (void)snprintf(text, size, "v8 %d.%d", image->major, image->minor);
}

static const char *meet(pid_t pid, const struct process_image *run, const void *image,
                        uint64_t bias, void *ret_process, void *ret_space)
{
    struct v8_process *process = ret_process;

    (void)pid;
    (void)bias;
    process->image = *(const struct v8_image *)image;
    if (!process->image.is_known)
        return "not supported, native frames only";
    *(struct v8_space *)ret_space = (struct v8_space){
        .image = *run,
        .layout = process->image.walk,
    };
    return NULL;
}

static void release_process(void *data)
{
    struct v8_process *process = data;
    struct script *script, *next;

    v8_codes_release(&process->codes);
    HASH_ITER (hh, process->scripts, script, next) {
        HASH_DEL(process->scripts, script);
        free(script->lines.ends);
        free(script);
    }
    kept_by_all -= process->kept;
    process->script_bytes = process->kept = 0;
}

/* All that is kept can be read once more: where it is too much, that of this process goes. */
static void keep(struct v8_process *process)
{
    size_t bytes = process->script_bytes + process->codes.bytes +
                   process->codes.n * sizeof(*process->codes.codes);

    kept_by_all += bytes - process->kept;
    process->kept = bytes;
    if (kept_by_all > KEPT_MAX)
        release_process(process);
}

/* NULL: its text cannot be read. */
static const struct v8_lines *lines_of(pid_t pid, struct v8_process *process, uint64_t source)
{
    struct v8_lines lines = { 0 };
    struct script *script;

    HASH_FIND(hh, process->scripts, &source, sizeof(source), script);
    if (script)
        return &script->lines;
    if (HASH_COUNT(process->scripts) >= SCRIPTS_MAX ||
        !v8_lines_read(pid, &process->image, source, &lines))
        return NULL;
    process->script_bytes += lines.n * sizeof(*lines.ends);
    script = mem_zalloc(sizeof(*script));
    script->source = source;
    script->lines = lines;
    HASH_ADD(hh, process->scripts, source, sizeof(source), script);
    return &script->lines;
}

static bool read_function(pid_t pid, void *data, uint64_t object, uint32_t check,
                          void *ret_function)
{
    struct v8_process *process = data;
    struct v8_named *named = ret_function;
    struct v8_function *f = &named->function;

    if (!v8_function_read(pid, &process->image, object, check, f))
        return false;

    const struct v8_lines *lines =
        f->start < 0 || f->source == 0 ? NULL : lines_of(pid, process, f->source);

    named->has_lines = lines && f->end >= f->start;
    if (named->has_lines)
        v8_lines_cut(lines, f->start, f->end, &named->lines);
    keep(process);
    return true;
}

static uint32_t at_place(int32_t place)
{
    return place < 0 ? (uint32_t)RUNTIME_AT_UNKNOWN : AT_PLACE | (uint32_t)place;
}

/* What this code runs at @pc. */
static size_t calls_of(const struct v8_process *process, const struct v8_code *code,
                       const struct runtime_frame *frame, uint64_t pc,
                       struct runtime_call ret_calls[RUNTIME_CALLS_MAX])
{
    uint64_t shared = runtime_frame_object(frame);
    struct v8_code_call found[RUNTIME_CALLS_MAX];
    uint32_t at = RUNTIME_AT_UNKNOWN;
    size_t n;

    if (code->is_baseline) {
        (void)v8_baseline_find(&process->image.bytecode_sizes, code->positions, code->n_positions,
                               code->bytecode, code->n_bytecode, (uint32_t)(pc - code->start), &at);
        ret_calls[0] = (struct runtime_call){ shared, frame->check, at, RUNTIME_WAY_FUNCTION };
        return 1;
    }
    n = v8_code_calls(code, pc, found, RUNTIME_CALLS_MAX);
    for (size_t i = 0; i < n; i++)
        ret_calls[i] = (struct runtime_call){ found[i].shared,
                                              found[i].is_inlined ? found[i].check : frame->check,
                                              at_place(found[i].place),
                                              found[i].is_inlined ? RUNTIME_WAY_INLINED
                                                                  : RUNTIME_WAY_FUNCTION };
    return n;
}

static size_t calls(pid_t pid, void *data, const struct runtime_frame *frame, uint64_t pc,
                    struct runtime_call ret_calls[RUNTIME_CALLS_MAX])
{
    struct v8_process *process = data;
    const struct v8_code *code =
        pc ? v8_codes_find(&process->codes, pid, &process->image, pc, runtime_frame_object(frame))
           : NULL;
    size_t n = code ? calls_of(process, code, frame, pc, ret_calls) : 0;

    keep(process);
    return n;
}

static void release_function(void *function)
{
    struct v8_named *named = function;

    v8_function_release(&named->function);
    free(named->lines.ends);
}

static size_t function_bytes(const void *data)
{
    const struct v8_named *named = data;
    const struct v8_function *f = &named->function;

    return strlen(f->name) + strlen(f->file) + f->n_positions +
           named->lines.n * sizeof(*named->lines.ends);
}

/* V8's own functions have neither name nor script; the built-in code that runs them does. Of eval()
 * there is a script without a name. */
static bool is_shown(const void *data)
{
    const struct v8_function *f = &((const struct v8_named *)data)->function;

    return *f->name || *f->file || f->source != 0;
}

/* Where in the script it is; a place outside the function is none of its own. */
static int64_t place_of(const struct v8_function *f, uint32_t at)
{
    struct v8_position position = { -1, -1 };

    if (at & AT_PLACE)
        position.place = (int32_t)(at & ~(uint32_t)AT_PLACE);
    else if (at == RUNTIME_AT_UNKNOWN ||
             !v8_positions_find(f->positions, f->n_positions, at, &position))
        return f->start;
    return position.place >= f->start && position.place <= f->end ? position.place : f->start;
}

static uint32_t line(const void *function, uint32_t at)
{
    const struct v8_named *named = function;

    return named->has_lines ? (uint32_t)v8_lines_at(&named->lines, place_of(&named->function, at))
                            : 0;
}

/* "node:internal/timers" as it is; of a path what tells the file from others. */
static const char *short_file(const char *file)
{
    static const char modules[] = "/node_modules/";
    const char *at = file, *next, *base = strrchr(file, '/');

    if (strncmp(file, "node:", 5) == 0)
        return file;
    for (next = strstr(at, modules); next; next = strstr(at, modules))
        at = next + sizeof(modules) - 1;
    if (at != file)
        return at;
    return base ? base + 1 : file;
}

static char *name(const void *data, uint32_t line)
{
    const struct v8_function *f = &((const struct v8_named *)data)->function;
    const char *text = *f->name ? f->name : "(anonymous)";
    const char *file = short_file(f->file);

    if (!*file)
        return mem_strdup(text);
    if (line == 0)
        return mem_printf("%s %s", text, file);
    return mem_printf("%s %s:%u", text, file, line);
}

const struct runtime_kind runtime_v8 = {
    .image_size = sizeof(struct v8_image),
    .process_size = sizeof(struct v8_process),
    .function_size = sizeof(struct v8_named),
    .space_size = sizeof(struct v8_space),
    .jit_name = "[v8]",
    .read_image = read_image,
    .version = version,
    .meet = meet,
    .release_process = release_process,
    .read_function = read_function,
    .release_function = release_function,
    .function_bytes = function_bytes,
    .calls = calls,
    .calls_change = true,
    .is_shown = is_shown,
    .line = line,
    .name = name,
};
