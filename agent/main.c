/* SPDX-License-Identifier: Apache-2.0 */
/* podflame-agent: profiles one container or process tree, writes one result, and ends. */
#include "agent/cgroup_text.h"
#include "agent/files.h"
#include "agent/flame/flame.h"
#include "agent/output.h"
#include "agent/proc_file.h"
#include "agent/profile.h"
#include "agent/run.h"
#include "agent/watchdog.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/log.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

DEFINE_CLEANUP(struct profile *, profile_free)
#define _cleanup_profile_ __attribute__((cleanup(profile_freep)))
DEFINE_CLEANUP(struct flame *, flame_free)
#define _cleanup_flame_ __attribute__((cleanup(flame_freep)))

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, NOTE_MAX_BYTES = 256 };

struct arguments {
    struct run_options run;
    int64_t pid;
    const char *format, *output;
    const char *container_id; /* as given, perhaps with a scheme */
    const char *pod, *container, *node;
    bool stream, verbose;
    uint64_t begun_ns; /* CLOCK_MONOTONIC */
};

static int parse(int argc, char **argv, struct arguments *a, struct err *e)
{
    struct cli_option options[] = {
        { "target", NULL, NULL, CLI_HEADING, NULL, 0, 0 },
        { "pid", "PID", "this process and its descendants, those born later too", CLI_INT, &a->pid,
          1, INT32_MAX },
        { "container-id", "ID", "every process of this container; 'containerd://ID' will do",
          CLI_TEXT, &a->container_id, 0, 0 },
        { "pod-uid", "UID", "the pod of that container", CLI_TEXT, &a->run.target.pod_uid, 0, 0 },
        { "sampling", NULL, NULL, CLI_HEADING, NULL, 0, 0 },
        { "duration", "TIME", "such as 30s, 2m or 1m30s, at most 1h (default 10s)", CLI_DURATION,
          &a->run.duration_s, 0, 0 },
        { "frequency", "HZ", "samples a second and busy CPU, 1 to 999 (default 99)", CLI_INT,
          &a->run.frequency, 1, 999 },
        { "output", NULL, NULL, CLI_HEADING, NULL, 0, 0 },
        { "format", "FORMAT", "html or folded (default html)", CLI_TEXT, &a->format, 0, 0 },
        { "output", "FILE", "where to; - is stdout (default flame.html, folded: -)", CLI_TEXT,
          &a->output, 0, 0 },
        { "stream", NULL, "write the framed result, or the failure, that the operator reads",
          CLI_FLAG, &a->stream, 0, 0 },
        { "verbose", NULL, "say on stderr how long each step took", CLI_FLAG, &a->verbose, 0, 0 },
        { "pod", "NAMESPACE/NAME", "for the page's header", CLI_TEXT, &a->pod, 0, 0 },
        { "container", "NAME", "for the page's header", CLI_TEXT, &a->container, 0, 0 },
        { "node", "NAME", "for the page's header", CLI_TEXT, &a->node, 0, 0 },
        { 0 },
    };
    const struct cli_program program = {
        .name = "podflame-agent",
        .usage = "podflame-agent --pid PID [options]\n"
                 "       podflame-agent --pod-uid UID --container-id ID [options]",
        .summary = "Samples where a running process or container spends its CPU time, and writes a "
                   "flame graph.\nThe target is not stopped, changed or restarted. Needs root, or "
                   "the capabilities BPF,\nPERFMON and SYS_PTRACE. Ctrl-C ends the sampling early "
                   "and keeps what was sampled.\n"
                   "Stacks are whole without frame pointers on x86-64, up to 1,800 frames; "
                   "elsewhere, and where\nnothing describes the code, frame pointers are followed.",
        .options = options,
        .footer = "exit codes: 0 a profile was written, 1 failed, 2 wrong usage\n\n"
                  "example: podflame-agent --pid 1234 --duration 30s --output flame.html",
    };
    int first_operand = argc;
    int code = cli_parse(&program, argc, argv, &first_operand, e);

    if (code != CLI_RUN)
        return code;
    if (first_operand < argc)
        return err_set(e, -EINVAL, "'%s' is not an option; try 'podflame-agent --help'",
                       argv[first_operand]);
    return CLI_RUN;
}

/* What the table of options cannot say. */
static int check(struct arguments *a, struct err *e)
{
    bool by_container = a->container_id || a->run.target.pod_uid;

    if ((a->pid > 0) == by_container)
        return err_set(e, -EINVAL,
                       "name one target: --pid, or --container-id with --pod-uid; try "
                       "'podflame-agent --help'");
    if (by_container && (!a->container_id || !*cgroup_text_strip_scheme(a->container_id)))
        return err_set(e, -EINVAL, "--container-id is needed with --pod-uid");
    if (strcmp(a->format, "html") != 0 && strcmp(a->format, "folded") != 0)
        return err_set(e, -EINVAL, "--format '%s': must be html or folded", a->format);
    if (a->stream && (a->output || strcmp(a->format, "html") != 0))
        return err_set(e, -EINVAL, "--stream goes without --output and --format");
    if (!a->output)
        a->output = strcmp(a->format, "html") == 0 ? "flame.html" : "-";
    a->run.target.pid = (pid_t)a->pid;
    if (by_container)
        a->run.target.container_id = cgroup_text_strip_scheme(a->container_id);
    a->run.log = a->stream || a->verbose;
    a->run.show_progress = !a->run.log && isatty(STDERR_FILENO);
    return 0;
}

/* To what we may without a capability; libbpf goes further where it needs to and may. */
static void raise_memlock(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_MEMLOCK, &limit); /* the kernel will say what did not fit */
    }
}

/* The signals are for run()'s signalfd. */
static void prepare(void)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* a closed stdout is an error like any other */
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    raise_memlock();
    files_raise_limit();
}

struct texts {
    char started[32], target[64];
    struct utsname kernel;
};

static void describe(const struct arguments *a, struct texts *texts)
{
    char comm[32] = "";
    time_t now = time(NULL);
    struct tm utc;

    (void)gmtime_r(&now, &utc);
    (void)strftime(texts->started, sizeof(texts->started), "%Y-%m-%dT%H:%M:%SZ", &utc);
    (void)uname(&texts->kernel);
    if (a->pid == 0)
        return;
    (void)proc_file_read((pid_t)a->pid, "comm", comm, sizeof(comm));
    comm[strcspn(comm, "\n")] = '\0';
    (void)snprintf(texts->target, sizeof(texts->target), "pid %lld (%s)", (long long)a->pid, comm);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* What the kernel side dropped. */
static void count_dropped(const struct record_counters *c, struct result_profile *p)
{
    p->lost = (int64_t)(c->lost_full + c->lost_exiting);
    p->notes[RESULT_NOTE_LOST_BUFFER_FULL] = (int64_t)c->lost_full;
    p->notes[RESULT_NOTE_LOST_EXITING] = (int64_t)c->lost_exiting;
    p->notes[RESULT_NOTE_EVENTS_LOST] = (int64_t)c->lost_events;
    p->notes[RESULT_NOTE_NOT_FOLLOWED] = (int64_t)c->lost_pids;
}

static struct flame_header make_header(const struct arguments *a, const struct texts *texts,
                                       const struct result_profile *p)
{
    return (struct flame_header){
        .pod = a->pod,
        .container = a->container,
        .node = a->node,
        .target = texts->target,
        .started = texts->started,
        .kernel = texts->kernel.release,
        .version = PODFLAME_VERSION,
        .duration_ms = p->duration_ms,
        .frequency = p->frequency,
        .samples = p->samples,
        .lost = p->lost,
        .truncated = p->truncated,
        .unknown = p->unknown,
        .processes = p->processes,
    };
}

static void tell(const struct arguments *a, const struct result_profile *p,
                 const struct flame_header *header)
{
    (void)fprintf(stderr,
                  "%s: %lld samples of %lld process%s in %lld.%lld s; %lld lost, %lld truncated, "
                  "%lld without a name\n",
                  strcmp(a->output, "-") == 0 ? "stdout" : a->output, (long long)p->samples,
                  (long long)p->processes, p->processes == 1 ? "" : "es",
                  (long long)(p->duration_ms / 1000), (long long)(p->duration_ms % 1000 / 100),
                  (long long)p->lost, (long long)p->truncated, (long long)p->unknown);
    for (size_t i = 0; i < FLAME_NOTES_MAX && header->notes[i]; i++)
        (void)fprintf(stderr, "  %s\n", header->notes[i]);
}

/* For benchmarks, and for who wonders. */
static void tell_times(const struct arguments *a, const struct run_outcome *outcome,
                       const struct profile *profile)
{
    uint64_t first_ns = profile_first_sample_ns(profile), written_ns = now_ns();
    struct rusage usage;

    if (!a->run.log)
        return;
    (void)getrusage(RUSAGE_SELF, &usage);
    log_event(LOG_INFO, "profile written",
              LOG_INT("start_to_sampling_ms", (outcome->started_ns - a->begun_ns) / 1000000),
              LOG_INT("start_to_first_sample_ms", (first_ns - a->begun_ns) / 1000000),
              LOG_INT("sampling_ms", outcome->duration_ms),
              LOG_INT("stop_to_page_ms", (written_ns - outcome->stopped_ns) / 1000000),
              LOG_INT("cpu_ms", (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                                    (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000),
              LOG_INT("peak_memory_kib", usage.ru_maxrss));
}

/* The notes of a profile as text, for as long as the page is written. */
struct notes {
    struct buf texts[RESULT_NOTE_COUNT];
};
static_assert((int)RESULT_NOTE_COUNT + (int)RESULT_RUNTIMES_MAX < (int)FLAME_NOTES_MAX,
              "a page has room for every note");

static void notes_release(struct notes *notes)
{
    for (size_t i = 0; i < RESULT_NOTE_COUNT; i++)
        buf_release(&notes->texts[i]);
}

static void print_notes(const struct result_profile *p, struct notes *notes,
                        struct flame_header *header)
{
    size_t n = 0;

    for (size_t i = 0; i < RESULT_NOTE_COUNT; i++) {
        notes->texts[i] = (struct buf)BUF_INIT(NOTE_MAX_BYTES);
        if (p->notes[i] > 0 &&
            result_note_print((enum result_note)i, p->notes[i], &notes->texts[i]) == 0)
            header->notes[n++] = buf_str(&notes->texts[i]);
    }
    for (size_t i = 0; i < RESULT_RUNTIMES_MAX && p->runtimes[i][0]; i++) {
        if (strstr(p->runtimes[i], ": ")) /* why it is not walked */
            header->notes[n++] = p->runtimes[i];
    }
}

static int write_out(const struct arguments *a, const struct output *output,
                     const struct flame *flame, const struct texts *texts,
                     struct result_profile *result, enum result_reason *ret_reason, struct err *e)
{
    struct flame_header header = make_header(a, texts, result);
    __attribute__((cleanup(notes_release))) struct notes notes;

    int code;

    print_notes(result, &notes, &header);
    if (a->stream)
        return output_stream(flame, &header, result, ret_reason, e);
    if (strcmp(a->format, "folded") == 0)
        code = output_folded(output, flame, e);
    else
        code = output_html(output, flame, &header, e);
    if (code == 0)
        tell(a, result, &header);
    return code;
}

/* Everything after the arguments were found right. */
static int profile_target(const struct arguments *a, struct output *output,
                          enum result_reason *ret_reason, struct err *e)
{
    _cleanup_profile_ struct profile *profile = profile_new();
    _cleanup_flame_ struct flame *flame = NULL;
    struct result_profile result = { .frequency = a->run.frequency };
    struct run_outcome outcome = { 0 };
    struct texts texts = { 0 };

    *ret_reason = RESULT_INTERNAL;
    if (!a->stream && output_open(a->output, output, e) < 0)
        return e->code;
    watchdog_start(a->run.duration_s, a->stream, EXIT_FAILED);
    describe(a, &texts);
    if (run(&a->run, profile, &outcome, ret_reason, e) < 0)
        return e->code;
    *ret_reason = RESULT_INTERNAL;
    if (a->stream && outcome.signal != 0)
        return err_set(e, -EINTR,
                       "the agent was told to end (%s) before the profile was complete, as when "
                       "its pod is deleted or its node shuts down; create the PodFlame again",
                       strsignal(outcome.signal)); /* NOLINT(concurrency-mt-unsafe) */
    result.duration_ms = outcome.duration_ms;
    count_dropped(&outcome.not_recorded, &result);
    flame = profile_finish(profile, &result);
    watchdog_stop();
    if (write_out(a, output, flame, &texts, &result, ret_reason, e) < 0)
        return e->code;
    tell_times(a, &outcome, profile);
    return 0;
}

static int fail(bool stream, enum result_reason reason, const struct err *e, int exit_code)
{
    struct err write_error = { 0 };

    (void)fprintf(stderr, "podflame-agent: %s\n", e->msg);
    if (stream && output_stream_error(reason, e->msg, &write_error) < 0)
        (void)fprintf(stderr, "podflame-agent: %s\n", write_error.msg);
    return exit_code;
}

int main(int argc, char **argv)
{
    struct arguments a = { .run = { .duration_s = 10, .frequency = 99 },
                           .format = "html",
                           .begun_ns = now_ns() };
    struct output output = { .fd = -1 };
    enum result_reason reason = RESULT_INTERNAL;
    struct err e = { 0 };

    prepare();
    for (int i = 1; i < argc; i++) /* a reader of the stream is told of wrong arguments too */
        a.stream = a.stream || strcmp(argv[i], "--stream") == 0;

    int code = parse(argc, argv, &a, &e);

    if (code == CLI_EXIT_OK)
        return EXIT_OK;
    if (code < 0 || check(&a, &e) < 0)
        return fail(a.stream, reason, &e, EXIT_USAGE);
    code = profile_target(&a, &output, &reason, &e);
    output_close(&output, code == 0);
    return code < 0 ? fail(a.stream, reason, &e, EXIT_FAILED) : EXIT_OK;
}
