/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/run.h"

#include "agent/permission.h"
#include "agent/proc_file.h"
#include "agent/runtimes/runtimes.h"
#include "agent/sampler.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

DEFINE_CLEANUP(struct sampler *, sampler_free)
#define _cleanup_sampler_ __attribute__((cleanup(sampler_freep)))

enum {
    TICK_MS = 100,        /* how long records may wait in the ring buffer */
    CALM_MS = 20,         /* how long it is not listened to when the target hurries too much */
    ALIVE_CHECK_MS = 500, /* how late the end of the target may be noticed */
    REST_MS = 2000,       /* for the records that wait at the end */
    FOLLOW_ROUNDS_MAX = 8,
};

#define MS 1000000ULL

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int64_t now_ms(void)
{
    return (int64_t)(now_ns() / MS);
}

static int open_signals(void)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int gone(const struct target *target, enum result_reason *ret_reason, struct err *e)
{
    *ret_reason = RESULT_TARGET_GONE;
    if (target->pid > 0)
        return err_set(e, -ESRCH, "no process %d is running", target->pid);
    return err_set(e, -ESRCH, "no process of container '%s' is running on this node",
                   target->container_id);
}

/* The first look: is somebody there, and may we look closer? */
static int find(const struct target *target, struct target_pids *ret_pids,
                enum result_reason *ret_reason, struct err *e)
{
    int code = -ESRCH;

    *ret_reason = RESULT_INTERNAL;
    if (target_find(target, ret_pids, e) < 0)
        return e->code;
    for (size_t i = 0; i < ret_pids->n; i++) {
        code = proc_file_may_look(ret_pids->pids[i]);
        if (code == 0)
            return 0;
    }
    if (!permission_is(code))
        return gone(target, ret_reason, e);
    *ret_reason = RESULT_NO_PERMISSION;
    return permission_explain(PERMISSION_PTRACE, code, "look into the target's /proc/PID/root", e);
}

/*
 * Forks are followed first, then the processes that exist are entered, and looked up again until
 * there is no new one: what was forked in between has a parent that was entered in time.
 */
static int follow(struct sampler *s, const struct target *target, const struct target_pids *first,
                  struct err *e)
{
    size_t n_known = 0, n_now = first->n;

    for (size_t i = 0; i < first->n; i++) {
        if (sampler_follow(s, first->pids[i], e) < 0)
            return e->code;
    }
    for (int round = 0; round < FOLLOW_ROUNDS_MAX && n_now != n_known; round++) {
        _cleanup_target_pids_ struct target_pids again = { 0 };

        n_known = n_now;
        if (target_find(target, &again, e) < 0)
            return e->code;
        for (size_t i = 0; i < again.n; i++) {
            if (sampler_follow(s, again.pids[i], e) < 0)
                return e->code;
        }
        n_now = again.n;
    }
    return 0;
}

static void on_record(void *arg, const struct record *record, const uint64_t *pcs)
{
    profile_add(arg, record, pcs);
}

/* No cgroup and no mount namespace to know the container's processes by. */
static int cannot_tell_apart(const struct target *target, const struct target_pids *pids,
                             enum result_reason *ret_reason, struct err *e)
{
    for (size_t i = 0; i < pids->n; i++) {
        if (target_alive(pids->pids[i])) {
            *ret_reason = RESULT_INTERNAL;
            return err_set(e, -ENOTSUP,
                           "container '%s' shares the node's mount namespace, and no cgroup v2 "
                           "hierarchy is in reach: its processes cannot be told from the node's",
                           target->container_id);
        }
    }
    return gone(target, ret_reason, e);
}

static int open_sampler(const struct run_options *options, const struct target_pids *pids,
                        struct profile *profile, struct sampler **ret_sampler,
                        enum result_reason *ret_reason, struct err *e)
{
    const struct target *target = &options->target;
    bool by_pid = target->pid > 0;
    _cleanup_close_ int cgroup_fd = -1;
    _cleanup_sampler_ struct sampler *s = NULL;
    _cleanup_target_pids_ struct target_pids again = { 0 };
    struct sampler_options sampling = { .frequency = options->frequency, .by_pid = by_pid };

    if (!by_pid) {
        for (size_t i = 0; i < pids->n && cgroup_fd < 0; i++)
            cgroup_fd = target_open_cgroup(target, pids->pids[i]);
        if (target_mntns(pids, sampling.mntns) == 0 && cgroup_fd < 0)
            return cannot_tell_apart(target, pids, ret_reason, e);
    }
    sampling.cgroup_fd = cgroup_fd;
    profile_expect(profile, pids->pids, pids->n, now_ns());
    sampling.n_unwind_rows = unwind_tables_room(profile_tables(profile));
    if (sampler_open(&sampling, on_record, profile, &s, ret_reason, e) < 0)
        return e->code;

    struct unwind_maps maps = sampler_unwind_maps(s);
    int spaces[RUNTIME_COUNT];

    sampler_runtime_maps(s, spaces);
    runtimes_attach(profile_runtimes(profile), spaces);
    if (unwind_tables_attach(profile_tables(profile), &maps, e) < 0 ||
        sampler_watch(s, ret_reason, e) < 0 || (by_pid && follow(s, target, pids, e) < 0) ||
        target_find(target, &again, e) < 0)
        return e->code;
    /* What changed before the kernel began to tell of it is read once more. */
    profile_expect(profile, again.pids, again.n, now_ns());
    if (sampler_start(s, ret_reason, e) < 0)
        return e->code;
    *ret_sampler = take_ptr(s);
    return 0;
}

/* Containers may start processes at any time (exec), so one is gone only when a new look says so.
 */
static bool is_target_left(const struct target *target, struct sampler *s, struct target_pids *pids)
{
    struct err ignored = { 0 };

    if (target->pid > 0)
        return sampler_forget_dead(s, target_alive) > 0;
    for (size_t i = 0; i < pids->n; i++) {
        if (target_alive(pids->pids[i]))
            return true;
    }
    target_pids_release(pids);
    return target_find(target, pids, &ignored) < 0 || pids->n > 0;
}

static void show_progress(int64_t elapsed_ms, int64_t duration_s, int64_t samples)
{
    (void)fprintf(stderr, "\r\033[K%lld of %lld s, %lld samples", (long long)(elapsed_ms / 1000),
                  (long long)duration_s, (long long)samples);
}

/* For a moment, and for less when there is something to do; the signal that came meanwhile, or 0.
 */
static int wait_for_records(struct sampler *s, struct profile *profile, int signals,
                            int64_t left_ms, uint64_t next_work_ns)
{
    struct pollfd fds[] = { { .fd = signals, .events = POLLIN },
                            { .fd = sampler_fd(s), .events = POLLIN } };
    struct signalfd_siginfo info;
    uint64_t now = now_ns();
    bool may_hurry = profile_may_hurry(profile, now);
    uint64_t wait = (may_hurry ? TICK_MS : CALM_MS) * MS;

    if (may_hurry && next_work_ns < now + wait)
        wait = next_work_ns > now ? next_work_ns - now : 0;
    if (wait > (uint64_t)left_ms * MS)
        wait = (uint64_t)left_ms * MS;

    struct timespec timeout = { .tv_sec = 0, .tv_nsec = (long)wait };

    if (ppoll(fds, may_hurry ? 2 : 1, &timeout, NULL) > 0 && fds[0].revents &&
        read(signals, &info, sizeof(info)) == sizeof(info))
        return (int)info.ssi_signo;
    return 0;
}

static void loop(const struct run_options *options, struct sampler *s, struct profile *profile,
                 int signals, struct target_pids *pids, struct run_outcome *outcome)
{
    int64_t started = now_ms(), last_check = started, now = started;
    int64_t end = started + options->duration_s * 1000;
    uint64_t next_work_ns = 0, given_up = 0;

    outcome->started_ns = now_ns();
    if (options->log)
        log_event(LOG_INFO, "sampling", LOG_INT("duration_s", options->duration_s),
                  LOG_INT("frequency", options->frequency));
    while (now < end && outcome->signal == 0 && !outcome->target_gone) {
        outcome->signal = wait_for_records(s, profile, signals, end - now, next_work_ns);
        (void)sampler_drain(s, now_ns() + TICK_MS * MS);
        next_work_ns = profile_work(profile, now_ns());
        now = now_ms();
        if (now - last_check < ALIVE_CHECK_MS)
            continue;
        last_check = now;
        outcome->target_gone = !is_target_left(&options->target, s, pids);
        if (options->show_progress)
            show_progress(now - started, options->duration_s, profile_samples(profile));
    }
    sampler_stop(s);
    outcome->stopped_ns = now_ns();
    outcome->duration_ms = now_ms() - started;
    if (!sampler_drain(s, now_ns() + REST_MS * MS))
        given_up = sampler_give_up(s);
    outcome->not_recorded = sampler_counters(s);
    outcome->not_recorded.lost_full += given_up;
    if (options->show_progress)
        (void)fputs("\r\033[K", stderr);
}

static int judge(const struct run_options *options, const struct profile *profile,
                 const struct run_outcome *outcome, enum result_reason *ret_reason, struct err *e)
{
    if (profile_samples(profile) > 0)
        return 0;
    if (outcome->target_gone) {
        *ret_reason = RESULT_TARGET_GONE;
        return err_set(e, -ESRCH, "%s ended before it could be sampled",
                       options->target.pid > 0 ? "the process" : "the container");
    }
    *ret_reason = RESULT_NO_SAMPLES;
    return err_set(e, -ENODATA,
                   "no samples in %lld.%03lld s: %s used no CPU in that time; profile it while it "
                   "works, or for longer",
                   (long long)(outcome->duration_ms / 1000),
                   (long long)(outcome->duration_ms % 1000),
                   options->target.pid > 0 ? "the process" : "the container");
}

int run(const struct run_options *options, struct profile *profile, struct run_outcome *ret_outcome,
        enum result_reason *ret_reason, struct err *e)
{
    _cleanup_target_pids_ struct target_pids pids = { 0 };
    _cleanup_sampler_ struct sampler *s = NULL;
    struct run_outcome outcome = { 0 };

    *ret_reason = RESULT_INTERNAL;
    _cleanup_close_ int signals = open_signals();
    if (signals < 0)
        return err_set(e, -errno, "open a signalfd: %s", err_text(errno));
    if (find(&options->target, &pids, ret_reason, e) < 0)
        return e->code;
    if (open_sampler(options, &pids, profile, &s, ret_reason, e) < 0)
        return e->code;
    loop(options, s, profile, signals, &pids, &outcome);
    *ret_outcome = outcome;
    return judge(options, profile, &outcome, ret_reason, e);
}
