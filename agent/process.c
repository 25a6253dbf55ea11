/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/process.h"

#include "agent/hash.h"
#include "agent/proc_file.h"
#include "agent/proc_maps.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum {
    LINE_MAX_BYTES = 8192, /* of maps: numbers and an escaped path */
    MAPS_LINES_MAX = 1 << 18,
    READ_INTERVAL_MIN_NS = 50000000,
    PERF_MAP_INTERVAL_NS = 1000000000,
};
#define READ_INTERVAL_MAX_NS 5000000000ULL

struct entry {
    uint64_t key; /* pid and generation */
    struct process process;
    UT_hash_handle hh;
};

struct processes {
    struct images *images;
    struct unwind_tables *tables;
    struct python *python;
    struct entry *by_key;
    struct entry **all;
    uint32_t n;
};

struct processes *processes_new(struct images *images, struct unwind_tables *tables,
                                struct python *python)
{
    struct processes *processes = mem_zalloc(sizeof(*processes));

    processes->images = images;
    processes->tables = tables;
    processes->python = python;
    return processes;
}

void processes_free(struct processes *processes)
{
    if (!processes)
        return;
    HASH_CLEAR(hh, processes->by_key);
    for (uint32_t i = 0; i < processes->n; i++) {
        struct process *p = &processes->all[i]->process;

        if (p->perf_map_fd >= 0)
            (void)close(p->perf_map_fd);
        free(p->mappings);
        free(processes->all[i]);
    }
    free((void *)processes->all);
    free(processes);
}

static void add_mapping(struct process *p, const struct proc_map *map, uint32_t image)
{
    size_t n = p->n_mappings;

    if ((n & (n - 1)) == 0)
        p->mappings = mem_grow(p->mappings, n ? n * 2 : 1, sizeof(*p->mappings));
    p->mappings[p->n_mappings++] = (struct unwind_code){ map->start, map->end, map->off, image };
}

/* Reads the executable mappings; keeps what was known when there are none to be read. */
static bool read_mappings(struct processes *processes, struct process *p)
{
    struct process fresh = { .pid = p->pid };
    _cleanup_free_ char *line = mem_alloc(LINE_MAX_BYTES);
    struct proc_map map;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/maps", p->pid);
    _cleanup_fclose_ FILE *maps = fopen(path, "re");
    if (!maps)
        return false;
    for (size_t i = 0; i < MAPS_LINES_MAX && fresh.n_mappings < PROCESS_MAPPINGS_MAX &&
                       fgets(line, LINE_MAX_BYTES, maps);
         i++) {
        if (proc_maps_parse_line(line, strcspn(line, "\n"), &map) && map.executable)
            add_mapping(&fresh, &map, images_add(processes->images, p->pid, &map));
    }
    if (fresh.n_mappings == 0)
        return false;
    free(p->mappings);
    p->mappings = fresh.mappings;
    p->n_mappings = fresh.n_mappings;
    unwind_tables_put(processes->tables, p->pid, p->generation, p->mappings, p->n_mappings);
    if (processes->python)
        python_look(processes->python, p->pid, p->generation, p->mappings, p->n_mappings);
    return true;
}

/* The newest generation of a pid that was met. */
static const struct process *latest(const struct processes *processes, uint32_t pid)
{
    for (uint32_t i = processes->n; i > 0; i--) {
        if ((uint32_t)processes->all[i - 1]->process.pid == pid)
            return &processes->all[i - 1]->process;
    }
    return NULL;
}

static void inherit_mappings(const struct processes *processes, struct process *p, uint32_t ppid)
{
    const struct process *parent = latest(processes, ppid);

    if (!parent || parent == p || parent->n_mappings == 0)
        return;
    p->mappings = mem_array(parent->n_mappings, sizeof(*p->mappings));
    p->n_mappings = parent->n_mappings;
    memcpy(p->mappings, parent->mappings, p->n_mappings * sizeof(*p->mappings));
}

static uint64_t key_of(const struct record *r)
{
    return (uint64_t)r->pid << 32 | r->generation;
}

static struct entry *meet(struct processes *processes, const struct record *r)
{
    struct entry *entry = mem_zalloc(sizeof(*entry));

    entry->key = key_of(r);
    entry->process = (struct process){
        .pid = (pid_t)r->pid,
        .generation = r->generation,
        .index = processes->n,
        .perf_map_fd = -1,
        .read_interval_ns = READ_INTERVAL_MIN_NS,
        .next_read_ns = r->time_ns + READ_INTERVAL_MIN_NS,
    };
    if (!read_mappings(processes, &entry->process) && (r->flags & RECORD_FORKED))
        inherit_mappings(processes, &entry->process, r->ppid);
    return entry;
}

/* Known or met for the first time; NULL: there are PROCESSES_MAX. */
static struct entry *get(struct processes *processes, const struct record *r)
{
    uint64_t key = key_of(r);
    uint32_t n = processes->n;
    struct entry *entry;

    HASH_FIND(hh, processes->by_key, &key, sizeof(key), entry);
    if (!entry && n < PROCESSES_MAX) {
        entry = meet(processes, r);
        HASH_ADD(hh, processes->by_key, key, sizeof(entry->key), entry);
        if ((n & (n - 1)) == 0)
            processes->all =
                mem_grow((void *)processes->all, n ? n * 2 : 1, sizeof(struct entry *));
        processes->all[processes->n++] = entry;
    }
    return entry;
}

void processes_expect(struct processes *processes, pid_t pid, uint64_t now_ns)
{
    (void)get(processes, &(struct record){ .pid = (uint32_t)pid, .time_ns = now_ns });
}

struct process *processes_get(struct processes *processes, const struct record *r)
{
    struct entry *entry = get(processes, r);

    if (!entry)
        return NULL;
    entry->process.is_sampled = true;
    memcpy(entry->process.comm, r->comm, sizeof(r->comm));
    entry->process.comm[sizeof(r->comm) - 1] = '\0';
    return &entry->process;
}

static const struct unwind_code *find(const struct process *p, uint64_t addr)
{
    size_t low = 0, high = p->n_mappings;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (p->mappings[middle].end <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low < p->n_mappings && p->mappings[low].start <= addr ? &p->mappings[low] : NULL;
}

const struct unwind_code *processes_find(struct processes *processes, struct process *p,
                                         uint64_t addr, uint64_t now_ns)
{
    const struct unwind_code *mapping = find(p, addr);

    if (mapping || now_ns < p->next_read_ns)
        return mapping;
    if (read_mappings(processes, p))
        mapping = find(p, addr);
    /* A broken stack gives addresses that no reading will explain: look ever more rarely. */
    p->read_interval_ns = mapping ? READ_INTERVAL_MIN_NS : p->read_interval_ns * 2;
    if (p->read_interval_ns > READ_INTERVAL_MAX_NS)
        p->read_interval_ns = READ_INTERVAL_MAX_NS;
    p->next_read_ns = now_ns + p->read_interval_ns;
    return mapping;
}

void process_open_perf_map(struct process *p, uint64_t now_ns)
{
    char path[64];

    if (p->perf_map_fd >= 0 || now_ns < p->next_perf_map_ns)
        return;
    (void)snprintf(path, sizeof(path), "/tmp/perf-%d.map", proc_file_nspid(p->pid));
    p->perf_map_fd = proc_file_open_in_root(p->pid, path);
    p->next_perf_map_ns = now_ns + PERF_MAP_INTERVAL_NS;
}

void process_open_late_perf_map(struct process *p)
{
    if (p->next_perf_map_ns > 0)
        process_open_perf_map(p, UINT64_MAX);
}

struct process *processes_at(const struct processes *processes, uint32_t index)
{
    return &processes->all[index]->process;
}

uint32_t processes_count(const struct processes *processes)
{
    return processes->n;
}
