/* SPDX-License-Identifier: Apache-2.0 */
/* profile: records of this very process in, folded stacks out. */
#include "agent/profile.h"

#include "agent/stacks.h"
#include "lib/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

DEFINE_CLEANUP(struct profile *, profile_free)
#define _cleanup_profile_ __attribute__((cleanup(profile_freep)))
DEFINE_CLEANUP(struct flame *, flame_free)
#define _cleanup_flame_ __attribute__((cleanup(flame_freep)))

/* What the test pretends to have sampled. */
__attribute__((noinline, used)) static int leaf_function(int x)
{
    return x * 3 + 1;
}

__attribute__((noinline, used)) static int calling_function(int x)
{
    return leaf_function(x) + leaf_function(x + 1);
}

enum { NOT_MAPPED = 0x10 };

static struct record make_record(uint16_t n_kernel, uint16_t n_user)
{
    return (struct record){
        .image = { .started = 1 },
        .pid = (uint32_t)getpid(),
        .tid = (uint32_t)getpid(),
        .time_ns = 1000000000,
        .n_kernel = n_kernel,
        .n_user = n_user,
        .comm = "workload",
        .thread_comm = "workload",
    };
}

static void set_name(struct record *r, const char *name)
{
    (void)snprintf(r->comm, sizeof(r->comm), "%s", name);
    (void)snprintf(r->thread_comm, sizeof(r->thread_comm), "%s", name);
}

static char *finish(struct profile *p, struct result_profile *result)
{
    struct err e = { 0 };
    char *text = NULL;
    size_t size = 0;

    _cleanup_flame_ struct flame *flame = profile_finish(p, result);
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(flame_write_folded(flame, out, &e), 0);
    assert_int_equal(fclose(out), 0);
    return text;
}

static bool ends_with(const char *text, const char *with)
{
    size_t n = strlen(text), m = strlen(with);

    return n >= m && strcmp(text + n - m, with) == 0;
}

static void names_frames_of_images(void **state)
{
    _cleanup_profile_ struct profile *p = profile_new();
    struct record r = make_record(0, 2);
    uint64_t pcs[] = { (uintptr_t)leaf_function + 1, (uintptr_t)calling_function + 2 };
    struct result_profile result = { 0 };

    (void)state;
    for (int i = 0; i < 5; i++)
        profile_add(p, &r, pcs);
    assert_int_equal(profile_samples(p), 5);

    _cleanup_free_ char *folded = finish(p, &result);
    char expect[128];
    (void)snprintf(expect, sizeof(expect), "workload (%d);calling_function;leaf_function 5\n",
                   getpid());
    assert_string_equal(folded, expect);
    assert_int_equal(result.samples, 5);
    assert_int_equal(result.lost, 0);
    assert_int_equal(result.unknown, 0);
    assert_int_equal(result.processes, 1);
    assert_string_equal(result.runtimes[0], "native");
    assert_string_equal(result.runtimes[1], "");
}

static void counts_what_it_cannot_name(void **state)
{
    _cleanup_profile_ struct profile *p = profile_new();
    struct record r = make_record(0, 2), empty = make_record(0, 0);
    uint64_t pcs[] = { NOT_MAPPED, (uintptr_t)calling_function + 2 };
    struct result_profile result = { 0 };

    (void)state;
    r.stop = RECORD_STOP_FULL;
    profile_add(p, &r, pcs);
    profile_add(p, &empty, pcs);

    _cleanup_free_ char *folded = finish(p, &result);
    assert_non_null(strstr(folded, ");[truncated: too deep];calling_function;[unknown+0x10] 1\n"));
    assert_int_equal(result.samples, 2);
    assert_int_equal(result.truncated, 1);
    assert_int_equal(result.unknown, 2);
}

static void counts_what_a_language_keeps_back(void **state)
{
    static const struct {
        uint8_t flag, stop;
        const char *shown; /* NULL: nothing is missing */
    } cases[] = {
        { 0, RECORD_STOP_END, NULL },
        { RECORD_RUNTIME_FULL, RECORD_STOP_END, ");[truncated: too deep];leaf_function 1\n" },
        { RECORD_RUNTIME_NO_READ, RECORD_STOP_END,
          ");[truncated: stack unreadable];leaf_function 1\n" },
        { RECORD_RUNTIME_COSTLY, RECORD_STOP_END,
          ");[truncated: too long to walk];leaf_function 1\n" },
        { 0, RECORD_STOP_COSTLY, ");[truncated: too long to walk];leaf_function 1\n" },
        { RECORD_RUNTIME_NO_READ, RECORD_STOP_FULL, ");[truncated: too deep];leaf_function 1\n" },
    };
    const uint64_t pcs[] = { (uintptr_t)leaf_function + 1 };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        _cleanup_profile_ struct profile *p = profile_new();
        struct record r = make_record(0, 1);
        struct result_profile result = { 0 };

        r.flags = cases[i].flag;
        r.stop = cases[i].stop;
        profile_add(p, &r, pcs);

        _cleanup_free_ char *folded = finish(p, &result);
        assert_int_equal(result.truncated, cases[i].shown != NULL);
        if (!ends_with(folded, cases[i].shown ? cases[i].shown : ");leaf_function 1\n"))
            fail_msg("case %zu: %s", i, folded);
    }
}

static void a_caller_outside_of_code_ends_the_stack(void **state)
{
    _cleanup_profile_ struct profile *p = profile_new();
    struct record r = make_record(0, 4);
    uint64_t pcs[] = { (uintptr_t)leaf_function, (uintptr_t)calling_function + 2, NOT_MAPPED,
                       (uintptr_t)calling_function + 2 };
    struct result_profile result = { 0 };

    (void)state;
    profile_add(p, &r, pcs);

    _cleanup_free_ char *folded = finish(p, &result);
    assert_true(
        ends_with(folded, ");[truncated: caller in no code];calling_function;leaf_function 1\n"));
    assert_int_equal(result.truncated, 1);
    assert_int_equal(result.unknown, 0);
}

__attribute__((noinline, used)) static int start_thread(int x)
{
    return calling_function(x) + 1;
}

static void what_seems_to_call_the_bottom_is_dropped(void **state)
{
    _cleanup_profile_ struct profile *p = profile_new();
    struct record r = make_record(0, 4);
    uint64_t pcs[] = { (uintptr_t)leaf_function, (uintptr_t)start_thread + 2,
                       (uintptr_t)calling_function + 2, NOT_MAPPED };
    struct result_profile result = { 0 };

    (void)state;
    r.flags = RECORD_FRAME_POINTERS;
    profile_add(p, &r, pcs);

    _cleanup_free_ char *folded = finish(p, &result);
    assert_true(ends_with(folded, ");start_thread;leaf_function 1\n"));
    assert_null(strstr(folded, "calling_function"));
    assert_int_equal(result.truncated, 0);
}

static void reads_the_maps_again_for_new_code(void **state)
{
    _cleanup_profile_ struct profile *p = profile_new();
    struct record r = make_record(0, 1);
    uint64_t pc = (uintptr_t)leaf_function;
    struct result_profile result = { 0 };

    (void)state;
    profile_add(p, &r, &pc);

    /* As a JIT does, or a library that is loaded later. */
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(code, MAP_FAILED);
    pc = (uintptr_t)code + 0x10;
    profile_add(p, &r, &pc); /* too soon after the first reading */
    r.time_ns += 60000000;
    profile_add(p, &r, &pc);

    char expect[64];
    _cleanup_free_ char *folded = finish(p, &result);
    (void)snprintf(expect, sizeof(expect), ");[anon+0x%llx] 1\n", (unsigned long long)pc);
    assert_non_null(strstr(folded, expect));
    (void)snprintf(expect, sizeof(expect), ");[unknown+0x%llx] 1\n", (unsigned long long)pc);
    assert_non_null(strstr(folded, expect));
    (void)munmap(code, 4096);
}

static void names_jit_code_by_the_perf_map(void **state)
{
    _cleanup_profile_ struct profile *p = profile_new();
    struct record r = make_record(0, 1);
    struct result_profile result = { 0 };
    char path[64];

    (void)state;
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(code, MAP_FAILED);
    uint64_t pc = (uintptr_t)code + 0x10;
    profile_add(p, &r, &pc);

    /* Written after the sample, as runtimes do. */
    (void)snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
    FILE *map = fopen(path, "we");
    assert_non_null(map);
    (void)fprintf(map, "%llx 20 LazyCompile:*handler /app/server.js:10\n",
                  (unsigned long long)(uintptr_t)code);
    assert_int_equal(fclose(map), 0);

    _cleanup_free_ char *folded = finish(p, &result);
    (void)unlink(path);
    assert_true(ends_with(folded, ");LazyCompile:*handler /app/server.js:10 1\n"));
    assert_int_equal(result.unknown, 0);
    assert_string_equal(result.runtimes[0], "jit");
    (void)munmap(code, 4096);
}

static void follows_exec_and_fork(void **state)
{
    _cleanup_profile_ struct profile *p = profile_new();
    struct record r = make_record(0, 1);
    uint64_t pc = (uintptr_t)leaf_function;
    struct result_profile result = { 0 };

    (void)state;
    profile_add(p, &r, &pc);
    r.image.execs = 1;
    set_name(&r, "after");
    profile_add(p, &r, &pc);
    /* A child that was gone before its maps could be read: the parent's, if it never called exec.
     */
    r = make_record(0, 1);
    r.ppid = r.pid;
    r.pid = INT32_MAX;
    r.flags = RECORD_FORKED;
    r.image.started = 2;
    r.image.execs = 1;
    set_name(&r, "child");
    profile_add(p, &r, &pc);
    r.pid = INT32_MAX - 2;
    r.image.execs = 0; /* its parent is another one, or runs something else since */
    set_name(&r, "adopted");
    profile_add(p, &r, &pc);
    r.pid = INT32_MAX - 1;
    r.image.execs = 1;
    r.flags = 0;
    set_name(&r, "other");
    profile_add(p, &r, &pc);

    _cleanup_free_ char *folded = finish(p, &result);
    assert_non_null(strstr(folded, "workload ("));
    assert_non_null(strstr(folded, "after ("));
    assert_non_null(strstr(folded, "child (2147483647);leaf_function 1\n"));
    assert_non_null(strstr(folded, "adopted (2147483645);[unknown+0x"));
    assert_non_null(strstr(folded, "other (2147483646);[unknown+0x"));
    assert_int_equal(result.samples, 5);
    assert_int_equal(result.processes, 4);
}

static void names_of_processes_follow_them(void **state)
{
    _cleanup_profile_ struct profile *p = profile_new();
    struct record r = make_record(0, 1);
    uint64_t pc = (uintptr_t)leaf_function;
    struct result_profile result = { 0 };
    char expect[64];

    (void)state;
    profile_add(p, &r, &pc);
    set_name(&r, "renamed"); /* by itself: it was that process all the time */
    profile_add(p, &r, &pc);
    r.image.execs = 1; /* by the same name: one frame */
    profile_add(p, &r, &pc);
    r.image.started = 5; /* another owner of the pid */
    profile_add(p, &r, &pc);

    _cleanup_free_ char *folded = finish(p, &result);
    (void)snprintf(expect, sizeof(expect), "renamed (%d);leaf_function 4\n", getpid());
    assert_string_equal(folded, expect);
    assert_int_equal(result.processes, 2);
}

static void threads_of_one_name_are_one_frame(void **state)
{
    _cleanup_profile_ struct profile *p = profile_new();
    struct record r = make_record(0, 1);
    uint64_t pc = (uintptr_t)leaf_function;
    struct result_profile result = { 0 };

    (void)state;
    profile_add(p, &r, &pc);
    for (uint32_t i = 0; i < 3; i++) {
        r.tid++;
        memcpy(r.thread_comm, "worker", 7);
        profile_add(p, &r, &pc);
    }
    r.stop = RECORD_STOP_FULL;
    memcpy(r.thread_comm, "</script>\n\033[1m", 15);
    profile_add(p, &r, &pc);

    _cleanup_free_ char *folded = finish(p, &result);
    assert_non_null(strstr(folded, ");leaf_function 1\n"));
    assert_non_null(strstr(folded, ");worker;leaf_function 3\n"));
    assert_non_null(strstr(folded, "[truncated: too deep];leaf_function 1\n"));
    assert_null(strchr(folded, '\033'));
    assert_int_equal(result.notes[RESULT_NOTE_TOO_DEEP], 1);
}

static void more_names_of_threads_than_are_kept_share_one(void **state)
{
    _cleanup_profile_ struct profile *p = profile_new();
    struct record r = make_record(0, 1);
    uint64_t pc = (uintptr_t)leaf_function;
    struct result_profile result = { 0 };

    (void)state;
    for (int i = 0; i < STACKS_THREADS_MAX + 7; i++) {
        (void)snprintf(r.thread_comm, sizeof(r.thread_comm), "worker-%d", i);
        profile_add(p, &r, &pc);
    }

    _cleanup_free_ char *folded = finish(p, &result);
    assert_non_null(strstr(folded, ");(other threads);leaf_function 7\n"));
    assert_int_equal(result.samples, STACKS_THREADS_MAX + 7);
}

static void more_stacks_than_there_is_room_for_keep_their_process(void **state)
{
    _cleanup_profile_ struct profile *p = profile_new();
    struct record r = make_record(0, RECORD_USER_MAX);
    uint64_t pcs[RECORD_USER_MAX];
    struct result_profile result = { 0 };
    int n = 3 * STACKS_NODES_MAX / RECORD_USER_MAX;

    (void)state;
    for (size_t i = 0; i < RECORD_USER_MAX; i++)
        pcs[i] = (uintptr_t)calling_function + 1;
    for (int i = 0; i < n; i++) {
        for (int digit = 0, rest = i; digit < 4; digit++, rest /= 8) /* none shares its root */
            pcs[RECORD_USER_MAX - 1 - digit] =
                (uintptr_t)calling_function + 2 + (uintptr_t)(rest % 8);
        profile_add(p, &r, pcs);
    }

    _cleanup_free_ char *folded = finish(p, &result);
    assert_non_null(strstr(folded, ");[truncated: too many different stacks] "));
    assert_int_equal(result.samples, n);
    assert_int_equal(result.lost, 0);
    assert_true(result.notes[RESULT_NOTE_NO_ROOM] > 0);
    assert_int_equal(result.truncated, result.notes[RESULT_NOTE_NO_ROOM]);
}

static void kernel_frames_come_last(void **state)
{
    _cleanup_profile_ struct profile *p = profile_new();
    struct record r = make_record(2, 1);
    uint64_t pcs[] = { 1, 2, (uintptr_t)leaf_function };
    struct result_profile result = { 0 };

    (void)state;
    profile_add(p, &r, pcs);

    _cleanup_free_ char *folded = finish(p, &result);
    assert_true(ends_with(folded, ");leaf_function;[kernel] 1\n"));
    assert_int_equal(result.unknown, 1);
}

static void refuses_records_that_are_too_long(void **state)
{
    _cleanup_profile_ struct profile *p = profile_new();
    struct record r = make_record(0, RECORD_USER_MAX + 1);
    uint64_t pcs[RECORD_USER_MAX + 1] = { 0 };
    struct result_profile result = { 0 };

    (void)state;
    profile_add(p, &r, pcs);

    _cleanup_free_ char *folded = finish(p, &result);
    assert_string_equal(folded, "");
    assert_int_equal(result.lost, 1);
    assert_int_equal(result.samples, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_frames_of_images),
        cmocka_unit_test(counts_what_it_cannot_name),
        cmocka_unit_test(counts_what_a_language_keeps_back),
        cmocka_unit_test(a_caller_outside_of_code_ends_the_stack),
        cmocka_unit_test(what_seems_to_call_the_bottom_is_dropped),
        cmocka_unit_test(reads_the_maps_again_for_new_code),
        cmocka_unit_test(names_jit_code_by_the_perf_map),
        cmocka_unit_test(follows_exec_and_fork),
        cmocka_unit_test(names_of_processes_follow_them),
        cmocka_unit_test(threads_of_one_name_are_one_frame),
        cmocka_unit_test(more_names_of_threads_than_are_kept_share_one),
        cmocka_unit_test(more_stacks_than_there_is_room_for_keep_their_process),
        cmocka_unit_test(kernel_frames_come_last),
        cmocka_unit_test(refuses_records_that_are_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
