/* SPDX-License-Identifier: Apache-2.0 */
/* python: CPython. Functions are code objects; a frame says which of their instructions runs. */
#include "agent/bpf/python_table.h"
#include "agent/runtimes/python/python_code.h"
#include "agent/runtimes/python/python_image.h"
#include "agent/runtimes/python/python_layout.h"
#include "agent/runtimes/python/python_thread.h"
#include "agent/runtimes/runtime.h"
#include "agent/runtimes/target_memory.h"
#include "lib/mem.h"

#include <stdio.h>
#include <string.h>

struct python_process {
    struct python_offsets offsets;
    uint64_t code_type; /* the runtime address of PyCode_Type */
    uint64_t interpreters;
    struct python_threads threads;
};

struct python_function {
    struct python_code code;
    uint8_t lines; /* enum python_lines */
};

static bool read_image(int fd, const struct elf_image *elf, void *ret_image)
{
    return python_image_read(fd, elf, ret_image);
}

static void version(const void *image, const void *process, char *text, size_t size)
{
    (void)process;
    (void)snprintf(text, size, "python 3.%d", ((const struct python_image *)image)->minor);
}

static bool is_loop(const void *image, uint64_t vaddr)
{
    return python_image_in_loop(image, vaddr);
}

static const char *meet(pid_t pid, const struct process_image *run, const void *data, uint64_t bias,
                        void *ret_process, void *ret_space)
{
    unsigned char debug_offsets[PYTHON_DEBUG_OFFSETS_SIZE] = { 0 };
    const struct python_image *image = data;
    struct python_process *process = ret_process;
    uint64_t runtime = bias + image->runtime;

    if (!target_memory_read(pid, runtime, debug_offsets, sizeof(debug_offsets)))
        return runtime_not_yet;

    const char *why =
        python_layout_read(image->minor, debug_offsets, sizeof(debug_offsets), &process->offsets);

    if (why)
        return why;
    process->interpreters = runtime + process->offsets.interpreters;
    process->code_type = bias + image->code_type;
    *(struct python_space *)ret_space = (struct python_space){
        .interpreters = process->interpreters,
        .current = process->offsets.current ? runtime + process->offsets.current : 0,
        .image = *run,
        .layout = process->offsets.walk,
    };
    return NULL;
}

static bool read_function(pid_t pid, void *data, uint64_t object, uint32_t check,
                          void *ret_function)
{
    const struct python_process *process = data;
    struct python_function *function = ret_function;

    function->lines = process->offsets.lines;
    return python_code_read(pid, &process->offsets, object, process->code_type, check,
                            &function->code);
}

static void release_function(void *function)
{
    python_code_release(&((struct python_function *)function)->code);
}

static size_t function_bytes(const void *data)
{
    const struct python_code *code = &((const struct python_function *)data)->code;

    return strlen(code->name) + strlen(code->file) + code->n_lines;
}

static char *thread_name(pid_t pid, void *data, uint64_t id, pid_t number)
{
    struct python_process *process = data;

    return python_thread_name(pid, &process->offsets, process->interpreters, &process->threads, id,
                              number);
}

static uint32_t line(const void *data, uint32_t at)
{
    const struct python_function *function = data;

    return (uint32_t)python_code_line(&function->code, function->lines, at);
}

/* From 3.13 on, a class that is called has a frame of this below that of its __init__. */
static bool is_shown(const void *data)
{
    const struct python_code *code = &((const struct python_function *)data)->code;

    return code->first_line != 0 || strcmp(code->name, "__init__") != 0 ||
           strcmp(code->file, "__init__") != 0;
}

/* What tells a file from others, without where the installation is. */
static const char *short_file(const char *file)
{
    static const char *const roots[] = { "/site-packages/", "/dist-packages/" };
    const char *base = strrchr(file, '/');

    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        const char *at = strstr(file, roots[i]);

        if (at)
            return at + strlen(roots[i]);
    }
    return base ? base + 1 : file;
}

static char *name(const void *data, uint32_t line)
{
    const struct python_code *code = &((const struct python_function *)data)->code;

    if (line == 0)
        return mem_printf("%s (%s)", code->name, short_file(code->file));
    return mem_printf("%s (%s:%u)", code->name, short_file(code->file), line);
}

const struct runtime_kind runtime_python = {
    .image_size = sizeof(struct python_image),
    .process_size = sizeof(struct python_process),
    .function_size = sizeof(struct python_function),
    .space_size = sizeof(struct python_space),
    .read_image = read_image,
    .version = version,
    .is_loop = is_loop,
    .meet = meet,
    .read_function = read_function,
    .release_function = release_function,
    .function_bytes = function_bytes,
    .is_shown = is_shown,
    .thread_name = thread_name,
    .line = line,
    .name = name,
};
