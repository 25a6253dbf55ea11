/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/runtimes.h"

#include "agent/hash.h"
#include "agent/proc_file.h"
#include "agent/runtimes/reading.h"
#include "agent/runtimes/runtime_functions.h"
#include "agent/runtimes/runtime_images.h"
#include "agent/runtimes/runtime_threads.h"
#include "lib/mem.h"

#include <assert.h>
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSIONS_MAX = 8, VERSION_SIZE = 64, SPACE_SIZE_MAX = 256 };

/* Of a language that begins to run: ten seconds. */
#define RETRY_NS UINT64_C(20000000)
/* A pid is not given to another process so soon after it was seen to be this one's. */
#define SURE_NS UINT64_C(20000000)
enum { TRIES_MAX = 500 };

const char runtime_not_yet[] = "not seen to run";

const struct runtime_kind *const runtime_kinds[RUNTIME_COUNT] = {
    [RUNTIME_PYTHON] = &runtime_python,
    [RUNTIME_V8] = &runtime_v8,
    [RUNTIME_HOTSPOT] = &runtime_hotspot,
};

struct process_key {
    uint64_t number; /* of the image that it runs */
    uint32_t runtime, pad;
};

struct process {
    struct process_key key;
    pid_t pid;
    uint64_t started; /* as proc_file_started() has it */
    uint64_t sure_ns; /* when the pid was last seen to be this process's */
    void *data;       /* owned; NULL: it cannot be walked */
    unsigned char space[SPACE_SIZE_MAX];
    struct process_image run;
    const void *image; /* borrowed; of the language */
    uint64_t bias;
    uint32_t n_tries; /* 0: it is known whether it can be walked */
    UT_hash_handle hh;
};

struct runtimes {
    struct runtime_images *images; /* owned */
    int spaces[RUNTIME_COUNT];     /* -1: not attached yet */
    struct process *processes;     /* by key */
    struct reading reading;
    struct runtime_functions *functions; /* owned, as are the threads */
    struct runtime_threads *threads;
    char versions[VERSIONS_MAX][VERSION_SIZE];
    size_t n_versions;
    uint32_t n_starting; /* processes that are not walked yet */
    uint64_t retry_ns;   /* when they are looked at again */
};

struct runtimes *runtimes_new(struct images *images)
{
    struct runtimes *r = mem_zalloc(sizeof(*r));

    r->images = runtime_images_new(images);
    reading_init(&r->reading);
    r->functions = runtime_functions_new(&r->reading);
    r->threads = runtime_threads_new();
    for (int i = 0; i < RUNTIME_COUNT; i++)
        r->spaces[i] = -1;
    return r;
}

static void free_process(struct process *process)
{
    const struct runtime_kind *kind = runtime_kinds[process->key.runtime];

    if (process->data && kind->release_process)
        kind->release_process(process->data);
    free(process->data);
    free(process);
}

void runtimes_free(struct runtimes *r)
{
    struct process *process, *next;

    if (!r)
        return;
    runtime_threads_free(r->threads);
    runtime_functions_free(r->functions);
    HASH_ITER (hh, r->processes, process, next) {
        HASH_DEL(r->processes, process);
        free_process(process);
    }
    runtime_images_free(r->images);
    free(r);
}

static void tell_kernel(const struct runtimes *r, const struct process *process)
{
    int map = r->spaces[process->key.runtime];

    if (map >= 0 && process->data &&
        process->n_tries == 0) /* when it fails, native frames are all there is */
        (void)bpf_map_update_elem(map, &process->pid, process->space, BPF_ANY);
}

void runtimes_attach(struct runtimes *r, const int spaces[RUNTIME_COUNT])
{
    memcpy(r->spaces, spaces, sizeof(r->spaces));
    for (const struct process *process = r->processes; process; process = process->hh.next)
        tell_kernel(r, process);
}

static void note_version(struct runtimes *r, const char *version, const char *why)
{
    char text[VERSION_SIZE];

    (void)snprintf(text, sizeof(text), "%s%s%s", version, why ? ": " : "", why ? why : "");
    for (size_t i = 0; i < r->n_versions; i++) {
        if (strcmp(r->versions[i], text) == 0)
            return;
    }
    if (r->n_versions < VERSIONS_MAX)
        memcpy(r->versions[r->n_versions++], text, sizeof(text));
}

static struct process *find_process(const struct runtimes *r, const struct process_key *key)
{
    struct process *process;

    HASH_FIND(hh, r->processes, key, sizeof(*key), process);
    return process;
}

static void try_to_meet(struct runtimes *r, struct process *process)
{
    const struct runtime_kind *kind = runtime_kinds[process->key.runtime];
    const char *why = kind->meet(process->pid, &process->run, process->image, process->bias,
                                 process->data, process->space);
    char version[VERSION_SIZE];

    if (why == runtime_not_yet && process->n_tries++ < TRIES_MAX) {
        r->n_starting += process->n_tries == 1;
        return;
    }
    r->n_starting -= process->n_tries > 0;
    process->n_tries = 0;
    kind->version(process->image, process->data, version, sizeof(version));
    note_version(r, version, why);
    if (why) {
        free(process->data);
        process->data = NULL;
    }
    tell_kernel(r, process);
}

/* A process that runs a language, met for the first time. */
static void meet(struct runtimes *r, struct process *process)
{
    const struct runtime_kind *kind = runtime_kinds[process->key.runtime];

    assert(kind->space_size <= sizeof(process->space));
    process->data = mem_zalloc(kind->process_size);
    HASH_ADD(hh, r->processes, key, sizeof(process->key), process);
    try_to_meet(r, process);
}

/* Does the pid still lead to it? */
static bool is_there(struct process *process)
{
    uint64_t now_ns = reading_clock_ns(CLOCK_MONOTONIC);

    if (now_ns - process->sure_ns < SURE_NS)
        return true;
    if (proc_file_started(process->pid) != process->started)
        return false;
    process->sure_ns = now_ns;
    return true;
}

uint64_t runtimes_work(struct runtimes *r, uint64_t now_ns)
{
    struct process *p = r->processes;
    uint64_t began_ns;

    if (r->n_starting > 0 && now_ns < r->retry_ns)
        return r->retry_ns;
    for (; p && r->n_starting > 0; p = p->hh.next) {
        if (p->n_tries == 0 || !is_there(p))
            continue;
        if (!reading_begin(&r->reading, &began_ns))
            break;
        try_to_meet(r, p);
        reading_end(&r->reading, began_ns);
    }
    r->retry_ns = now_ns + RETRY_NS;
    return r->n_starting > 0 ? r->retry_ns : UINT64_MAX;
}

static struct process_key key_of(uint64_t number, uint32_t runtime)
{
    return (struct process_key){ number, runtime, 0 };
}

static void look_for(struct runtimes *r, enum runtime_id runtime, const struct runtimes_target *t,
                     const struct code *code)
{
    const void *image = runtime_images_look(r->images, code->image, runtime);
    struct process_key key = key_of(t->number, runtime);
    struct process *process;
    uint64_t bias;

    if (!image || find_process(r, &key) || !runtime_images_bias(r->images, code, &bias))
        return;
    if (HASH_COUNT(r->processes) >= RUNTIMES_PROCESSES_MAX) {
        r->reading.n_put_off++;
        return;
    }
    process = mem_zalloc(sizeof(*process));
    process->key = key;
    process->pid = t->pid;
    process->started = t->started;
    process->run = t->run;
    process->image = image;
    process->bias = bias;
    meet(r, process);
}

void runtimes_look(struct runtimes *r, const struct runtimes_target *target,
                   const struct code *code, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (int j = 0; code[i].image != IMAGE_NONE && j < RUNTIME_COUNT; j++)
            look_for(r, j, target, &code[i]);
    }
}

void runtimes_forget(struct runtimes *r, uint64_t number)
{
    for (uint32_t i = 0; i < RUNTIME_COUNT; i++) {
        struct process_key key = key_of(number, i);
        struct process *process = find_process(r, &key);

        if (!process)
            continue;
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in there */
        HASH_DEL(r->processes, process);
        r->n_starting -= process->n_tries > 0;
        free_process(process);
    }
}

bool runtimes_has_image(const struct runtimes *r, uint32_t image)
{
    for (int i = 0; i < RUNTIME_COUNT; i++) {
        if (runtime_images_at(r->images, image, i))
            return true;
    }
    return false;
}

bool runtimes_is_loop(const struct runtimes *r, uint32_t image, uint64_t off)
{
    return runtime_images_is_loop(r->images, image, off);
}

/* Where the functions are read of a language that the process @number runs. */
static struct runtime_place place_of(const struct runtimes *r, uint64_t number, uint32_t runtime)
{
    struct process_key key = key_of(number, runtime);
    struct process *process = find_process(r, &key);

    return process && process->n_tries == 0 && is_there(process)
               ? (struct runtime_place){ process->pid, process->data }
               : (struct runtime_place){ 0 };
}

void runtimes_begin_stack(struct runtimes *r)
{
    runtime_functions_begin_stack(r->functions);
}

size_t runtimes_place(struct runtimes *r, uint64_t number, const struct runtime_frame *frame,
                      uint64_t pc, struct runtimes_call ret_calls[RUNTIME_CALLS_MAX])
{
    uint32_t runtime = (uint32_t)(frame->object >> RUNTIME_OBJECT_BITS);
    struct runtime_place place;

    if (runtime >= RUNTIME_COUNT)
        return 0;
    place = place_of(r, number, runtime);
    return runtime_functions_find(r->functions, number, &place, frame, pc, ret_calls);
}

char *runtimes_name(const struct runtimes *r, uint32_t function, uint32_t line, bool *ret_known)
{
    return runtime_functions_name(r->functions, function, line, ret_known);
}

enum runtime_id runtimes_jit(const struct runtimes *r, uint64_t number)
{
    for (uint32_t i = 0; i < RUNTIME_COUNT; i++) {
        struct process_key key = key_of(number, i);

        if (runtime_kinds[i]->jit_name && find_process(r, &key))
            return i;
    }
    return RUNTIME_COUNT;
}

const char *runtimes_jit_name(enum runtime_id runtime)
{
    return runtime_kinds[runtime]->jit_name;
}

int64_t runtimes_put_off(const struct runtimes *r)
{
    return r->reading.n_put_off;
}

/* NULL: no language of the process has one for it. */
static char *read_thread_name(struct runtimes *r, uint64_t number, pid_t tid, uint64_t id)
{
    char *name = NULL;

    for (uint32_t i = 0; i < RUNTIME_COUNT && !name; i++) {
        struct runtime_place place = place_of(r, number, i);
        uint64_t began_ns;

        if (!runtime_kinds[i]->thread_name || !place.data)
            continue;
        if (!reading_begin(&r->reading, &began_ns))
            return NULL;
        name = runtime_kinds[i]->thread_name(place.pid, place.data, id, proc_file_nspid(tid));
        reading_end(&r->reading, began_ns);
    }
    return name;
}

const char *runtimes_thread_name(struct runtimes *r, uint64_t number, pid_t tid, uint64_t id)
{
    bool is_due;
    char **name = runtime_threads_at(r->threads, number, tid, id, &is_due);

    if (!*name && is_due)
        *name = read_thread_name(r, number, tid, id);
    return *name;
}

const char *runtimes_version(const struct runtimes *r, size_t i)
{
    return i < r->n_versions ? r->versions[i] : NULL;
}
