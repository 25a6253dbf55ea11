/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime: what an interpreted language has to offer so that its functions get into a profile.
 *
 * One file a language implements it, on top of its part of the kernel side; runtimes.c has the
 * table of them, keeps what they find, and is all that the rest of the agent knows of.
 */
#pragma once

#include "agent/bpf/process_image.h"
#include "agent/bpf/runtime_frame.h"
#include "agent/symbols/elf_image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* How a function runs. */
enum runtime_way {
    RUNTIME_WAY_FUNCTION, /* interpreted, or not known */
    RUNTIME_WAY_INLINED,
    RUNTIME_WAY_BASELINE,  /* compiled, quickly */
    RUNTIME_WAY_OPTIMISED, /* compiled, slowly */
    RUNTIME_WAY_NATIVE,    /* it is no code of the language */
};

/* A reason not to walk a process: the language begins to run there, it is worth another try. */
extern const char runtime_not_yet[];

enum { RUNTIME_CALLS_MAX = 32 }; /* functions that one frame runs; the innermost ones are kept */

/* One of the functions that a frame runs: that which it was made for, or one that the compiler
 * inlined there. */
struct runtime_call {
    uint64_t object; /* as in a runtime_frame, without the runtime */
    uint32_t check;
    uint32_t at; /* for line() */
    enum runtime_way way;
};

struct runtime_kind {
    /* Sizes of what is kept: of an image with the language in it, of a process that runs it, of a
     * function; and of what the kernel side is told of a process. */
    size_t image_size, process_size, function_size, space_size;

    /* False: the language is not in it. Reads the file behind @fd, a bounded part of it. */
    bool (*read_image)(int fd, const struct elf_image *elf, void *ret_image);

    /* What code is called that it makes at run time and that no function is known of: "[v8]"; NULL:
     * it makes none. */
    const char *jit_name;

    /* "python 3.11"; after meet(). */
    void (*version)(const void *image, const void *process, char *text, size_t size);

    /* Does this part of the image run code of the language? NULL: the kernel side always knows
     * which native frames do. */
    bool (*is_loop)(const void *image, uint64_t vaddr);

    /* A process that runs it, and as what the kernel knows it; @bias: what makes a vaddr of the
     * image a runtime address. Fills *ret_process and *ret_space, both zeroed before, or as they
     * were left when it was not to be walked yet. NULL, or why it cannot be walked. */
    const char *(*meet)(pid_t pid, const struct process_image *run, const void *image,
                        uint64_t bias, void *ret_process, void *ret_space);
    void (*release_process)(void *process); /* or NULL */

    /* @object, @check: of a runtime_frame. False: it is not there (any more). */
    bool (*read_function)(pid_t pid, void *process, uint64_t object, uint32_t check,
                          void *ret_function);
    void (*release_function)(void *function);
    size_t (*function_bytes)(const void *function); /* that it keeps beyond its size */

    /* Which functions a frame runs, innermost first; 0: the one that it names, and no other. @pc:
     * where its native frame is, in code that was made at run time, within the instruction that it
     * runs or the call that it waits for; 0: elsewhere, or not known, or calls_change is false.
     * NULL: always 0. */
    size_t (*calls)(pid_t pid, void *process, const struct runtime_frame *frame, uint64_t pc,
                    struct runtime_call ret_calls[RUNTIME_CALLS_MAX]);
    bool calls_change; /* it depends on the pc, and the same frame may run others later */

    /* False: the native frame that runs it says more. NULL: never. */
    bool (*is_shown)(const void *function);

    /* What a thread is called that the kernel has no name of its own for, or only the beginning of
     * one; NULL: not known (yet). @id: its thread pointer; @number: in its own PID namespace. Owned
     * by the caller. NULL: the kernel always knows. */
    char *(*thread_name)(pid_t pid, void *process, uint64_t id, pid_t number);

    /* The line of a place in it; 0: not known. */
    uint32_t (*line)(const void *function, uint32_t at);
    char *(*name)(const void *function, uint32_t line); /* owned by the caller */
};

extern const struct runtime_kind *const runtime_kinds[RUNTIME_COUNT]; /* the table */
extern const struct runtime_kind runtime_python, runtime_v8, runtime_hotspot;
