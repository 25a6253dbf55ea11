/* SPDX-License-Identifier: Apache-2.0 */
/* unwind_copy: this thread's own stack, walked from a copy, against what backtrace() finds. */
#include "agent/unwind/unwind_copy.h"

#include "agent/images.h"
#include "agent/process.h"
#include "agent/unwind/tests/deep_look.h"
#include "agent/unwind/tests/own_stack.h"

#include <execinfo.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { FRAMES_MAX = 64 };

/* Written within a signal. */
static struct own_stack own;
static void *own_frames[FRAMES_MAX];
static volatile int n_own_frames;

__attribute__((noinline)) static void look(void)
{
    OWN_STACK_TAKE(&own);
    n_own_frames = backtrace(own_frames, FRAMES_MAX);
}

static bool read_code(void *arg, uint64_t addr, uint64_t *ret_bytes)
{
    const struct layout *layout = arg;

    return code_find(layout->items, layout->n, addr) &&
           own_memory(addr, ret_bytes, sizeof(*ret_bytes)) == sizeof(*ret_bytes);
}

/* How many of the frames, counted from the root, are those of backtrace(). */
static size_t same_as_own(const uint64_t *pcs, size_t n)
{
    size_t same = 0;

    while (same < n && same < (size_t)n_own_frames &&
           pcs[n - 1 - same] - (uint64_t)own_frames[(size_t)n_own_frames - 1 - same] <= 1)
        same++;
    return same;
}

static const struct {
    const char *name;
    size_t words_max, mappings_max;
    uint8_t stop;
} cases[] = {
    { "all of it", OWN_STACK_WORDS, SIZE_MAX, RECORD_STOP_END },
    { "it ends on the way", 200, SIZE_MAX, RECORD_STOP_NO_READ },
    { "it has nothing", 0, SIZE_MAX, RECORD_STOP_NO_READ },
    { "only the program is known", OWN_STACK_WORDS, 1, RECORD_STOP_NO_CODE },
};

static void walks_a_copy(void **state)
{
    struct images *images = images_new();
    struct unwind_tables *tables = unwind_tables_new(images);
    struct processes *processes = processes_new(images, tables, NULL);
    pid_t pid = getpid();
    static uint64_t pcs[RECORD_USER_MAX];

    (void)state;
    processes_expect(processes, &pid, 1, 1);
    deep_look(look);
    assert_true(n_own_frames > 5 && own.n_words > 200);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct layout *layout = running_layout(processes_running(processes, pid));
        struct unwind_view view = unwind_tables_view(tables, &layout->place);
        struct unwind_copy copy = { .from = &own.from, .words = own.words, .read_code = read_code };
        uint8_t stop;

        copy.arg = (void *)layout;
        copy.n_words = own.n_words < cases[i].words_max ? own.n_words : cases[i].words_max;
        if (view.space.n > cases[i].mappings_max)
            view.space.n = (uint32_t)cases[i].mappings_max;

        uint32_t n = unwind_copy_walk(&copy, &view, pcs, &stop);
        bool is_whole = same_as_own(pcs, n) + 1 >= n && n > 5;

        if (stop != cases[i].stop || pcs[0] != own.from.pc || is_whole != (stop == RECORD_STOP_END))
            fail_msg("%s: %u frames, stop %u", cases[i].name, n, stop);
    }
    processes_free(processes);
    unwind_tables_free(tables);
    images_free(images);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(walks_a_copy) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
