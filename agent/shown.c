/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/shown.h"

#include "agent/proc_file.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ALL_MAX = SHOWN_PIDS_MAX + SHOWN_NAMES_MAX + 1 };
#define PERF_MAP_PAUSE_NS 1000000000ULL

struct shown {
    struct process *all[ALL_MAX];
    uint32_t n;
    uint32_t n_by_pid;
};

struct shown *shown_new(void)
{
    return mem_zalloc(sizeof(struct shown));
}

void shown_free(struct shown *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->all[i]->perf_map_fd >= 0)
            (void)close(s->all[i]->perf_map_fd);
        free(s->all[i]);
    }
    free(s);
}

static void copy_comm(char *to, const char *from)
{
    memcpy(to, from, RECORD_COMM_SIZE);
    to[RECORD_COMM_SIZE - 1] = '\0';
}

static struct process *add(struct shown *s, pid_t pid, const char *comm)
{
    struct process *process = mem_zalloc(sizeof(*process));

    process->pid = pid;
    process->index = s->n;
    process->perf_map_fd = -1;
    copy_comm(process->comm, comm);
    s->all[s->n++] = process;
    return process;
}

/* The one that stands for many of that name; NULL: there are too many of these already. */
static struct process *by_name(struct shown *s, const char *name)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->all[i]->pid == 0 && strcmp(s->all[i]->comm, name) == 0)
            return s->all[i];
    }
    return s->n - s->n_by_pid < SHOWN_NAMES_MAX || !*name ? add(s, 0, name) : NULL;
}

static struct process *merged(struct shown *s, const char *comm)
{
    static const char no_name[RECORD_COMM_SIZE];
    char name[RECORD_COMM_SIZE];

    copy_comm(name, comm);

    struct process *process = by_name(s, name);

    return process ? process : by_name(s, no_name);
}

struct process *shown_as(struct shown *s, struct process *last, const struct record *record,
                         bool was_exec)
{
    bool is_same = last && strncmp(last->comm, record->comm, RECORD_COMM_SIZE - 1) == 0;

    /* The image before exec may have had a perf map: its addresses are not those of this one. */
    if (is_same && !(was_exec && last->next_perf_map_ns))
        return last;
    if (last && last->pid && !was_exec) {
        copy_comm(last->comm, record->comm);
        return last;
    }
    if (s->n_by_pid == SHOWN_PIDS_MAX)
        return merged(s, record->comm);
    s->n_by_pid++;
    return add(s, (pid_t)record->pid, record->comm);
}

struct process *shown_at(const struct shown *s, uint32_t index)
{
    return s->all[index];
}

uint32_t shown_count(const struct shown *s)
{
    return s->n;
}

void shown_open_perf_map(struct process *p, uint64_t now_ns)
{
    char path[64];

    if (p->pid == 0 || p->perf_map_fd >= 0 || now_ns < p->next_perf_map_ns)
        return;
    (void)snprintf(path, sizeof(path), "/tmp/perf-%d.map", proc_file_nspid(p->pid));
    p->next_perf_map_ns = now_ns + PERF_MAP_PAUSE_NS;

    _cleanup_close_ int fd = proc_file_open_in_root(p->pid, path);

    if (fd >= 0 && p->started && proc_file_started(p->pid) == p->started)
        p->perf_map_fd = take_fd(fd);
}

void shown_open_late_perf_map(struct process *p)
{
    if (p->next_perf_map_ns > 0)
        shown_open_perf_map(p, UINT64_MAX);
}
