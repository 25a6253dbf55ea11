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

        permission_advice(cases[i].need, cases[i].effective, cases[i].paranoid, cases[i].lockdown,
                          text, sizeof(text));
        if (strncmp(text, cases[i].advice, strlen(cases[i].advice)) != 0)
            fail_msg("%s: '%s'", cases[i].name, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(names_what_is_missing) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
