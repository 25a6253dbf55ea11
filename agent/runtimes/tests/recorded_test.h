/* SPDX-License-Identifier: Apache-2.0 */
/* recorded_test: replays what record_stacks.h and a language wrote, and compares what is said of
 * the stacks now. */
#pragma once

#include "agent/runtimes/target_memory.h"
#include "agent/runtimes/tests/recorded_memory.h"
#include "agent/runtimes/tests/recorded_process.h"
#include "lib/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <glob.h>

enum { RECORDED_PID = 1 };

struct recorded_test {
    struct recorded_process process;
    size_t n_said; /* of the process's calls */
    size_t n_stacks;
};

/* A line that is the language's own. */
typedef void (*recorded_test_fn)(struct recorded_test *test, const char *line);

static struct recorded_memory recorded_test_memory;

bool target_memory_read(pid_t pid, uint64_t addr, void *to, size_t size)
{
    assert_int_equal(pid, RECORDED_PID);
    return recorded_memory_read(&recorded_test_memory, addr, to, size);
}

static inline void recorded_test_meet(struct recorded_test *t, enum runtime_id runtime,
                                      const void *image)
{
    assert_null(recorded_process_meet(&t->process, runtime, RECORDED_PID, image, 0));
}

/* Another stack; the one before has no more calls. */
static inline void recorded_test_begin(struct recorded_test *t)
{
    assert_int_equal(t->n_said, t->process.n_calls);
    recorded_process_clear(&t->process);
    t->n_said = 0;
    t->n_stacks++;
}

static inline void recorded_test_call(struct recorded_test *t, const char *call)
{
    assert_true(t->n_said < t->process.n_calls);
    assert_string_equal(t->process.calls[t->n_said++], call);
}

static inline size_t recorded_test_replay(const char *path, recorded_test_fn take_line)
{
    _cleanup_free_ char *line = mem_alloc(RECORDED_LINE_MAX);
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    struct recorded_test t = { 0 };

    assert_non_null(f);
    print_message("%s\n", path);
    while (fgets(line, RECORDED_LINE_MAX, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "call ", 5) == 0)
            recorded_test_call(&t, line + 5);
        else if (line[0] != '#' && !recorded_memory_take(&recorded_test_memory, line))
            take_line(&t, line);
    }
    assert_int_equal(t.n_said, t.process.n_calls);
    recorded_process_release(&t.process);
    recorded_memory_release(&recorded_test_memory);
    return t.n_stacks;
}

static inline void recorded_test_files(const char *pattern, recorded_test_fn take_line,
                                       size_t n_files_min, size_t n_stacks_min)
{
    glob_t files;

    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    assert_true(files.gl_pathc >= n_files_min);
    for (size_t i = 0; i < files.gl_pathc; i++)
        assert_true(recorded_test_replay(files.gl_pathv[i], take_line) >= n_stacks_min);
    globfree(&files);
}
