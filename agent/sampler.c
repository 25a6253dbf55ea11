/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sampler.h"

#include "agent/bpf/probe.skel.h"
#include "agent/permission.h"
#include "lib/mem.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum {
    RING_BYTES_PER_CPU = 128 * 1024, /* over half a second of the largest records at 99 Hz */
    RING_BYTES_MIN = 1 << 20,
    RING_BYTES_MAX = 16 << 20,
};

struct sampler {
    struct probe *probe;
    struct ring_buffer *ring;
    struct bpf_link **ticks; /* of each CPU; NULL while not attached */
    int *events;             /* of each CPU; -1 where the CPU is offline */
    int n_cpus;
    bool uses_cgroup;
    sampler_fn on_record; /* NULL: samples are counted */
    void *arg;
    uint64_t until_ns; /* when it is enough for now */
    uint64_t given_up;
};

/* What libbpf complained about last; its callback has no argument of the caller's. */
static char libbpf_warning[256];

/* It printed what the verifier has against a program: of the errno alone, -EACCES may as well mean
 * that a security module said no before the verifier looked. */
static bool verifier_refused;

__attribute__((format(printf, 2, 0))) static int keep_warning(enum libbpf_print_level level,
                                                              const char *fmt, va_list args)
{
    if (level == LIBBPF_WARN) {
        verifier_refused |= strstr(fmt, "BEGIN PROG LOAD LOG") != NULL;
        (void)vsnprintf(libbpf_warning, sizeof(libbpf_warning), fmt, args);
        libbpf_warning[strcspn(libbpf_warning, "\n")] = '\0';
    }
    return 0;
}

static int open_event(int cpu, int64_t frequency, int cgroup_fd)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof(attr),
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .freq = 1,
        .sample_freq = (uint64_t)frequency,
        .disabled = 1,
        .exclude_idle = 1,
    };
    unsigned long flags = PERF_FLAG_FD_CLOEXEC | (cgroup_fd >= 0 ? PERF_FLAG_PID_CGROUP : 0);
    int fd = (int)syscall(SYS_perf_event_open, &attr, cgroup_fd, cpu, -1, flags);

    return fd < 0 ? -errno : fd;
}

static void close_events(struct sampler *s)
{
    for (int cpu = 0; cpu < s->n_cpus; cpu++) {
        if (s->events[cpu] >= 0)
            (void)close(s->events[cpu]);
        s->events[cpu] = -1;
    }
}

/* One event a CPU; 0, or the first failure that is not "this CPU is offline". */
static int open_events(struct sampler *s, int64_t frequency, int cgroup_fd)
{
    int n = 0;

    for (int cpu = 0; cpu < s->n_cpus; cpu++) {
        int fd = open_event(cpu, frequency, cgroup_fd);

        if (fd == -ENODEV)
            continue;
        if (fd < 0) {
            close_events(s);
            return fd;
        }
        s->events[cpu] = fd;
        n++;
    }
    return n > 0 ? 0 : -ENODEV;
}

static int open_clock(struct sampler *s, const struct sampler_options *options,
                      enum result_reason *ret_reason, struct err *e)
{
    int code = -ENODEV;

    if (options->cgroup_fd >= 0 && !options->by_pid) {
        /* Refused where perf_event is a controller of a v1 hierarchy, or not built in. */
        code = open_events(s, options->frequency, options->cgroup_fd);
        s->uses_cgroup = code == 0;
    }
    if (code < 0)
        code = open_events(s, options->frequency, -1);
    if (code == 0)
        return 0;
    if (permission_is(code)) {
        *ret_reason = RESULT_NO_PERMISSION;
        return permission_explain(PERMISSION_PERF, code, "open the CPU clock (perf_event_open)", e);
    }
    *ret_reason = code == -EMFILE ? RESULT_INTERNAL : RESULT_KERNEL_TOO_OLD;
    return err_set(e, code, "open the CPU clock (perf_event_open): %s", err_text(code));
}

static uint32_t ring_bytes(int n_cpus)
{
    uint32_t bytes = RING_BYTES_MIN;

    while (bytes < RING_BYTES_MAX && bytes < (uint32_t)n_cpus * RING_BYTES_PER_CPU)
        bytes *= 2;
    return bytes;
}

static void configure(struct sampler *s, const struct sampler_options *options)
{
    struct probe *probe = s->probe;
    struct stat st;

    if (stat("/proc/self/ns/pid", &st) == 0)
        probe->rodata->own_pidns = (uint32_t)st.st_ino;
    if (options->by_pid)
        probe->rodata->scope = RECORD_SCOPE_PIDS;
    else
        probe->rodata->scope = s->uses_cgroup ? RECORD_SCOPE_CGROUP : RECORD_SCOPE_MNTNS;
    memcpy((void *)probe->rodata->scope_mntns, options->mntns, sizeof(options->mntns));
    (void)bpf_map__set_max_entries(probe->maps.records, ring_bytes(s->n_cpus));
    (void)bpf_map__set_max_entries(probe->maps.unwind_rows,
                                   options->n_unwind_rows ? options->n_unwind_rows : 1);
}

static const char *kernel_release(struct utsname *names)
{
    return uname(names) < 0 ? "(unknown)" : names->release;
}

static int load(struct sampler *s, enum result_reason *ret_reason, struct err *e)
{
    struct utsname names;
    int code;

    if (access("/sys/kernel/btf/vmlinux", R_OK) < 0) {
        *ret_reason = RESULT_KERNEL_TOO_OLD;
        return err_set(e, -ENOENT,
                       "read '/sys/kernel/btf/vmlinux': %s: a kernel from 5.10 on with "
                       "CONFIG_DEBUG_INFO_BTF is needed",
                       err_text(errno));
    }
    code = probe__load(s->probe);
    if (code == 0)
        return 0;
    if (verifier_refused) {
        *ret_reason = RESULT_KERNEL_TOO_OLD;
        return err_set(
            e, code,
            "load the BPF programs: the verifier of kernel %s does not accept them (%s); "
            "please report this release",
            kernel_release(&names), err_text(code));
    }
    if (permission_is(code)) {
        *ret_reason = RESULT_NO_PERMISSION;
        return permission_explain(PERMISSION_BPF, code, "load the BPF programs", e);
    }
    /* An unknown map type (ring buffers came with 5.8) is -EINVAL, as is a helper. */
    *ret_reason = code == -EINVAL || code == -ENOTSUP ? RESULT_KERNEL_TOO_OLD : RESULT_INTERNAL;
    return err_set(e, code, "load the BPF programs: %s (%s)", err_text(code), libbpf_warning);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* An error ends the reading; the next one begins behind this record. */
static int deliver(void *arg, void *data, size_t size)
{
    struct sampler *s = arg;
    const struct record *r = data;

    if (size < sizeof(*r) || size < sizeof(*r) + record_words(r) * sizeof(uint64_t))
        return 0; /* not ours: no program of this sampler writes such a record */
    if (!s->on_record) {
        s->given_up += r->kind == RECORD_SAMPLE;
        return 0;
    }
    s->on_record(s->arg, r, (const uint64_t *)(const void *)(r + 1));
    return now_ns() < s->until_ns ? 0 : -ETIME;
}

/* The clock of a cgroup is its own; what becomes of processes is told of all and filtered. */
static int limit_to_cgroup(struct sampler *s, const struct sampler_options *options, struct err *e)
{
    uint32_t zero = 0;

    if (!s->uses_cgroup)
        return 0;

    int code = bpf_map_update_elem(bpf_map__fd(s->probe->maps.scope_cgroup), &zero,
                                   &options->cgroup_fd, BPF_ANY);
    return code < 0 ? err_set(e, code, "hand over the cgroup: %s", err_text(code)) : 0;
}

static int open_all(struct sampler *s, const struct sampler_options *options,
                    enum result_reason *ret_reason, struct err *e)
{
    if (open_clock(s, options, ret_reason, e) < 0)
        return e->code;
    s->probe = probe__open();
    if (!s->probe)
        return err_set(e, -errno, "open the BPF programs: %s", err_text(errno));
    configure(s, options);
    if (load(s, ret_reason, e) < 0 || limit_to_cgroup(s, options, e) < 0)
        return e->code;
    s->ring = ring_buffer__new(bpf_map__fd(s->probe->maps.records), deliver, s, NULL);
    if (!s->ring)
        return err_set(e, -errno, "map the ring buffer: %s", err_text(errno));
    return 0;
}

int sampler_open(const struct sampler_options *options, sampler_fn on_record, void *arg,
                 struct sampler **ret_sampler, enum result_reason *ret_reason, struct err *e)
{
    struct sampler *s = mem_zalloc(sizeof(*s));

    libbpf_warning[0] = '\0';
    verifier_refused = false;
    (void)libbpf_set_print(keep_warning);
    s->on_record = on_record;
    s->arg = arg;
    s->n_cpus = libbpf_num_possible_cpus();
    if (s->n_cpus < 1)
        s->n_cpus = 1;
    s->ticks = mem_array((size_t)s->n_cpus, sizeof(struct bpf_link *));
    s->events = mem_array((size_t)s->n_cpus, sizeof(*s->events));
    memset(s->events, 0xff, (size_t)s->n_cpus * sizeof(*s->events));
    *ret_reason = RESULT_INTERNAL;
    if (open_all(s, options, ret_reason, e) < 0) {
        sampler_free(s);
        return e->code;
    }
    *ret_sampler = s;
    return 0;
}

static int attach_failed(int code, const char *doing, enum result_reason *ret_reason, struct err *e)
{
    *ret_reason = RESULT_INTERNAL;
    if (!permission_is(code))
        return err_set(e, code, "%s: %s", doing, err_text(code));
    *ret_reason = RESULT_NO_PERMISSION;
    return permission_explain(PERMISSION_PERF, code, doing, e);
}

int sampler_watch(struct sampler *s, enum result_reason *ret_reason, struct err *e)
{
    const struct {
        struct bpf_program *program;
        struct bpf_link **link;
    } hooks[] = { { s->probe->progs.on_fork, &s->probe->links.on_fork },
                  { s->probe->progs.on_exec, &s->probe->links.on_exec },
                  { s->probe->progs.on_exit, &s->probe->links.on_exit } };

    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        *hooks[i].link = bpf_program__attach(hooks[i].program);
        if (!*hooks[i].link)
            return attach_failed(-errno, "attach to the tracepoints of processes", ret_reason, e);
    }
    return 0;
}

int sampler_follow(struct sampler *s, pid_t pid, struct err *e)
{
    uint32_t key = (uint32_t)pid;
    uint64_t started = 0;
    int code =
        bpf_map_update_elem(bpf_map__fd(s->probe->maps.scope_pids), &key, &started, BPF_NOEXIST);

    if (code == -EEXIST)
        return 0;
    return code < 0 ? err_set(e, code, "follow process %d: %s", pid, err_text(code)) : 0;
}

size_t sampler_forget_dead(struct sampler *s, bool (*alive)(pid_t pid))
{
    int map = bpf_map__fd(s->probe->maps.scope_pids);
    uint32_t key, next;
    size_t n_left = 0;
    bool more = bpf_map_get_next_key(map, NULL, &key) == 0;

    for (size_t i = 0; more && i < 2 * (size_t)RECORD_PIDS_MAX; i++, key = next) {
        more = bpf_map_get_next_key(map, &key, &next) == 0;
        if (alive((pid_t)key))
            n_left++;
        else
            (void)bpf_map_delete_elem(map, &key);
    }
    return n_left;
}

struct unwind_maps sampler_unwind_maps(const struct sampler *s)
{
    return (struct unwind_maps){
        .rows = bpf_map__fd(s->probe->maps.unwind_rows),
        .rules = bpf_map__fd(s->probe->maps.unwind_rules),
        .mappings = bpf_map__fd(s->probe->maps.unwind_mappings),
        .spaces = bpf_map__fd(s->probe->maps.unwind_spaces),
        .n_rows = bpf_map__max_entries(s->probe->maps.unwind_rows),
    };
}

void sampler_runtime_maps(const struct sampler *s, int ret_spaces[RUNTIME_COUNT])
{
    ret_spaces[RUNTIME_PYTHON] = bpf_map__fd(s->probe->maps.python_spaces);
    ret_spaces[RUNTIME_V8] = bpf_map__fd(s->probe->maps.v8_spaces);
    ret_spaces[RUNTIME_HOTSPOT] = bpf_map__fd(s->probe->maps.hotspot_spaces);
}

int sampler_start(struct sampler *s, enum result_reason *ret_reason, struct err *e)
{
    for (int cpu = 0; cpu < s->n_cpus; cpu++) {
        if (s->events[cpu] < 0)
            continue;
        s->ticks[cpu] = bpf_program__attach_perf_event(s->probe->progs.on_tick, s->events[cpu]);
        if (!s->ticks[cpu])
            return attach_failed(-errno, "attach to the CPU clock", ret_reason, e);
        s->events[cpu] = -1; /* the link owns it */
    }
    return 0;
}

void sampler_stop(struct sampler *s)
{
    for (int cpu = 0; cpu < s->n_cpus; cpu++) {
        (void)bpf_link__destroy(s->ticks[cpu]); /* nothing is left to do about a failure */
        s->ticks[cpu] = NULL;
    }
}

int sampler_fd(const struct sampler *s)
{
    return ring_buffer__epoll_fd(s->ring);
}

bool sampler_drain(struct sampler *s, uint64_t until_ns)
{
    s->until_ns = until_ns;
    return ring_buffer__consume(s->ring) >= 0;
}

uint64_t sampler_give_up(struct sampler *s)
{
    s->on_record = NULL;
    (void)ring_buffer__consume(s->ring);
    return s->given_up;
}

struct record_counters sampler_counters(const struct sampler *s)
{
    struct record_counters *sets = mem_array((size_t)s->n_cpus, sizeof(*sets));
    struct record_counters sum = { 0 };
    uint32_t zero = 0;

    if (bpf_map_lookup_elem(bpf_map__fd(s->probe->maps.counters), &zero, sets) == 0) {
        for (int cpu = 0; cpu < s->n_cpus; cpu++) {
            sum.lost_full += sets[cpu].lost_full;
            sum.lost_events += sets[cpu].lost_events;
            sum.lost_exiting += sets[cpu].lost_exiting;
            sum.lost_pids += sets[cpu].lost_pids;
        }
    }
    free(sets);
    return sum;
}

bool sampler_uses_cgroup(const struct sampler *s)
{
    return s->uses_cgroup;
}

void sampler_free(struct sampler *s)
{
    if (!s)
        return;
    sampler_stop(s);
    close_events(s);
    ring_buffer__free(s->ring);
    probe__destroy(s->probe);
    free((void *)s->ticks);
    free(s->events);
    free(s);
}
