/* SPDX-License-Identifier: Apache-2.0 */
/* shown: whose perf map it is that a pid leads to. The process is this one. */
#include "agent/shown.h"

#include "agent/proc_file.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bool opens(uint64_t started)
{
    struct process process = { .pid = getpid(), .started = started, .perf_map_fd = -1 };

    shown_open_perf_map(&process, 0);
    if (process.perf_map_fd < 0)
        return false;
    (void)close(process.perf_map_fd);
    return true;
}

static void reads_no_perf_map_of_another_process_with_that_pid(void **state)
{
    uint64_t started = proc_file_started(getpid());
    char path[64];

    (void)state;
    (void)snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
    FILE *map = fopen(path, "we");
    assert_non_null(map);
    (void)fclose(map);

    bool is_own = opens(started), is_others = opens(started + 1), is_anyones = opens(0);

    (void)unlink(path);
    assert_true(is_own);
    assert_false(is_others);
    assert_false(is_anyones);
}

static void opens_no_file_of_the_kernels(void **state)
{
    char path[64];

    (void)state;
    assert_true(proc_file_open_in_root(getpid(), "/proc/self/maps") < 0);
    (void)snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
    assert_int_equal(symlink("/proc/version", path), 0);

    bool is_opened = opens(proc_file_started(getpid()));

    (void)unlink(path);
    assert_false(is_opened);
}

static void knows_when_a_process_was_started(void **state)
{
    pid_t child = fork();

    (void)state;
    if (child == 0)
        (void)pause();
    assert_true(child > 0);
    assert_true(proc_file_started(getpid()) > 0);
    assert_true(proc_file_started(child) >= proc_file_started(getpid()));
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    assert_int_equal(proc_file_started(child), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_no_perf_map_of_another_process_with_that_pid),
        cmocka_unit_test(opens_no_file_of_the_kernels),
        cmocka_unit_test(knows_when_a_process_was_started),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
