/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: what to do next for one PodFlame, given all that is known about it.
 *
 * Pure: no clock, no API, no memory of its own. One call gives one action; the caller does it,
 * observes what came of it, and asks again, until the answer is to wait. Because every state is
 * derived from what the API server holds, a plan interrupted anywhere is continued by whoever asks
 * next, and what was done twice by two who ask at once is harmless: status is written only against
 * the version that was read, and the agent's name is the same for both.
 *
 *   (new) -> target read -> target recorded, AgentStarting -> agent pod created -> Profiling
 *         -> log read -> ProfileReady, or a failure -> agent pod deleted -> (TTL: PodFlame deleted)
 */
#pragma once

#include "lib/err.h"
#include "lib/podflame/podflame.h"
#include "lib/podflame/result.h"
#include "reconciler/agent_pod.h"

#include <stdbool.h>
#include <stdint.h>

/* Reasons of the condition Succeeded. They are API; the agent's own are in result.h. */
#define PLAN_REASONS(X)                                                                            \
    X(NONE, "")                                                                                    \
    X(TARGET_NOT_FOUND, "TargetNotFound")                                                          \
    X(TARGET_UNREADABLE, "TargetUnreadable")                                                       \
    X(CONTAINER_NOT_FOUND, "ContainerNotFound")                                                    \
    X(CONTAINER_NOT_RUNNING, "ContainerNotRunning")                                                \
    X(INVALID_SPEC, "InvalidSpec")                                                                 \
    X(AGENT_STARTING, "AgentStarting")                                                             \
    X(PROFILING, "Profiling")                                                                      \
    X(PROFILE_READY, "ProfileReady")                                                               \
    X(AGENT_NOT_STARTED, "AgentNotStarted")                                                        \
    X(AGENT_KILLED, "AgentKilled")                                                                 \
    X(AGENT_LOST, "AgentLost")                                                                     \
    X(AGENT_FAILED, "AgentFailed")                                                                 \
    X(DEADLINE_EXCEEDED, "DeadlineExceeded")                                                       \
    X(RESULT_BROKEN, "ResultBroken")                                                               \
    X(RESULT_TOO_LARGE, "ResultTooLarge")

enum plan_reason {
#define X(id, name) PLAN_##id,
    PLAN_REASONS(X)
#undef X
        PLAN_REASON_COUNT,
};

const char *plan_reason_name(enum plan_reason reason);

enum {
    PLAN_TARGET_WAIT_S = 30, /* default of --target-wait */
    PLAN_TARGET_POLL_S = 2,
    PLAN_LOG_TRIES = 5,    /* a node that does not answer */
    PLAN_RESULT_TRIES = 3, /* a log that is not whole (yet) */
    PLAN_ORPHAN_GRACE_S = 30,
    PLAN_MESSAGE_SIZE = 1536,
};

enum plan_target_state {
    PLAN_TARGET_UNREAD,
    PLAN_TARGET_BAD, /* reason and message say why */
    PLAN_TARGET_OK,
};

struct plan_target {
    enum plan_target_state state;
    enum plan_reason reason;
    char message[PLAN_MESSAGE_SIZE];
    char pod_uid[129], container_id[257], container_name[64], node[254];
};

/* Judges the pod that was read; @pod NULL: there is none. */
void plan_judge_target(const struct podflame *pf, struct json_object *pod, struct plan_target *ret);

/* All that is known. Everything is borrowed. */
struct plan_input {
    const struct podflame *pf;      /* NULL: none is known (see gone) */
    bool gone;                      /* the API server said that it is not there (any more) */
    bool fresh;                     /* pf was read or written a moment ago */
    const char *invalid;            /* what is wrong with the spec; NULL or "": nothing */
    const struct agent_view *agent; /* NULL: there is none */
    bool agent_fresh;               /* that, or that there is none, was read a moment ago */
    bool agent_seen;                /* there was one before */
    const char *create_error;  /* why the agent pod could not be made; NULL: not tried, or made */
    bool create_refused;       /* for good */
    int64_t create_failed_s;   /* since when */
    struct plan_target target; /* as read in this pass */
    const struct result_decoder *result; /* NULL: the log was not read */
    int log_tries, log_failures;         /* whole reads; failed reads */
    const char *log_error;               /* of the last failed read */
    const char *log_tail;       /* the last line of the log that is no result; NULL: none */
    const char *result_refused; /* why the API server will never take the result; NULL: may do */
    int64_t now_s;
    int64_t target_wait_s;
    const char *memory_limit;
};

enum plan_action {
    PLAN_WAIT, /* until something changes, or again_s */
    PLAN_WRITE_STATUS,
    PLAN_READ_PODFLAME,
    PLAN_READ_TARGET,
    PLAN_CREATE_AGENT,
    PLAN_READ_AGENT,
    PLAN_READ_LOG,
    PLAN_DELETE_AGENT,
    PLAN_DELETE_PODFLAME,
    PLAN_FORGET, /* nothing is left of it */
};

enum plan_phase { PLAN_PENDING, PLAN_RUNNING, PLAN_SUCCEEDED, PLAN_FAILED };

struct plan {
    enum plan_action action;
    int64_t again_s; /* of PLAN_WAIT: seconds since 1970; 0: no need to come again */
    /* of PLAN_WRITE_STATUS */
    enum plan_phase phase;
    char reason[64];
    char message[PLAN_MESSAGE_SIZE];
    bool event;         /* worth one */
    bool record_target; /* input.target goes into status */
    int64_t started_s;  /* goes into status.startTime unless 0 */
};

void plan_next(const struct plan_input *in, struct plan *ret);
