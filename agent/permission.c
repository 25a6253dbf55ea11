/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/permission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/utsname.h>

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

/* Before Linux 5.11 what BPF maps and programs take counts as locked memory (kernel/bpf/syscall.c,
 * bpf_charge_memlock). */
static bool locks_bpf_memory(const char *release)
{
    char *end;
    unsigned long major = strtoul(release, &end, 10);
    unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;

    return major > 0 && (major < 5 || (major == 5 && minor < 11));
}

void permission_advice(enum permission need, const struct permission_facts *facts, char *text,
                       size_t size)
{
    uint64_t effective = facts->effective;
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
    else if (*facts->lockdown && !strstr(facts->lockdown, "[none]"))
        (void)snprintf(text, size, "the kernel is locked down (%s)", facts->lockdown);
    else if (need == PERMISSION_PERF && strtol(facts->paranoid, NULL, 10) > 2)
        (void)snprintf(text, size, "kernel.perf_event_paranoid is %s; 2 or less is needed",
                       facts->paranoid);
    else if (need == PERMISSION_BPF && facts->memlock != UINT64_MAX &&
             locks_bpf_memory(facts->kernel))
        (void)snprintf(text, size,
                       "Linux %s counts BPF memory as locked memory, of which %llu KiB are "
                       "allowed: raise the limit (ulimit -l unlimited; in a pod, the container "
                       "runtime's LimitMEMLOCK) or add capability SYS_RESOURCE",
                       facts->kernel, (unsigned long long)(facts->memlock / 1024));
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
    struct utsname kernel = { 0 };
    struct rlimit memlock = { .rlim_cur = RLIM_INFINITY };
    struct permission_facts facts = { effective_capabilities(), paranoid, lockdown, kernel.release,
                                      UINT64_MAX };

    (void)uname(&kernel);
    if (getrlimit(RLIMIT_MEMLOCK, &memlock) == 0 && memlock.rlim_cur != RLIM_INFINITY)
        facts.memlock = memlock.rlim_cur;
    first_line("/proc/sys/kernel/perf_event_paranoid", paranoid, sizeof(paranoid));
    first_line("/sys/kernel/security/lockdown", lockdown, sizeof(lockdown));
    permission_advice(need, &facts, advice, sizeof(advice));
    return err_set(e, code, "%s: %s: %s", doing, err_text(code), advice);
}
