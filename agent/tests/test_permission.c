/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/permission.h"

#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CAP(name) (1ULL << CAP_##name)

static const struct {
    const char *name;
    enum permission need;
    uint64_t effective;
    const char *paranoid, *lockdown;
    const char *advice; /* its start */
} cases[] = {
    { "no capability", PERMISSION_BPF, 0, "2", "", "missing capability BPF and PERFMON:" },
    { "one of two", PERMISSION_BPF, CAP(PERFMON), "2", "", "missing capability BPF:" },
    { "the other", PERMISSION_BPF, CAP(BPF), "2", "", "missing capability PERFMON:" },
    { "perf", PERMISSION_PERF, CAP(BPF), "2", "", "missing capability PERFMON:" },
    { "SYS_ADMIN stands for both", PERMISSION_BPF, CAP(SYS_ADMIN), "2", "", "the capabilities" },
    { "but not for ptrace", PERMISSION_PTRACE, CAP(SYS_ADMIN), "2", "",
      "missing capability SYS_PTRACE:" },
    { "lockdown", PERMISSION_BPF, CAP(BPF) | CAP(PERFMON), "2", "none integrity [confidentiality]",
      "the kernel is locked down" },
    { "no lockdown", PERMISSION_BPF, CAP(BPF) | CAP(PERFMON), "2",
      "[none] integrity confidentiality", "the capabilities are there" },
    { "paranoid", PERMISSION_PERF, CAP(PERFMON), "4", "", "kernel.perf_event_paranoid is 4" },
    { "not too paranoid", PERMISSION_PERF, CAP(PERFMON), "2", "", "the capabilities are there" },
    { "nothing can be read", PERMISSION_PERF, CAP(PERFMON), "", "", "the capabilities are there" },
};

static void names_what_is_missing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];

        const struct permission_facts facts = { cases[i].effective, cases[i].paranoid,
                                                cases[i].lockdown, "6.1.0", UINT64_MAX };

        permission_advice(cases[i].need, &facts, text, sizeof(text));
        if (strncmp(text, cases[i].advice, strlen(cases[i].advice)) != 0)
            fail_msg("%s: '%s'", cases[i].name, text);
    }
}

static const struct {
    const char *kernel;
    uint64_t memlock;
    const char *advice; /* its start */
} memory_cases[] = {
    { "5.10.0-32-amd64", 65536, "Linux 5.10.0-32-amd64 counts BPF memory" },
    { "4.19.0-27-amd64", 0, "Linux 4.19.0-27-amd64 counts BPF memory" },
    { "5.10.0-32-amd64", UINT64_MAX, "the capabilities are there" },
    { "5.11.0", 65536, "the capabilities are there" },
    { "6.1.0-50-amd64", 65536, "the capabilities are there" },
    { "", 65536, "the capabilities are there" },
    { "x", 65536, "the capabilities are there" },
};

static void knows_where_bpf_memory_is_locked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(memory_cases) / sizeof(memory_cases[0]); i++) {
        const struct permission_facts facts = { CAP(BPF) | CAP(PERFMON), "2", "",
                                                memory_cases[i].kernel, memory_cases[i].memlock };
        char text[256];

        permission_advice(PERMISSION_BPF, &facts, text, sizeof(text));
        if (strncmp(text, memory_cases[i].advice, strlen(memory_cases[i].advice)) != 0)
            fail_msg("'%s', %llu: '%s'", memory_cases[i].kernel,
                     (unsigned long long)memory_cases[i].memlock, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(names_what_is_missing),
                                        cmocka_unit_test(knows_where_bpf_memory_is_locked) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
