/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_pod: the pod that takes one profile: how it is asked for, and what its status says.
 *
 * Its name is made from the PodFlame's UID, so that there can never be two for one PodFlame:
 * whoever comes second meets AlreadyExists, and adopts the pod if its label carries the same UID.
 * It lives in the operator's namespace, on the target's node. Pure: JSON in and out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;
struct podflame;

#define AGENT_POD_UID_LABEL     "podflame.profilepod.io/uid"
#define AGENT_POD_NS_ANNOTATION "podflame.profilepod.io/namespace"
#define AGENT_POD_PF_ANNOTATION "podflame.profilepod.io/name"

/* The label selector of all agent pods, escaped for a query. */
#define AGENT_POD_SELECTOR                                                                         \
    "labelSelector=app.kubernetes.io%2Fmanaged-by%3Dpodflame%2C"                                   \
    "app.kubernetes.io%2Fcomponent%3Dagent"

enum {
    AGENT_POD_NAME_SIZE = 64,
    AGENT_POD_UID_SIZE = 64,
    AGENT_START_WAIT_S = 120,  /* for the scheduler, the image, the container */
    AGENT_IMAGE_WAIT_S = 60,   /* for an image that the node says it cannot get */
    AGENT_FINISH_SLACK_S = 60, /* past the duration: names, page, log */
    AGENT_LOST_GRACE_S = 30,   /* past the pod's own deadline: nobody enforces it any more */
};

struct agent_pod_options {
    const char *namespace;
    const char *image;
    const char *service_account; /* NULL: the namespace's default */
    const char *memory_limit;    /* "256Mi" */
};

/* "podflame-<uid>". False when @uid is not what a name may end with. */
bool agent_pod_name(const char *uid, char name[AGENT_POD_NAME_SIZE]);

/* What the pod's activeDeadlineSeconds is. */
int64_t agent_pod_deadline_s(int64_t duration_s);

/* The body of the POST, owned by the caller. Everything about the target comes from pf->status,
 * where it was recorded before; pf->status.node_name must not be "". */
struct json_object *agent_pod_build(const struct podflame *pf,
                                    const struct agent_pod_options *options);

enum agent_state {
    AGENT_WAITING, /* for a node, an image, its start */
    AGENT_RUNNING,
    AGENT_ENDED, /* its container has terminated; or it never will start (see ran) */
};

/* What the reconciler needs to know of a pod. Texts are cut to size, never NULL. */
struct agent_view {
    char name[AGENT_POD_NAME_SIZE], uid[AGENT_POD_UID_SIZE];
    char podflame_uid[AGENT_POD_UID_SIZE];
    char podflame_ns[64], podflame_name[254];
    enum agent_state state;
    bool deleting;
    bool ran;          /* its container was started */
    int64_t created_s; /* seconds since 1970; 0: not known */
    int64_t started_s; /* of the container; 0: not yet */
    int exit_code;     /* of AGENT_ENDED, when it ran */
    char reason[64];   /* why it waits or how it ended: ImagePullBackOff, OOMKilled, Evicted */
    char message[512]; /* the same in words; "..." at its end when it was longer */
};

/* False unless @pod is an agent pod: the UID label, and the name that belongs to it. */
bool agent_view_decode(struct json_object *pod, struct agent_view *ret);
