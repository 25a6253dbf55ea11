/* SPDX-License-Identifier: Apache-2.0 */
/* late_stacks: this thread's own stack, through code that is mapped behind the agent's back. */
#include "agent/late_stacks.h"

#include "agent/unwind/tests/own_stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { LATER_MS = 5000, PAGE = 4096 };

static struct {
    struct record record;
    uint64_t words[2 + RECORD_STACK_HEAD + OWN_STACK_WORDS]; /* two frames, and the stack */
} late;

static struct own_stack own;
static struct late_stack walked; /* larger than a copy of a stack */

__attribute__((noinline)) static void look(void)
{
    OWN_STACK_TAKE(&own);
    late.record = (struct record){ .time_ns = LATER_MS * 1000000ULL,
                                   .n_user = 1,
                                   .stop = RECORD_STOP_NO_CODE,
                                   .n_stack = (uint16_t)own.n_words };
    memcpy(late.words + 2, &own.from, sizeof(own.from));
    memcpy(late.words + 2 + RECORD_STACK_HEAD, own.words, own.n_words * sizeof(*own.words));
}

typedef void caller(void (*called)(void));

/* Nothing in it depends on where it is. */
__attribute__((noinline)) static void call(void (*called)(void))
{
    called();
    __asm__ volatile("" ::: "memory"); /* no tail call */
}

/* The same code once more, somewhere else. */
static caller *map_again(struct images *images, const struct layout *layout, void **ret_at)
{
    uint64_t addr = (uint64_t)(uintptr_t)call;
    const struct code *code = code_find(layout->items, layout->n, addr);
    uint64_t off = addr - code->start + code->off;

    *ret_at = mmap(NULL, 2 * (size_t)PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE,
                   images_get(images, code->image)->fd, (off_t)(off / PAGE * PAGE));
    assert_ptr_not_equal(*ret_at, MAP_FAILED);
    return (caller *)((uintptr_t)*ret_at + off % PAGE); /* NOLINT(performance-no-int-to-ptr) */
}

static void learns_of_the_code(void **state)
{
    struct images *images = images_new();
    struct unwind_tables *tables = unwind_tables_new(images);
    struct processes *processes = processes_new(images, tables, NULL);
    pid_t pid = getpid();
    void *at;

    (void)state;
    processes_expect(processes, &pid, 1, 1);

    struct running *running = processes_running(processes, pid);
    uint64_t again = (uint64_t)(uintptr_t)map_again(images, running_layout(running), &at);
    bool is_there = false;

    ((caller *)again)(look); /* NOLINT(performance-no-int-to-ptr) */
    assert_null(code_find(running_layout(running)->items, running_layout(running)->n, again));
    assert_true(late_stacks_walk(processes, running, images, tables, &late.record, late.words + 1,
                                 &walked));
    assert_int_equal(walked.stop, RECORD_STOP_END);
    assert_int_equal(walked.pcs[0], own.from.pc);
    for (uint32_t i = 0; i < walked.n; i++)
        is_there |= walked.pcs[i] - again < 64;
    assert_true(is_there);

    late.record.n_stack = 1; /* and then it knows no more than the record */
    late.record.n_user = 2;
    assert_false(
        late_stacks_walk(processes, running, images, tables, &late.record, late.words, &walked));
    (void)munmap(at, 2 * (size_t)PAGE);
    processes_free(processes);
    unwind_tables_free(tables);
    images_free(images);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(learns_of_the_code) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
