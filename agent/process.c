/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/process.h"

#include "agent/budget.h"
#include "agent/cpu_clock.h"
#include "agent/hash.h"
#include "agent/proc_file.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define MS 1000000ULL

/* Pauses between two readings of one process because of unknown addresses. */
enum { PAUSE_MIN_MS = 2, PAUSE_MAX_MS = 5000, COSTS_PER_PAUSE = 20, FIRST_COST_MAX_MS = 1 };

/* After exec: the age of the image doubles from one reading to the next, until its libraries are
 * there and a reading brings nothing new. They come after about half a millisecond. */
enum { SETTLE_MIN_MS = 1, SETTLE_MAX_MS = 500, CODE_OF_STATIC = 2 /* its own, and the vdso's */ };

enum {
    STAY_MS = 1000, /* after the end, for what is still on its way */
    PURGE_EVERY_MS = 1000,
    EXPECT_MAX_MS = 1000, /* of CPU time */
    WORK_MAX = 256,       /* processes that one call of processes_work looks at */
};

struct running {
    uint64_t pid;    /* key; wide for the hash's sake */
    uint64_t number; /* of its image, in the order they were met; a copy's that of the original */
    bool is_copy;    /* the number is that of what it was forked from */
    struct process_image image;
    uint64_t started;                    /* as /proc has it; 0: not looked at yet */
    struct layout *layout;               /* one use of it; NULL: nothing is known */
    struct process *process;             /* borrowed; NULL: not sampled yet */
    uint64_t exec_ns;                    /* 0: it is settled */
    size_t n_at_exec;                    /* mappings that the first reading found */
    uint64_t read_ns, pause_ns, cost_ns; /* the last reading; read_ns 0: none */
    uint64_t look_ns;                    /* when to read it next, while it waits */
    uint64_t ended_ns;                   /* 0: it runs */
    bool is_counted;                     /* as sampled */
    bool was_exec;                       /* since the last sample */
    bool is_waiting;                     /* in the list of those to be read */
    TAILQ_ENTRY(running) link;           /* waiting or ended */
    UT_hash_handle hh;
};

struct processes {
    struct images *images;
    struct unwind_tables *tables;
    struct runtimes *runtimes;
    uint64_t n_images_run;
    struct layouts *layouts;
    struct shown *shown;
    struct budget budget;
    struct running *by_pid;
    TAILQ_HEAD(, running) waiting, ended; /* the longest first */
    uint64_t purged_ns;
    struct processes_counts counts;
};

struct processes *processes_new(struct images *images, struct unwind_tables *tables,
                                struct runtimes *runtimes)
{
    struct processes *p = mem_zalloc(sizeof(*p));

    p->images = images;
    p->tables = tables;
    p->runtimes = runtimes;
    p->layouts = layouts_new(tables);
    p->shown = shown_new();
    TAILQ_INIT(&p->waiting);
    TAILQ_INIT(&p->ended);
    budget_init(&p->budget, 0);
    return p;
}

void processes_free(struct processes *p)
{
    struct running *r, *next;

    if (!p)
        return;
    HASH_ITER (hh, p->by_pid, r, next) {
        HASH_DEL(p->by_pid, r);
        free(r);
    }
    layouts_free(p->layouts);
    shown_free(p->shown);
    free(p);
}

static struct running *get(const struct processes *p, pid_t pid)
{
    uint64_t key = (uint64_t)pid;
    struct running *r;

    HASH_FIND(hh, p->by_pid, &key, sizeof(key), r);
    return r;
}

static void stop_waiting(struct processes *p, struct running *r)
{
    if (r->is_waiting)
        TAILQ_REMOVE(&p->waiting, r, link);
    r->is_waiting = false;
}

static void end(struct processes *p, struct running *r, uint64_t now_ns)
{
    if (r->ended_ns)
        return;
    stop_waiting(p, r);
    r->ended_ns = now_ns ? now_ns : 1;
    TAILQ_INSERT_TAIL(&p->ended, r, link);
}

/* What is known of languages under the number is of the process that has it of its own. */
static void forget_runtimes(struct processes *p, const struct running *r)
{
    if (p->runtimes && !r->is_copy)
        runtimes_forget(p->runtimes, r->number);
}

static void give_number(struct processes *p, struct running *r)
{
    r->number = ++p->n_images_run;
    r->is_copy = false;
}

static void forget(struct processes *p, struct running *r, uint64_t now_ns)
{
    TAILQ_REMOVE(&p->ended, r, link);
    HASH_DEL(p->by_pid, r); /* NOLINT(clang-analyzer-core.NullDereference): it is in there */
    layouts_drop(p->layouts, r->layout, now_ns);
    forget_runtimes(p, r);
    free(r);
}

/* Of exits that were not told, for want of room in the ring buffer. */
static void purge(struct processes *p, uint64_t now_ns)
{
    struct running *r, *next;

    if (now_ns - p->purged_ns < PURGE_EVERY_MS * MS && p->purged_ns)
        return;
    p->purged_ns = now_ns;
    HASH_ITER (hh, p->by_pid, r, next) {
        if (proc_file_exists((pid_t)r->pid))
            continue;
        unwind_tables_withdraw(p->tables, (pid_t)r->pid);
        end(p, r, now_ns);
        forget(p, r, now_ns);
    }
}

static struct running *add(struct processes *p, pid_t pid, uint64_t now_ns)
{
    if (HASH_COUNT(p->by_pid) >= PROCESSES_RUNNING_MAX)
        purge(p, now_ns);
    if (HASH_COUNT(p->by_pid) >= PROCESSES_RUNNING_MAX)
        return NULL;

    struct running *r = mem_zalloc(sizeof(*r));

    r->pid = (uint64_t)pid;
    give_number(p, r);
    HASH_ADD(hh, p->by_pid, pid, sizeof(r->pid), r);
    return r;
}

/* Another process of that pid, or another image of that process. */
static void renew(struct processes *p, struct running *r, const struct process_image *image,
                  uint64_t now_ns)
{
    if (r->ended_ns)
        TAILQ_REMOVE(&p->ended, r, link);
    stop_waiting(p, r);
    layouts_drop(p->layouts, r->layout, now_ns);
    r->layout = NULL;
    forget_runtimes(p, r);
    give_number(p, r);
    r->ended_ns = r->read_ns = r->pause_ns = r->exec_ns = 0;
    r->was_exec = true;
    if (r->image.started != image->started) {
        r->is_counted = false;
        r->process = NULL;
        r->started = 0;
    }
    r->image = *image;
}

/* Of a record; a process that was only expected becomes that one, for exec would have been told. */
static struct running *meet(struct processes *p, const struct record *record)
{
    struct running *r = get(p, (pid_t)record->pid);

    if (!r)
        r = add(p, (pid_t)record->pid, record->time_ns);
    if (!r)
        return NULL;
    if (r->image.started == 0 && record->kind != RECORD_EXEC)
        r->image = record->image;
    if (!process_image_is(&r->image, &record->image))
        renew(p, r, &record->image, record->time_ns);
    return r;
}

static void set_layout(struct processes *p, struct running *r, struct layout *layout,
                       uint64_t now_ns)
{
    layouts_drop(p->layouts, r->layout, now_ns);
    r->layout = layout;
}

static const struct unwind_place *place_of(const struct running *r)
{
    return r->layout && r->layout->place.n > 0 ? &r->layout->place : NULL;
}

/* False: it has ended, and its pid may be another's. */
static bool read_maps(struct processes *p, struct running *r, struct code_list *ret_list)
{
    if (!code_read((pid_t)r->pid, p->images, ret_list))
        return false;

    uint64_t started = proc_file_started((pid_t)r->pid);

    if (r->started == 0)
        r->started = started;
    if (started != 0 && started == r->started)
        return true;
    code_list_release(ret_list);
    return false;
}

/* Keeps what was known when there is nothing to be read. True: something is new. */
static bool read_code(struct processes *p, struct running *r, uint64_t now_ns)
{
    const struct layout *before = r->layout;
    struct code_list list;

    /* Told first, for what is mapped from here on may be read or not, but is told again. */
    unwind_tables_publish(p->tables, (pid_t)r->pid, &r->image, place_of(r), true);
    if (!read_maps(p, r, &list)) {
        unwind_tables_withdraw(p->tables, (pid_t)r->pid);
        end(p, r, now_ns);
        return false;
    }
    p->counts.maps_cut += list.is_cut;
    if (r->is_copy)
        give_number(p, r);
    if (p->runtimes) {
        struct runtimes_target target = { (pid_t)r->pid, r->started, r->number, r->image };

        runtimes_look(p->runtimes, &target, list.items, list.n);
    }
    set_layout(p, r, layouts_use(p->layouts, list.items, list.n), now_ns);
    code_list_release(&list);
    if (r->layout != before && place_of(r))
        unwind_tables_publish(p->tables, (pid_t)r->pid, &r->image, place_of(r), false);
    return r->layout != before;
}

/* What a reading costs the agent, it may not cost again too soon. */
static uint64_t rested_ns(const struct running *r, uint64_t pause_ns)
{
    uint64_t least = r->cost_ns * COSTS_PER_PAUSE;

    return r->read_ns ? r->read_ns + (pause_ns > least ? pause_ns : least) : 0;
}

static void wait_until(struct processes *p, struct running *r, uint64_t when_ns)
{
    if (!r->is_waiting)
        TAILQ_INSERT_TAIL(&p->waiting, r, link);
    r->is_waiting = true;
    r->look_ns = when_ns;
}

/* These few readings are bounded by the budget alone. */
static void settle(struct processes *p, struct running *r, bool is_new, uint64_t now_ns)
{
    uint64_t age = now_ns > r->exec_ns ? now_ns - r->exec_ns : 0;
    size_t n = r->layout ? r->layout->n : 0;
    bool is_loading = n > CODE_OF_STATIC && (n == r->n_at_exec || r->n_at_exec == 0);

    if (r->n_at_exec == 0)
        r->n_at_exec = n;
    if (r->ended_ns || n <= CODE_OF_STATIC || age > SETTLE_MAX_MS * MS || !(is_loading || is_new))
        r->exec_ns = 0;
    else
        wait_until(p, r, now_ns + (age > SETTLE_MIN_MS * MS ? age : SETTLE_MIN_MS * MS));
}

static void read_now(struct processes *p, struct running *r, uint64_t now_ns)
{
    uint64_t begin = cpu_clock_ns();
    uint32_t n_images = images_count(p->images);

    stop_waiting(p, r);
    images_begin_look(p->images);

    bool is_new = read_code(p, r, now_ns);
    uint64_t cost = cpu_clock_ns() - begin;

    /* A broken stack gives addresses that no reading will explain: look ever more rarely. */
    r->pause_ns = is_new ? PAUSE_MIN_MS * MS : r->pause_ns * 2;
    if (r->pause_ns > PAUSE_MAX_MS * MS)
        r->pause_ns = PAUSE_MAX_MS * MS;
    r->read_ns = now_ns ? now_ns : 1;
    r->cost_ns = cost;
    if (images_count(p->images) > n_images && cost > FIRST_COST_MAX_MS * MS)
        r->cost_ns = FIRST_COST_MAX_MS * MS; /* the tables of an image are read once */
    budget_spend(&p->budget, cost);
    if (r->exec_ns)
        settle(p, r, is_new, now_ns);
}

/* For an address that is not known. */
static bool read_if_due(struct processes *p, struct running *r, uint64_t now_ns)
{
    if (r->ended_ns || now_ns < rested_ns(r, r->exec_ns ? 0 : r->pause_ns))
        return false;
    if (!budget_has(&p->budget, now_ns)) {
        p->counts.reads_put_off++;
        return false;
    }
    read_now(p, r, now_ns);
    return true;
}

/* A child that was gone before, or that there is no budget to look at; not where its parent runs
 * another image since, or is another that adopted it. */
static void inherit(struct processes *p, struct running *r, const struct record *record)
{
    const struct running *parent = get(p, (pid_t)record->ppid);

    if (!parent || parent == r || !parent->layout ||
        (parent->image.started != 0 && parent->image.execs != record->image.execs))
        return;
    set_layout(p, r, layouts_share(parent->layout), record->time_ns);
    r->number = parent->number;
    r->is_copy = true;
}

void processes_expect(struct processes *p, const pid_t *pids, size_t n, uint64_t now_ns)
{
    uint64_t begin = cpu_clock_ns();

    for (size_t i = 0; i < n && cpu_clock_ns() - begin < EXPECT_MAX_MS * MS; i++) {
        struct running *r = get(p, pids[i]);

        if (!r)
            r = add(p, pids[i], now_ns);
        if (r)
            read_now(p, r, now_ns);
    }
    budget_init(&p->budget, now_ns);
}

struct running *processes_running(const struct processes *p, pid_t pid)
{
    return get(p, pid);
}

void processes_tell(struct processes *p, const struct record *record)
{
    struct running *r;

    if (record->kind == RECORD_EXIT) {
        r = get(p, (pid_t)record->pid);
        if (r && (process_image_is(&r->image, &record->image) || r->image.started == 0))
            end(p, r, record->time_ns);
        return;
    }
    r = meet(p, record);
    if (!r)
        return;
    r->exec_ns = record->time_ns;
    r->n_at_exec = 0;
    if (!read_if_due(p, r, record->time_ns))
        wait_until(p, r, record->time_ns);
}

struct running *processes_sampled(struct processes *p, const struct record *record)
{
    struct running *r = meet(p, record);

    if (!r)
        return NULL;
    if (!r->layout && !r->ended_ns)
        (void)read_if_due(p, r, record->time_ns);
    if (!r->layout && record->flags & RECORD_FORKED)
        inherit(p, r, record);
    r->process = shown_as(p->shown, r->process, record, r->was_exec);
    r->process->started = r->started;
    r->was_exec = false;
    p->counts.sampled += !r->is_counted;
    p->counts.merged += !r->is_counted && r->process->pid == 0;
    r->is_counted = true;
    return r;
}

struct process *running_shown(struct running *r)
{
    return r->process;
}

uint64_t running_image(const struct running *r)
{
    return r->number;
}

const struct layout *running_layout(const struct running *r)
{
    return r->layout;
}

static const struct code *find(const struct running *r, uint64_t addr)
{
    return r->layout ? code_find(r->layout->items, r->layout->n, addr) : NULL;
}

const struct code *processes_find(struct processes *p, struct running *r, uint64_t addr,
                                  uint64_t now_ns)
{
    const struct code *code = find(r, addr);

    if (!code && read_if_due(p, r, now_ns))
        code = find(r, addr);
    return code;
}

void processes_check(struct processes *p, struct running *r, uint64_t addr, uint64_t now_ns)
{
    const struct code *code = find(r, addr);
    const struct image *image =
        code && code->image != IMAGE_NONE ? images_get(p->images, code->image) : NULL;

    if (image && image->fd >= 0 && !image->is_vdso &&
        proc_file_is_replaced((pid_t)r->pid, code->start, code->end, image->fd))
        (void)read_if_due(p, r, now_ns);
}

uint64_t processes_work(struct processes *p, uint64_t now_ns)
{
    uint64_t next = UINT64_MAX;
    struct running *r, *after;
    int n = 0;

    layouts_sweep(p->layouts, now_ns);
    while ((r = TAILQ_FIRST(&p->ended)) && now_ns > r->ended_ns &&
           now_ns - r->ended_ns > STAY_MS * MS)
        forget(p, r, now_ns);
    for (r = TAILQ_FIRST(&p->waiting); r; r = after) {
        after = TAILQ_NEXT(r, link);
        if (n++ == WORK_MAX || !budget_has(&p->budget, now_ns))
            return now_ns + 10 * MS;
        if (r->look_ns <= now_ns)
            read_now(p, r, now_ns);
        if (r->is_waiting && r->look_ns < next)
            next = r->look_ns;
    }
    return next;
}

bool processes_may_hurry(struct processes *p, uint64_t now_ns)
{
    return budget_has(&p->budget, now_ns);
}

struct process *processes_at(const struct processes *p, uint32_t index)
{
    return shown_at(p->shown, index);
}

uint32_t processes_count(const struct processes *p)
{
    return shown_count(p->shown);
}

struct processes_counts processes_counts(const struct processes *p)
{
    struct processes_counts counts = p->counts;

    counts.layouts_left_out = layouts_left_out(p->layouts);
    return counts;
}
