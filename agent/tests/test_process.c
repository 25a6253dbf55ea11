/* SPDX-License-Identifier: Apache-2.0 */
/* process: how often /proc is read, what becomes of processes that end, and the budget of it all.
 * The processes are this one and children of it. */
#include "agent/process.h"

#include "agent/budget.h"
#include "agent/cpu_clock.h"
#include "agent/unwind/unwind_arch.h"
#include "lib/cleanup.h"

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define MS 1000000ULL

struct fixture {
    struct images *images;
    struct unwind_tables *tables;
    struct processes *processes;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->images = images_new();
    f->tables = unwind_tables_new(f->images);
    f->processes = processes_new(f->images, f->tables, NULL);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    processes_free(f->processes);
    unwind_tables_free(f->tables);
    images_free(f->images);
    free(f);
    return 0;
}

static struct record record_of(enum record_kind kind, pid_t pid, uint64_t now_ns)
{
    return (struct record){ .kind = (uint8_t)kind,
                            .pid = (uint32_t)pid,
                            .image = { .started = 1 },
                            .time_ns = now_ns,
                            .comm = "test",
                            .thread_comm = "test" };
}

static void *map_code(void)
{
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(code, MAP_FAILED);
    return code;
}

static bool knows(struct fixture *f, struct running *running, const void *code, uint64_t now_ns)
{
    return processes_find(f->processes, running, (uintptr_t)code, now_ns) != NULL;
}

static void looks_again_after_exec_until_nothing_is_new(void **state)
{
    struct fixture *f = *state;
    struct record exec = record_of(RECORD_EXEC, getpid(), 1000 * MS);
    uint64_t next, now = 1000 * MS;
    int n = 0;

    processes_tell(f->processes, &exec);

    struct running *running = processes_running(f->processes, getpid());
    size_t n_before = running_layout(running)->n;
    void *code = map_code(); /* as the dynamic linker does */

    for (; (next = processes_work(f->processes, now)) != UINT64_MAX && n < 20; n++) {
        assert_true(next > now);
        now = next;
    }
    assert_true(n >= 2 && n < 14);
    assert_true(now - 1000 * MS < 2000 * MS);
    assert_true(running_layout(running)->n >= n_before);
    assert_non_null(
        code_find(running_layout(running)->items, running_layout(running)->n, (uintptr_t)code));
    (void)munmap(code, 4096);
}

static void looks_ever_more_rarely_for_what_no_reading_explains(void **state)
{
    struct fixture *f = *state;
    struct record sample = record_of(RECORD_SAMPLE, getpid(), 1000 * MS);
    struct running *running = processes_sampled(f->processes, &sample);
    void *code = map_code();

    /* At every address, for three seconds: it may take a second or two until it is known. */
    for (uint64_t now = 1000; now < 4000; now += 10)
        assert_false(knows(f, running, (void *)0x10, now * MS));
    (void)munmap(code, 4096);
    code = map_code();
    assert_true(knows(f, running, code, 20000 * MS));
    (void)munmap(code, 4096);
}

static void what_was_put_off_is_counted(void **state)
{
    struct fixture *f = *state;
    struct record sample = record_of(RECORD_SAMPLE, getpid(), 0);
    int64_t n = 0;

    /* Another image each time, at one moment: nothing is earned in between. */
    for (uint32_t i = 0; i < 200000 && n == 0; i++) {
        sample.image.execs = i;
        (void)processes_sampled(f->processes, &sample);
        n = processes_counts(f->processes).reads_put_off;
    }
    assert_int_equal(n, 1);
    assert_false(processes_may_hurry(f->processes, 0));
    assert_true(processes_may_hurry(f->processes, 60000 * MS));
    assert_int_equal(processes_counts(f->processes).sampled, 1);
}

static void forgets_those_that_ended(void **state)
{
    struct fixture *f = *state;
    struct record sample = record_of(RECORD_SAMPLE, getpid(), 1000 * MS);
    struct record end = record_of(RECORD_EXIT, getpid(), 1001 * MS);
    struct running *running = processes_sampled(f->processes, &sample);

    processes_tell(f->processes, &end);
    (void)processes_work(f->processes, 1500 * MS);
    sample.time_ns = 1500 * MS; /* was on its way */
    assert_ptr_equal(processes_sampled(f->processes, &sample), running);
    assert_non_null(running_layout(running));
    (void)processes_work(f->processes, 3000 * MS);
    assert_null(processes_running(f->processes, getpid()));
    assert_int_equal(processes_count(f->processes), 1); /* its name stays */
}

static void an_exit_of_the_former_owner_of_a_pid_is_not_its(void **state)
{
    struct fixture *f = *state;
    struct record sample = record_of(RECORD_SAMPLE, getpid(), 1000 * MS);
    struct record end = record_of(RECORD_EXIT, getpid(), 1001 * MS);

    sample.image.started = 7;
    (void)processes_sampled(f->processes, &sample);
    processes_tell(f->processes, &end);
    (void)processes_work(f->processes, 9000 * MS);
    assert_non_null(processes_running(f->processes, getpid()));
}

static void short_lived_ones_are_shown_by_name_in_the_end(void **state)
{
    struct fixture *f = *state;
    struct record sample = record_of(RECORD_SAMPLE, 0, 1000 * MS);
    const int n = SHOWN_PIDS_MAX + 1000;

    for (int i = 0; i < n; i++) {
        sample.pid = (uint32_t)(INT32_MAX - i); /* none of them is there any more */
        sample.image.started++;
        sample.time_ns += 10 * MS;
        (void)snprintf(sample.comm, sizeof(sample.comm), "job-%d", i % 400);

        const struct process *shown = running_shown(processes_sampled(f->processes, &sample));

        assert_int_equal(shown->pid, i < SHOWN_PIDS_MAX ? INT32_MAX - i : 0);
        (void)processes_work(f->processes, sample.time_ns);
    }
    assert_int_equal(processes_count(f->processes), SHOWN_PIDS_MAX + SHOWN_NAMES_MAX + 1);
    assert_int_equal(processes_counts(f->processes).sampled, n);
    assert_int_equal(processes_counts(f->processes).merged, 1000);
}

/* Code with nothing but a hole of that size for its .eh_frame. */
static void *map_hollow_file(uint64_t size)
{
    enum { FRAMES = 4096 };
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr segments[2];
        uint8_t encodings[4]; /* of .eh_frame_hdr: the address is absolute, there is no table */
        uint64_t frames;
    } __attribute__((packed)) file = {
        .header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
                                 EV_CURRENT },
                    .e_machine = unwind_arch_here == UNWIND_ARM64 ? EM_AARCH64 : EM_X86_64,
                    .e_phoff = sizeof(Elf64_Ehdr),
                    .e_phentsize = sizeof(Elf64_Phdr),
                    .e_phnum = 2 },
        .segments = { { .p_type = PT_LOAD, .p_flags = PF_X, .p_filesz = FRAMES + size },
                      { .p_type = PT_GNU_EH_FRAME,
                        .p_offset = offsetof(typeof(file), encodings),
                        .p_filesz = 12 } },
        .encodings = { 1, 0, 255, 255 },
        .frames = FRAMES,
    };
    int fd = memfd_create("hollow", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, &file, sizeof(file)), sizeof(file));
    assert_int_equal(ftruncate(fd, (off_t)(FRAMES + size)), 0);

    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

    assert_ptr_not_equal(code, MAP_FAILED);
    (void)close(fd);
    return code;
}

static void files_that_take_long_are_left_for_another_look(void **state)
{
    enum { FILES_MAX = 512 };
    struct fixture *f = *state;
    void *code[FILES_MAX];
    pid_t self = getpid();
    uint32_t before = UINT32_MAX, left_out = 0;
    int n = 0;

    if (geteuid() != 0)
        skip(); /* a file without a name is opened by its mapping */
    while (n < FILES_MAX)
        code[n++] = map_hollow_file(64 << 20);
    for (int look = 0; look < 2; look++) {
        uint64_t begin = cpu_clock_ns();

        processes_expect(f->processes, &self, 1, (uint64_t)look * 1000 * MS);
        assert_in_range(cpu_clock_ns() - begin, 0, 2 * MS * IMAGES_LOOK_MAX_MS);
        left_out = unwind_tables_left_out(f->tables).images;
        assert_in_range(left_out, 0, before - 1);
        before = left_out;
        (void)munmap(code[--n], 4096); /* another layout, or the next look brings nothing new */
    }
    assert_true(left_out > 0);
    while (n > 0)
        (void)munmap(code[--n], 4096);
}

/* Files that the target has no end of, and few descriptors: the maps can still be opened. */
static void files_without_end_do_not_end_their_process(void **state)
{
    enum { LIMIT = 256, FILES = 2 * LIMIT };
    struct fixture *f = *state;
    struct record sample = record_of(RECORD_SAMPLE, getpid(), 1000 * MS);
    struct rlimit before, few;
    pid_t self = getpid();
    void *code[FILES];

    if (geteuid() != 0)
        skip();
    for (int i = 0; i < FILES; i++)
        code[i] = map_hollow_file(4096);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){ LIMIT, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    processes_expect(f->processes, &self, 1, 1000 * MS);

    struct running *running = processes_sampled(f->processes, &sample);
    _cleanup_close_ int own = open("/dev/null", O_RDONLY | O_CLOEXEC);
    void *later = map_code();

    assert_true(own >= 0);
    assert_true(images_unreadable(f->images) > FILES - LIMIT);
    assert_true(images_unreadable(f->images) < FILES - LIMIT / 4);
    assert_true(knows(f, running, later, 60000 * MS));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    (void)munmap(later, 4096);
    for (int i = 0; i < FILES; i++)
        (void)munmap(code[i], 4096);
}

static void earns_a_share_of_the_time_and_owes_no_more_than_it_may(void **state)
{
    struct budget b;

    (void)state;
    budget_init(&b, 0);
    assert_true(budget_has(&b, 0));
    budget_spend(&b, BUDGET_MAX_NS);
    assert_false(budget_has(&b, 0));
    assert_true(budget_has(&b, 1 * MS));
    budget_spend(&b, UINT64_MAX);
    assert_false(budget_has(&b, 9000 * MS));
    assert_true(budget_has(&b, 11001 * MS));
    assert_true(budget_has(&b, 11000 * MS)); /* a clock that goes back earns nothing */
    assert_true(budget_has(&b, UINT64_MAX));
    assert_int_equal(b.left_ns, BUDGET_MAX_NS);
}

static void *map_file(void *at, int flags)
{
    int fd = memfd_create("code", MFD_CLOEXEC);
    void *code;

    assert_int_equal(ftruncate(fd, 4096), 0);
    code = mmap(at, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | flags, fd, 0);
    assert_ptr_not_equal(code, MAP_FAILED);
    (void)close(fd);
    return code;
}

static void sees_another_file_in_the_place_of_one(void **state)
{
    struct fixture *f = *state;
    struct record sample = record_of(RECORD_SAMPLE, getpid(), 1000 * MS);
    void *code = map_file(NULL, 0);
    uint64_t addr = (uintptr_t)code;
    struct running *running = processes_sampled(f->processes, &sample);

    if (geteuid() != 0)
        skip(); /* whose file it is, the kernel tells who has a capability */

    uint32_t before = processes_find(f->processes, running, addr, 1000 * MS)->image;
    const struct layout *layout = running_layout(running);

    processes_check(f->processes, running, addr, 2000 * MS);
    assert_ptr_equal(running_layout(running), layout);
    (void)map_file(code, MAP_FIXED);
    processes_check(f->processes, running, addr, 2000 * MS);
    assert_int_not_equal(processes_find(f->processes, running, addr, 2000 * MS)->image, before);
    (void)munmap(code, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(looks_again_after_exec_until_nothing_is_new, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(looks_ever_more_rarely_for_what_no_reading_explains, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_put_off_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgets_those_that_ended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_exit_of_the_former_owner_of_a_pid_is_not_its, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(short_lived_ones_are_shown_by_name_in_the_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(files_that_take_long_are_left_for_another_look, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(files_without_end_do_not_end_their_process, set_up,
                                        tear_down),
        cmocka_unit_test(earns_a_share_of_the_time_and_owes_no_more_than_it_may),
        cmocka_unit_test_setup_teardown(sees_another_file_in_the_place_of_one, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
