/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_stacks: the main program of a tool that records stacks of a live process, which says
 * itself what they are. On stdin, a line each:
 *
 *   process PID
 *   stack TID                another thread, or the same again
 *   call NAME (FILE:LINE)    what it runs, leaf first, as the agent should show it
 *   go                       it runs this now
 *
 * After the first and the last of these it waits until there is a byte on descriptor 3.
 *
 * What is said of a stack is written behind the memory that the agent reads to say the same. On
 * another answer the tool fails, and says what that was.
 */
#pragma once

#include "agent/code.h"
#include "agent/runtimes/runtime_images.h"
#include "agent/runtimes/target_memory.h"
#include "agent/runtimes/tests/recorded_process.h"
#include "agent/runtimes/tests/recorder.h"
#include "lib/cleanup.h"

enum { GO_FD = 3 };

/* Of one language. */
struct record_language {
    enum runtime_id runtime;
    void (*write_image)(const void *image, uint64_t bias);
    /* Stops the thread, adds what it runs, and writes all that a replay needs, behind the memory;
     * false: it was not where it can be walked. */
    bool (*record)(struct recorded_process *process, pid_t thread);
};

struct record_claims {
    char *calls[RECORDED_CALLS_MAX]; /* owned */
    size_t n;
};

/* In the place of the agent's own. */
bool target_memory_read(pid_t pid, uint64_t addr, void *to, size_t size)
{
    return recorder_read(pid, addr, to, size);
}

/* Where the language is, and as what it is met there. */
static inline const char *record_meet(struct recorded_process *process,
                                      const struct record_language *language, pid_t pid)
{
    struct images *images = images_new();
    struct runtime_images *known = runtime_images_new(images);
    struct code_list code = { 0 };
    const char *why = "no such language";
    uint64_t bias;

    (void)code_read(pid, images, &code);
    for (size_t i = 0; i < code.n; i++) {
        const struct code *c = &code.items[i];
        const void *image =
            c->image == IMAGE_NONE ? NULL : runtime_images_look(known, c->image, language->runtime);

        if (!image || !runtime_images_bias(known, c, &bias))
            continue;
        why = recorded_process_meet(process, language->runtime, pid, image, bias);
        recorded_memory_write(&recorder_memory);
        language->write_image(image, bias);
        break;
    }
    code_list_release(&code);
    runtime_images_free(known);
    images_free(images);
    return why;
}

static inline bool record_agrees(const struct recorded_process *process,
                                 const struct record_claims *claims)
{
    size_t n = process->n_calls > claims->n ? process->n_calls : claims->n, n_same = 0;

    for (size_t i = 0; i < n; i++) {
        const char *ours = i < process->n_calls ? process->calls[i] : "nothing";
        const char *theirs = i < claims->n ? claims->calls[i] : "nothing";

        if (strcmp(ours, theirs) == 0)
            n_same++;
        else
            (void)fprintf(stderr, "%zu: \"%s\", not \"%s\"\n", i, ours, theirs);
    }
    return n > 0 && n_same == n;
}

static inline void record_forget(struct record_claims *claims)
{
    while (claims->n > 0)
        free(claims->calls[--claims->n]);
}

static inline bool record_one(const struct record_language *language,
                              struct recorded_process *process, pid_t thread,
                              const struct record_claims *claims)
{
    recorded_process_clear(process);
    if (!language->record(process, thread)) {
        (void)fprintf(stderr, "thread %d was never where it can be walked\n", thread);
        return false;
    }
    for (size_t i = 0; i < claims->n; i++)
        printf("call %s\n", claims->calls[i]);
    return record_agrees(process, claims);
}

static inline int record_main(const struct record_language *language)
{
    _cleanup_free_ char *line = mem_alloc(RECORDED_LINE_MAX);
    struct recorded_process process = { 0 };
    struct record_claims claims = { 0 };
    const char *why = "nothing was said";
    bool agrees = true;
    pid_t thread = 0;

    while (fgets(line, RECORDED_LINE_MAX, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "process ", 8) == 0)
            why = record_meet(&process, language, (pid_t)strtol(line + 8, NULL, 10));
        else if (strncmp(line, "stack ", 6) == 0) {
            thread = (pid_t)strtol(line + 6, NULL, 10);
            record_forget(&claims);
        } else if (strncmp(line, "call ", 5) == 0 && claims.n < RECORDED_CALLS_MAX)
            claims.calls[claims.n++] = mem_strdup(line + 5);
        else if (strcmp(line, "go") == 0 && !why)
            agrees = record_one(language, &process, thread, &claims) && agrees;
        if ((strncmp(line, "process ", 8) == 0 || strcmp(line, "go") == 0) &&
            write(GO_FD, "", 1) != 1)
            why = "nobody waits";
    }
    if (why)
        (void)fprintf(stderr, "%s\n", why);
    record_forget(&claims);
    recorded_process_release(&process);
    recorded_memory_release(&recorder_memory);
    return why || !agrees;
}
