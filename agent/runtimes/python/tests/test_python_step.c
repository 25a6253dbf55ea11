/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python_step: which of a thread's states is walked, over made-up memory: a list of interpreters,
 * each with a list of threads.
 */
#include "agent/runtimes/python/python_layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

enum { WORDS = 256 };

static uint64_t words[WORDS];

static bool python_read(void *to, __u32 size, __u64 addr)
{
    uint64_t base = (uint64_t)(uintptr_t)words;

    if (addr < base || addr > base + sizeof(words) - size)
        return false;
    memcpy(to, (const char *)words + (addr - base), size);
    return true;
}

#include "agent/bpf/python_step.h"

enum { ID = 77, OTHER_ID = 78, STEPS_MAX = 64, ACTIVE = 4, FREE = 0 };

/* Words of an interpreter, of a thread, of a frame. */
enum { INTERP_NEXT, INTERP_THREADS, THREAD_NEXT = 0, THREAD_ID, THREAD_FRAME, THREAD_STATUS };
enum { FRAME_CODE, FRAME_BACK, CODE_NAME = 0, CODE_LINE, EACH = 4 };

static const struct python_layout layout = {
    .interp_next = INTERP_NEXT * 8,
    .interp_threads = INTERP_THREADS * 8,
    .thread_next = THREAD_NEXT * 8,
    .thread_id = THREAD_ID * 8,
    .thread_frame = THREAD_FRAME * 8,
    .thread_status = THREAD_STATUS * 8,
    .cframe_frame = PYTHON_NO_FIELD,
    .frame_code = FRAME_CODE * 8,
    .frame_back = FRAME_BACK * 8,
    .frame_instr = FRAME_CODE * 8,
    .code_names = CODE_NAME * 8,
    .code_first_line = CODE_LINE * 8,
    .entry = PYTHON_ENTRY_EACH,
    .frame_size = EACH * 8,
    .code_size = EACH * 8,
};

static uint64_t at(size_t number)
{
    return (uint64_t)(uintptr_t)&words[number * EACH];
}

static uint64_t make(size_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    const uint64_t all[EACH] = { a, b, c, d };

    memcpy(&words[number * EACH], all, sizeof(all));
    return at(number);
}

/* A thread's state, the last of its list, with as many frames. */
static uint64_t make_thread(size_t number, uint64_t id, size_t n_frames, uint64_t status)
{
    uint64_t frame = 0;

    for (size_t i = 0; i < n_frames; i++)
        frame = make(number + 1 + i, at(number), frame, 0, 0);
    return make(number, 0, id, frame, status);
}

static struct python_walk search(uint64_t interp, bool is_single, uint8_t active_mask,
                                 uint64_t current)
{
    struct python_walk w = {
        .space = { .layout = layout },
        .search = { .id = ID, .interp = interp, .current = current, .is_single = is_single }
    };

    w.space.layout.active_mask = active_mask;
    for (int i = 0; i < STEPS_MAX && python_search_step(&w); i++)
        ;
    return w;
}

static void finds_the_thread_of_the_only_interpreter(void **state)
{
    uint64_t second = make_thread(8, ID, 0, FREE);
    uint64_t first = make(4, second, OTHER_ID, 0, 0);
    struct python_walk w = search(make(1, 0, first, 0, 0), true, ACTIVE, 0);

    (void)state;
    assert_int_equal(w.search.found, second);
    assert_int_equal(w.search.other, 0);
}

static const struct {
    const char *what;
    size_t frames_new, frames_old;
    uint64_t status_new, status_old;
    bool is_new_found, has_other;
} cases[] = {
    { "the new one runs, called by the old one", 2, 3, ACTIVE, FREE, true, true },
    { "the old one runs, called by the new one", 2, 3, FREE, ACTIVE, false, true },
    { "the old one runs, the new one has no frames", 0, 3, FREE, ACTIVE, false, false },
    { "the new one runs without a caller", 2, 0, ACTIVE, FREE, true, false },
    { "neither runs: the new one is taken", 2, 3, FREE, FREE, true, true },
    { "neither runs, the old one has frames", 0, 3, FREE, FREE, false, false },
};

static void finds_the_state_that_the_thread_runs_with(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int by_status = 0; by_status < 2; by_status++) {
            uint64_t newer = make_thread(8, ID, cases[i].frames_new, cases[i].status_new);
            uint64_t older = make_thread(16, ID, cases[i].frames_old, cases[i].status_old);
            uint64_t current = cases[i].status_new ? newer : cases[i].status_old ? older : 0;
            uint64_t interp = make(1, make(2, 0, older, 0, 0), newer, 0, 0);
            struct python_walk w = search(interp, false, by_status ? ACTIVE : 0, current);
            uint64_t found = cases[i].is_new_found ? newer : older;
            uint64_t other = !cases[i].has_other ? 0 : cases[i].is_new_found ? older : newer;

            if (w.search.found != found || w.search.other != other)
                fail_msg("%s", cases[i].what);
        }
    }
}

static void walks_the_called_and_then_its_callers(void **state)
{
    uint64_t newer = make_thread(8, ID, 2, ACTIVE), older = make_thread(16, ID, 3, FREE);
    uint64_t interp = make(1, make(2, 0, older, 0, 0), newer, 0, 0);
    struct python_walk w = search(interp, false, ACTIVE, 0);
    struct runtime_frame frame;
    size_t n = 0;

    (void)state;
    python_begin(&w, w.search.found);
    for (int i = 0; i < STEPS_MAX && w.stop == PYTHON_CONTINUE; i++) {
        if (python_step(&w, &frame))
            assert_int_equal(frame.object, n++ < 2 ? newer : older);
    }
    assert_int_equal(w.stop, PYTHON_STOP_END);
    assert_int_equal(n, 5);
}

static void ends_in_a_circle_of_frames_or_threads(void **state)
{
    uint64_t thread = make_thread(8, OTHER_ID, 0, FREE);

    (void)state;
    words[8 * EACH + THREAD_NEXT] = thread;
    assert_int_equal(search(make(1, 0, thread, 0, 0), false, ACTIVE, 0).search.found, 0);
    words[8 * EACH + THREAD_NEXT] = 16; /* cannot be read */
    assert_int_equal(search(make(1, at(1), thread, 0, 0), false, ACTIVE, 0).search.found, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_thread_of_the_only_interpreter),
        cmocka_unit_test(finds_the_state_that_the_thread_runs_with),
        cmocka_unit_test(walks_the_called_and_then_its_callers),
        cmocka_unit_test(ends_in_a_circle_of_frames_or_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
