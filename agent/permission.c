/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/permission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/capability.h>

enum { NOT_A_CAPABILITY = -1 };

/* In the order of asking; SYS_ADMIN stood for two of them before Linux 5.8 and still does. */
static const struct {
    const char *name;
    int capability, also;
} needs[][2] = {
    [PERMISSION_BPF] = { { "BPF", CAP_BPF, CAP_SYS_ADMIN },
                         { "PERFMON", CAP_PERFMON, CAP_SYS_ADMIN } },
    [PERMISSION_PERF] = { { "PERFMON", CAP_PERFMON, CAP_SYS_ADMIN }, { NULL, 0, 0 } },
    [PERMISSION_PTRACE] = { { "SYS_PTRACE", CAP_SYS_PTRACE, NOT_A_CAPABILITY }, { NULL, 0, 0 } },
};

static bool has(uint64_t effective, int capability)
{
    return capability != NOT_A_CAPABILITY && (effective >> capability & 1);
}

void permission_advice(enum permission need, uint64_t effective, const char *paranoid,
                       const char *lockdown, char *text, size_t size)
{
    char missing[64] = "";

    for (size_t i = 0; i < 2 && needs[need][i].name; i++) {
        if (!has(effective, needs[need][i].capability) && !has(effective, needs[need][i].also))
            (void)snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), "%s%s",
                           *missing ? " and " : "", needs[need][i].name);
    }
    if (*missing)
        (void)snprintf(text, size,
                       "missing capability %s: run as root, or add it to the container's "
                       "securityContext.capabilities",
                       missing);
    else if (*lockdown && !strstr(lockdown, "[none]"))
        (void)snprintf(text, size, "the kernel is locked down (%s)", lockdown);
    else if (need == PERMISSION_PERF && strtol(paranoid, NULL, 10) > 2)
        (void)snprintf(text, size, "kernel.perf_event_paranoid is %s; 2 or less is needed",
                       paranoid);
    else
        (void)snprintf(text, size,
                       "the capabilities are there, so a seccomp profile or a security module "
                       "forbids it; RuntimeDefault of a current runtime allows it");
}

/* The first line of a file, "" when there is none. */
static void first_line(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "re");

    *text = '\0';
    if (!f)
        return;
    if (!fgets(text, (int)size, f))
        *text = '\0';
    text[strcspn(text, "\n")] = '\0';
    (void)fclose(f);
}

static uint64_t effective_capabilities(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    uint64_t effective = 0;
    char line[256];

    if (!status)
        return 0;
    while (fgets(line, sizeof(line), status)) {
        if (strncmp(line, "CapEff:", 7) == 0)
            effective = strtoull(line + 7, NULL, 16);
    }
    (void)fclose(status);
    return effective;
}

int permission_explain(enum permission need, int code, const char *doing, struct err *e)
{
    char advice[256], paranoid[32], lockdown[64];

    first_line("/proc/sys/kernel/perf_event_paranoid", paranoid, sizeof(paranoid));
    first_line("/sys/kernel/security/lockdown", lockdown, sizeof(lockdown));
    permission_advice(need, effective_capabilities(), paranoid, lockdown, advice, sizeof(advice));
    return err_set(e, code, "%s: %s: %s", doing, err_text(code), advice);
}
