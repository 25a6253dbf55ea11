/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox: what the child may do, what it may not, and what is left when it does not come back. */
#include "agent/sandbox.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static const struct sandbox_limits usual = { 16 << 20, 2000, 20000 };

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct sandbox start(sandbox_fn work, void *arg, const struct sandbox_limits *limits)
{
    struct sandbox s = { 0 };
    struct err e = { 0 };

    if (sandbox_start(work, arg, NULL, 0, limits, &s, &e) < 0)
        fail_msg("%s", e.msg);
    return s;
}

static void count(void *arg, int out)
{
    const uint32_t *n = arg;

    for (uint32_t i = 0; i < *n; i++)
        sandbox_answer(out, i, "0123456789", i % 11);
}

static void answers_in_order(void **state)
{
    uint32_t n = 20000;
    struct sandbox s = start(count, &n, &usual);
    struct sandbox_answer answer;

    (void)state;
    for (uint32_t i = 0; i < n; i++) {
        assert_true(sandbox_next(&s, &answer));
        assert_int_equal(answer.number, i);
        assert_int_equal(answer.len, i % 11);
        assert_memory_equal(answer.bytes, "0123456789", answer.len);
    }
    assert_false(sandbox_next(&s, &answer));
    assert_true(sandbox_close(&s));
    assert_false(sandbox_close(&s));
}

static void answer_at_length(void *arg, int out)
{
    _cleanup_free_ char *bytes = mem_array(SANDBOX_ANSWER_MAX + 1, 1);

    memset(bytes, 'x', SANDBOX_ANSWER_MAX + 1);
    sandbox_answer(out, 1, bytes, SANDBOX_ANSWER_MAX);
    sandbox_answer(out, 2, bytes, SANDBOX_ANSWER_MAX);
    sandbox_answer(out, 3, bytes, SANDBOX_ANSWER_MAX + *(int *)arg);
}

static void bounds_answers(void **state)
{
    int more = 1;
    struct sandbox s = start(answer_at_length, &more, &usual);
    struct sandbox_answer answer;

    (void)state;
    for (uint32_t i = 1; i <= 2; i++) {
        assert_true(sandbox_next(&s, &answer));
        assert_int_equal(answer.number, i);
        assert_int_equal(answer.len, SANDBOX_ANSWER_MAX);
        assert_int_equal(answer.bytes[SANDBOX_ANSWER_MAX - 1], 'x');
    }
    assert_false(sandbox_next(&s, &answer));
    assert_false(sandbox_close(&s));
}

/* A child that was taken over writes what it likes. */
static void write_nonsense(void *arg, int out)
{
    const uint32_t claims[] = { 5, 1, 7, UINT32_MAX };

    (void)arg;
    (void)!write(out, &claims, 8);
    (void)!write(out, "x", 1);
    (void)!write(out, &claims[2], 8);
    (void)!write(out, claims, sizeof(claims));
}

static void believes_no_length(void **state)
{
    struct sandbox s = start(write_nonsense, NULL, &usual);
    struct sandbox_answer answer;

    (void)state;
    assert_true(sandbox_next(&s, &answer));
    assert_int_equal(answer.number, 5);
    assert_int_equal(answer.len, 1);
    assert_false(sandbox_next(&s, &answer));
    assert_false(sandbox_next(&s, &answer));
    assert_false(sandbox_close(&s));
}

static void crash(void *arg, int out)
{
    sandbox_answer(out, 1, "kept", 4);
    *(volatile int *)arg = 1;
}

static void spin(void *arg, int out)
{
    sandbox_answer(out, 1, "kept", 4);
    for (volatile uint64_t i = 0;; i++)
        *(volatile uint64_t *)arg = i;
}

static const struct {
    const char *what;
    sandbox_fn work;
    struct sandbox_limits limits;
} ends[] = {
    { "a crash", crash, { 16 << 20, 2000, 20000 } },
    { "too much CPU time", spin, { 16 << 20, 50, 20000 } },
    { "the deadline", spin, { 16 << 20, 20000, 100 } },
};

static void keeps_what_was_answered_before_the_end(void **state)
{
    static volatile uint64_t spun;

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        int64_t before = now_ms();
        void *arg = ends[i].work == crash ? (void *)8 : (void *)&spun; /* NOLINT */
        struct sandbox s = start(ends[i].work, arg, &ends[i].limits);
        struct sandbox_answer answer;

        if (!sandbox_next(&s, &answer) || answer.len != 4 || sandbox_next(&s, &answer) ||
            sandbox_close(&s) || now_ms() - before > 15000)
            fail_msg("%s", ends[i].what);
    }
}

/* What a child must not be able to do; each returns 0 when it cannot. */
static int opens(const int *fds)
{
    (void)fds;
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0;
}

static int makes_sockets(const int *fds)
{
    (void)fds;
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
}

static int signals(const int *fds)
{
    (void)fds;
    return kill(getppid(), 0) == 0;
}

static int forks(const int *fds)
{
    (void)fds;
    return fork() >= 0;
}

static int executes(const int *fds)
{
    (void)fds;
    (void)execl("/bin/true", "true", (char *)NULL);
    return errno != EPERM;
}

static int maps_code(const int *fds)
{
    (void)fds;
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
           MAP_FAILED;
}

static int reads_other_files(const int *fds)
{
    char byte;

    return pread(fds[1], &byte, 1, 0) == 1;
}

static int allocates_without_end(const int *fds)
{
    size_t mib = 0;

    (void)fds;
    while (mib < 1024 && mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                              -1, 0) != MAP_FAILED)
        mib++;
    return mib > 16;
}

static int shares_memory(const int *fds)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) !=
               MAP_FAILED ||
           mmap(NULL, 4096, PROT_READ, MAP_SHARED_VALIDATE, fds[0], 0) != MAP_FAILED;
}

/* And what it must. */
static int cannot_read_its_file(const int *fds)
{
    char byte;

    return pread(fds[0], &byte, 1, 0) != 1 || byte != 'k';
}

static int cannot_map_its_file(const int *fds)
{
    const char *mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fds[0], 0);

    return mapped == MAP_FAILED || *mapped != 'k';
}

static int cannot_allocate(const int *fds)
{
    (void)fds;
    return mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
           MAP_FAILED;
}

static const struct {
    const char *what;
    int (*probe)(const int *fds);
} probes[] = {
    { "opens files", opens },
    { "makes sockets", makes_sockets },
    { "sends signals", signals },
    { "forks", forks },
    { "executes", executes },
    { "maps code", maps_code },
    { "reads files that it was not given", reads_other_files },
    { "cannot read the file it was given", cannot_read_its_file },
    { "cannot map the file it was given", cannot_map_its_file },
    { "cannot allocate", cannot_allocate },
    { "shares memory", shares_memory },
    { "allocates without end", allocates_without_end },
};
enum { PROBES = sizeof(probes) / sizeof(probes[0]) };

static void probe_all(void *arg, int out)
{
    for (uint32_t i = 0; i < PROBES; i++) {
        int bad = probes[i].probe(arg);

        sandbox_answer(out, i, &bad, sizeof(bad));
    }
}

static int memory_file(const char *text)
{
    int fd = memfd_create("given", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, 1), 1);
    return fd;
}

static void confines(void **state)
{
    _cleanup_close_ int given = memory_file("k");
    _cleanup_close_ int other = memory_file("o");
    int fds[] = { given, other };
    struct sandbox s = { 0 };
    struct sandbox_answer answer;
    struct err e = { 0 };

    (void)state;
    assert_int_equal(sandbox_start(probe_all, fds, fds, 1, &usual, &s, &e), 0);
    for (uint32_t i = 0; i < PROBES; i++) {
        int bad;

        if (!sandbox_next(&s, &answer) || answer.number != i || answer.len != sizeof(bad))
            fail_msg("%s: no answer", probes[i].what);
        memcpy(&bad, answer.bytes, sizeof(bad));
        if (bad)
            fail_msg("%s", probes[i].what);
    }
    assert_true(!sandbox_next(&s, &answer) && sandbox_close(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_order),
        cmocka_unit_test(bounds_answers),
        cmocka_unit_test(believes_no_length),
        cmocka_unit_test(keeps_what_was_answered_before_the_end),
        cmocka_unit_test(confines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
