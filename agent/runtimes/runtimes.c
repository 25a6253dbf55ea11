/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/runtimes.h"

#include "agent/budget.h"
#include "agent/hash.h"
#include "agent/proc_file.h"
#include "lib/mem.h"

#include <assert.h>
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAGE = 4096, VERSIONS_MAX = 8, VERSION_SIZE = 64, SPACE_SIZE_MAX = 256, TRIES_MAX = 500 };

/* One part in so many of the time that reading takes counts against the budget: a twelfth of a CPU
 * in the long run, and 400 ms at first. */
enum { READING_SHARE = 4 };

const char runtime_not_yet[] = "not seen to run";

static const struct runtime_kind *const kinds[RUNTIME_COUNT] = {
    [RUNTIME_PYTHON] = &runtime_python,
    [RUNTIME_V8] = &runtime_v8,
    [RUNTIME_HOTSPOT] = &runtime_hotspot,
};

/* What is known of an image, for each language: NULL when it is not in it. */
struct looked {
    bool was_read;
    void *image[RUNTIME_COUNT]; /* owned */
};

struct process_key {
    uint64_t number; /* of the image that it runs */
    uint32_t runtime, pad;
};

struct process {
    struct process_key key;
    pid_t pid;
    void *data; /* owned; NULL: it cannot be walked */
    unsigned char space[SPACE_SIZE_MAX];
    struct process_image run;
    const void *image; /* borrowed; of the language */
    uint64_t bias;
    uint32_t n_tries; /* 0: it is known whether it can be walked */
    UT_hash_handle hh;
};

/* What the walk saw of a function: the same in a process and in what it forked. */
struct function_sight {
    uint64_t object;
    uint32_t check, runtime;
};

struct function_key {
    struct function_sight sight;
    uint64_t number; /* of the image that the process runs */
};

struct function {
    struct function_key key;
    void *data; /* owned; NULL: it was gone */
    uint32_t index;
    bool is_put_off; /* there was no time to read it yet */
    UT_hash_handle hh, hh_sight;
};

struct chain_key {
    struct function_key function;
    uint64_t pc;
    uint32_t at, pad;
};

/* What a frame runs. */
struct chain {
    struct chain_key key;
    UT_hash_handle hh;
    size_t n;
    struct runtimes_call calls[];
};

struct found_calls {
    struct runtimes_call calls[RUNTIME_CALLS_MAX];
    size_t n;
};

struct thread_key {
    uint64_t number; /* of the image that its process runs */
    uint64_t id;
    pid_t tid;
    uint32_t pad;
};

struct thread {
    struct thread_key key;
    char *name; /* owned; NULL: not known yet */
    uint32_t n_asked;
    UT_hash_handle hh;
};

struct runtimes {
    struct images *images;
    int spaces[RUNTIME_COUNT]; /* -1: not attached yet */
    struct looked *looked;     /* by index of the image */
    size_t n_looked;
    struct process *processes; /* by key */
    struct function *by_key;
    struct function *by_sight; /* those that could be read, the first of each */
    struct function **functions;
    uint32_t n_functions;
    struct chain *chains;   /* owned; by key */
    struct thread *threads; /* owned; by key */
    char versions[VERSIONS_MAX][VERSION_SIZE];
    size_t n_versions;
    uint32_t n_starting;  /* processes that are not walked yet */
    struct budget budget; /* of reading functions */
    int64_t n_put_off;
    size_t n_bytes; /* that functions keep */
};

struct runtimes *runtimes_new(struct images *images)
{
    struct runtimes *r = mem_zalloc(sizeof(*r));

    r->images = images;
    budget_init(&r->budget, 0);
    for (int i = 0; i < RUNTIME_COUNT; i++)
        r->spaces[i] = -1;
    return r;
}

static void free_process(struct process *process)
{
    const struct runtime_kind *kind = kinds[process->key.runtime];

    if (process->data && kind->release_process)
        kind->release_process(process->data);
    free(process->data);
    free(process);
}

static void free_function(struct function *function)
{
    if (function->data)
        kinds[function->key.sight.runtime]->release_function(function->data);
    free(function->data);
    free(function);
}

static void forget_threads(struct runtimes *r)
{
    struct thread *thread, *next;

    HASH_ITER (hh, r->threads, thread, next) {
        HASH_DEL(r->threads, thread);
        free(thread->name);
        free(thread);
    }
}

void runtimes_free(struct runtimes *r)
{
    struct process *process, *next;
    struct chain *chain, *next_chain;

    if (!r)
        return;
    HASH_ITER (hh, r->chains, chain, next_chain) {
        HASH_DEL(r->chains, chain);
        free(chain);
    }
    forget_threads(r);
    HASH_CLEAR(hh, r->by_key);
    HASH_CLEAR(hh_sight, r->by_sight);
    for (uint32_t i = 0; i < r->n_functions; i++)
        free_function(r->functions[i]);
    HASH_ITER (hh, r->processes, process, next) {
        HASH_DEL(r->processes, process);
        free_process(process);
    }
    for (size_t i = 0; i < r->n_looked; i++) {
        for (int j = 0; j < RUNTIME_COUNT; j++)
            free(r->looked[i].image[j]);
    }
    free((void *)r->functions);
    free(r->looked);
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

static void look_at_image(struct runtimes *r, uint32_t index, struct looked *ret)
{
    const struct image *image = images_get(r->images, index);

    ret->was_read = true;
    for (int i = 0; i < RUNTIME_COUNT; i++) {
        void *data = mem_zalloc(kinds[i]->image_size);

        if (image->fd >= 0 && kinds[i]->read_image(image->fd, &image->elf, data))
            ret->image[i] = data;
        else
            free(data);
    }
}

static const struct looked *look_at(struct runtimes *r, uint32_t index)
{
    while (r->n_looked <= index) {
        size_t n = r->n_looked;

        if ((n & (n - 1)) == 0)
            r->looked = mem_grow(r->looked, n ? n * 2 : 1, sizeof(*r->looked));
        r->looked[r->n_looked++] = (struct looked){ 0 };
    }
    if (!r->looked[index].was_read)
        look_at_image(r, index, &r->looked[index]);
    return &r->looked[index];
}

/* Mappings begin at a page, segments anywhere in it. */
static bool find_bias(const struct elf_image *elf, const struct code *m, uint64_t *ret_bias)
{
    for (size_t i = 0; i < elf->n_segments; i++) {
        const struct elf_segment *s = &elf->segments[i];

        if (m->off >= (s->off & ~(uint64_t)(PAGE - 1)) && m->off < s->off + s->file_size) {
            *ret_bias = m->start - (s->vaddr + (m->off - s->off));
            return true;
        }
    }
    return false;
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
    const struct runtime_kind *kind = kinds[process->key.runtime];
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
    const struct runtime_kind *kind = kinds[process->key.runtime];

    assert(kind->space_size <= sizeof(process->space));
    process->data = mem_zalloc(kind->process_size);
    HASH_ADD(hh, r->processes, key, sizeof(process->key), process);
    try_to_meet(r, process);
}

bool runtimes_work(struct runtimes *r)
{
    for (struct process *p = r->processes; p && r->n_starting > 0; p = p->hh.next) {
        if (p->n_tries > 0)
            try_to_meet(r, p);
    }
    return r->n_starting > 0;
}

static struct process_key key_of(uint64_t number, uint32_t runtime)
{
    return (struct process_key){ number, runtime, 0 };
}

void runtimes_look(struct runtimes *r, pid_t pid, uint64_t number, const struct process_image *run,
                   const struct code *code, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct looked *looked =
            code[i].image == IMAGE_NONE ? NULL : look_at(r, code[i].image);

        for (uint32_t j = 0; looked && j < RUNTIME_COUNT; j++) {
            struct process_key key = key_of(number, j);
            uint64_t bias;

            if (!looked->image[j] || find_process(r, &key) ||
                HASH_COUNT(r->processes) >= RUNTIMES_PROCESSES_MAX ||
                !find_bias(&images_get(r->images, code[i].image)->elf, &code[i], &bias))
                continue;

            struct process *process = mem_zalloc(sizeof(*process));

            process->key = key;
            process->pid = pid;
            process->run = *run;
            process->image = looked->image[j];
            process->bias = bias;
            meet(r, process);
        }
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
    for (int i = 0; image < r->n_looked && i < RUNTIME_COUNT; i++) {
        if (r->looked[image].image[i])
            return true;
    }
    return false;
}

bool runtimes_is_loop(struct runtimes *r, uint32_t image, uint64_t off)
{
    uint64_t vaddr;

    if (!runtimes_has_image(r, image) ||
        !elf_image_vaddr(&images_get(r->images, image)->elf, off, &vaddr))
        return false;
    for (int i = 0; i < RUNTIME_COUNT; i++) {
        const void *data = r->looked[image].image[i];

        if (data && kinds[i]->is_loop && kinds[i]->is_loop(data, vaddr))
            return true;
    }
    return false;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now); /* these clocks do not fail */
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A target can run as many functions as it pleases. False: no time is left to read one. */
static bool begin_to_read(struct runtimes *r, uint64_t *ret_began_ns)
{
    if (!budget_has(&r->budget, clock_ns(CLOCK_MONOTONIC))) {
        r->n_put_off++;
        return false;
    }
    *ret_began_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    return true;
}

static void end_reading(struct runtimes *r, uint64_t began_ns)
{
    budget_spend(&r->budget, (clock_ns(CLOCK_THREAD_CPUTIME_ID) - began_ns) / READING_SHARE);
}

/* Names are as long as the target makes them: past a bound they are not kept. */
static void keep_function(struct runtimes *r, struct function *function)
{
    const struct runtime_kind *kind = kinds[function->key.sight.runtime];
    size_t bytes = kind->function_bytes ? kind->function_bytes(function->data) : 0;

    if (bytes <= RUNTIMES_BYTES_MAX - r->n_bytes) {
        r->n_bytes += bytes;
        return;
    }
    kind->release_function(function->data);
    free(function->data);
    function->data = NULL;
    r->n_put_off++;
}

/* False: there is no time. Else its data are there, or it is gone. */
static bool read_function(struct runtimes *r, struct function *function,
                          const struct process *process)
{
    const struct function_sight *sight = &function->key.sight;
    const struct runtime_kind *kind = kinds[sight->runtime];
    uint64_t began_ns;

    if (!process || !process->data || process->n_tries > 0)
        return true;
    if (!begin_to_read(r, &began_ns))
        return false;
    function->data = mem_zalloc(kind->function_size);
    if (!kind->read_function(process->pid, process->data, sight->object, sight->check,
                             function->data)) {
        free(function->data);
        function->data = NULL;
    }
    end_reading(r, began_ns);
    if (function->data)
        keep_function(r, function);
    return true;
}

/* One that is gone with its process may be known from the parent of that. */
static void look_at_function(struct runtimes *r, struct function *function)
{
    const struct function_key *key = &function->key;
    struct process_key process = key_of(key->number, key->sight.runtime);
    struct function *same;

    HASH_FIND(hh_sight, r->by_sight, &key->sight, sizeof(key->sight), same);
    function->is_put_off = !read_function(r, function, find_process(r, &process)) && !same;
    if (!function->data && same)
        function->index = same->index;
    if (function->data && !same)
        HASH_ADD(hh_sight, r->by_sight, key.sight, sizeof(key->sight), function);
}

static struct function *add_function(struct runtimes *r, const struct function_key *key)
{
    struct function *function = mem_zalloc(sizeof(*function));
    uint32_t n = r->n_functions;

    function->key = *key;
    function->index = n;
    if ((n & (n - 1)) == 0)
        r->functions = mem_grow((void *)r->functions, n ? n * 2 : 1, sizeof(struct function *));
    r->functions[r->n_functions++] = function;
    HASH_ADD(hh, r->by_key, key, sizeof(function->key), function);
    look_at_function(r, function);
    return function;
}

/* Whether it should be shown. */
static bool place_call(struct runtimes *r, const struct function_key *key, uint32_t at,
                       struct runtimes_call *ret_call)
{
    const struct runtime_kind *kind = kinds[key->sight.runtime];
    struct function *function;

    HASH_FIND(hh, r->by_key, key, sizeof(*key), function);
    if (!function && r->n_functions >= RUNTIMES_FUNCTIONS_MAX)
        return false;
    if (!function)
        function = add_function(r, key);
    else if (function->is_put_off)
        look_at_function(r, function);
    function = r->functions[function->index];
    if (function->data && kind->is_shown && !kind->is_shown(function->data))
        return false;
    ret_call->function = function->index;
    ret_call->line = function->data ? kind->line(function->data, at) : 0;
    return true;
}

/* False: the frame is its function as it is. */
static bool find_calls(struct runtimes *r, const struct chain_key *key,
                       const struct runtime_frame *frame, struct found_calls *ret)
{
    const struct function_key *function = &key->function;
    struct process_key process_key = key_of(function->number, function->sight.runtime);
    const struct process *process = find_process(r, &process_key);
    struct runtime_call calls[RUNTIME_CALLS_MAX];
    uint64_t began_ns;

    if (!process || !process->data || process->n_tries > 0 || !begin_to_read(r, &began_ns))
        return false;

    size_t n =
        kinds[function->sight.runtime]->calls(process->pid, process->data, frame, key->pc, calls);

    end_reading(r, began_ns);

    for (size_t i = 0; i < n; i++) {
        struct function_key called = { { calls[i].object, calls[i].check, function->sight.runtime },
                                       function->number };

        ret->calls[ret->n].way = calls[i].way;
        if (place_call(r, &called, calls[i].at, &ret->calls[ret->n]))
            ret->n++;
    }
    return n > 0;
}

static void find_all_calls(struct runtimes *r, const struct chain_key *key,
                           const struct runtime_frame *frame, struct found_calls *ret)
{
    ret->n = 0;
    if (kinds[key->function.sight.runtime]->calls && find_calls(r, key, frame, ret))
        return;
    ret->calls[0].way = RUNTIME_WAY_FUNCTION;
    ret->n = place_call(r, &key->function, key->at, &ret->calls[0]);
}

static void add_chain(struct runtimes *r, const struct chain_key *key,
                      const struct found_calls *found)
{
    struct chain *chain = mem_zalloc(sizeof(*chain) + found->n * sizeof(chain->calls[0]));

    chain->key = *key;
    chain->n = found->n;
    memcpy(chain->calls, found->calls, found->n * sizeof(chain->calls[0]));
    HASH_ADD(hh, r->chains, key, sizeof(chain->key), chain);
}

size_t runtimes_place(struct runtimes *r, uint64_t number, const struct runtime_frame *frame,
                      uint64_t pc, struct runtimes_call ret_calls[RUNTIME_CALLS_MAX])
{
    uint32_t runtime = (uint32_t)(frame->object >> RUNTIME_OBJECT_BITS);
    int64_t n_put_off = r->n_put_off;
    struct found_calls found;
    const struct chain *chain;
    struct chain_key key;

    if (runtime >= RUNTIME_COUNT)
        return 0;
    memset(&key, 0, sizeof(key));
    key.function =
        (struct function_key){ { runtime_frame_object(frame), frame->check, runtime }, number };
    key.pc = kinds[runtime]->calls_change ? pc : 0;
    key.at = frame->at & RUNTIME_AT_UNKNOWN;
    HASH_FIND(hh, r->chains, &key, sizeof(key), chain);
    if (chain) {
        memcpy(ret_calls, chain->calls, chain->n * sizeof(*ret_calls));
        return chain->n;
    }
    find_all_calls(r, &key, frame, &found);
    if (!kinds[runtime]->calls_change && n_put_off == r->n_put_off &&
        HASH_COUNT(r->chains) < RUNTIMES_CHAINS_MAX)
        add_chain(r, &key, &found);
    memcpy(ret_calls, found.calls, found.n * sizeof(*ret_calls));
    return found.n;
}

enum runtime_id runtimes_jit(const struct runtimes *r, uint64_t number)
{
    for (uint32_t i = 0; i < RUNTIME_COUNT; i++) {
        struct process_key key = key_of(number, i);

        if (kinds[i]->jit_name && find_process(r, &key))
            return i;
    }
    return RUNTIME_COUNT;
}

const char *runtimes_jit_name(enum runtime_id runtime)
{
    return kinds[runtime]->jit_name;
}

char *runtimes_name(const struct runtimes *r, uint32_t function, uint32_t line, bool *ret_known)
{
    static const char *const languages[RUNTIME_COUNT] = { "python", "javascript", "java" };
    const struct function *f = r->functions[function];

    *ret_known = f->data != NULL;
    if (f->data)
        return kinds[f->key.sight.runtime]->name(f->data, line);
    return mem_printf("[%s+0x%llx]", languages[f->key.sight.runtime],
                      (unsigned long long)f->key.sight.object);
}

int64_t runtimes_put_off(const struct runtimes *r)
{
    return r->n_put_off;
}

/* NULL: no language of the process has one for it. */
static char *read_thread_name(struct runtimes *r, const struct thread_key *key)
{
    char *name = NULL;

    for (uint32_t i = 0; i < RUNTIME_COUNT && !name; i++) {
        struct process_key process_key = key_of(key->number, i);
        const struct process *process = find_process(r, &process_key);
        uint64_t began_ns;

        if (!kinds[i]->thread_name || !process || !process->data || process->n_tries > 0)
            continue;
        if (!begin_to_read(r, &began_ns))
            return NULL;
        name =
            kinds[i]->thread_name(process->pid, process->data, key->id, proc_file_nspid(key->tid));
        end_reading(r, began_ns);
    }
    return name;
}

/* A thread that has just begun may have its name a little later: it is asked for with the first
 * sample, the second, the fourth and so on. */
const char *runtimes_thread_name(struct runtimes *r, uint64_t number, pid_t tid, uint64_t id)
{
    struct thread_key key = { number, id, tid, 0 };
    struct thread *thread;

    HASH_FIND(hh, r->threads, &key, sizeof(key), thread);
    if (!thread) {
        if (HASH_COUNT(r->threads) >= RUNTIMES_THREADS_MAX)
            forget_threads(r);
        thread = mem_zalloc(sizeof(*thread));
        thread->key = key;
        HASH_ADD(hh, r->threads, key, sizeof(thread->key), thread);
    }
    thread->n_asked++;
    if (!thread->name && (thread->n_asked & (thread->n_asked - 1)) == 0)
        thread->name = read_thread_name(r, &key);
    return thread->name;
}

const char *runtimes_version(const struct runtimes *r, size_t i)
{
    return i < r->n_versions ? r->versions[i] : NULL;
}
