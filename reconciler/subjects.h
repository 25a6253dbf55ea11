/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subjects: all PodFlames and agent pods that are known, paired by the PodFlame's UID.
 *
 * A subject exists while there is one of the two. What the watches tell, and what our own requests
 * learn, ends here; whoever changes a subject queues it. A finished PodFlame costs about a
 * kilobyte: its flame graph is never kept. Belongs to one thread.
 */
#pragma once

#include "lib/mem.h"
#include "lib/podflame/podflame.h"
#include "reconciler/agent_pod.h"
#include "reconciler/queue.h"

#define HASH_FUNCTION       HASH_FNV /* the default falls through its switch, as warnings say */
#define uthash_malloc(size) mem_alloc(size)
#include <uthash.h>

#include <stdbool.h>
#include <stdint.h>

struct pass;
struct json_object;

struct subject {
    UT_hash_handle hh;
    struct queue_node turn, log_turn;
    char uid[AGENT_POD_UID_SIZE];
    struct pass *pass; /* under way, or NULL */
    bool dirty;        /* changed during the pass */

    bool has_pf;
    bool gone;     /* the API server said so: no UID comes back, unless a list holds it */
    bool pf_doubt; /* not in the last list: to be read before it is believed */
    struct podflame pf;
    char *invalid;        /* what is wrong with its spec, or NULL */
    char *awaited;        /* a version that we wrote; older news are ignored until it comes */
    int64_t awaited_ms;   /* ... or until then */
    unsigned int pf_news; /* counts what the watch told */
    unsigned int pf_mark, agent_mark;

    struct agent_view *agent; /* owned, or NULL */
    bool agent_seen, agent_doubt;

    /* What is remembered from pass to pass; lost at a restart, which only makes it patient again.
     */
    unsigned int errors;
    char *create_error;
    bool create_refused;
    int64_t create_failed_s;
    int log_tries, log_failures;
};

struct subjects {
    struct subject *by_uid;
    struct queue queue;
    struct queue log_turns; /* who waits to read a log, the longest first */
    unsigned int pf_mark, agent_mark;
    bool pf_listing, pf_synced, agent_synced;
};

void subjects_release(struct subjects *all); /* no pass may be under way */

/* Queues it for now, or for the end of the pass that it is in. */
void subject_touch(struct subjects *all, struct subject *s);
void subject_forget(struct subjects *all, struct subject *s);

/* From a read or a write of our own. False when @object is no PodFlame, or another than @s. */
bool subject_set_podflame(struct subject *s, struct json_object *object);
void subject_set_agent(struct subjects *all, struct subject *s, const struct agent_view *view);

/* We wrote this version: what the watch still tells of older ones is ignored. */
void subject_await(struct subject *s);

/* Handlers of the two watches (kube/watch.h); ctx is the struct subjects. */
struct kube_watch_handler;
extern const struct kube_watch_handler subjects_podflame_handler;
extern const struct kube_watch_handler subjects_agent_handler;
