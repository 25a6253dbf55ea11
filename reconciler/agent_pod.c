/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/agent_pod.h"

#include "lib/duration.h"
#include "lib/json.h"
#include "lib/kube/path.h"
#include "lib/podflame/podflame.h"
#include "lib/rfc3339.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AGENT_REQUEST_MI = 64 }; /* of memory; the API server takes no limit below it */

/* All that the agent may do beyond an ordinary process, each proven to be needed. */
/* What each is for: README.md; the test that takes it away: agent/tests/profile_by_hand.sh. */
static const char *const capabilities[] = { "BPF",    "PERFMON",         "SYS_PTRACE",
                                            "SYSLOG", "DAC_READ_SEARCH", "CHECKPOINT_RESTORE" };

static const struct {
    const char *key, *value;
} labels[] = {
    { "app.kubernetes.io/name", "podflame" },
    { "app.kubernetes.io/component", "agent" },
    { "app.kubernetes.io/managed-by", "podflame" },
}, annotations[] = { /* a mesh's proxy would outlive the agent, and the pod would never end */
    { "sidecar.istio.io/inject", "false" },
    { "linkerd.io/inject", "disabled" },
    { "kuma.io/sidecar-injection", "disabled" },
};

bool agent_pod_name(const char *uid, char name[AGENT_POD_NAME_SIZE])
{
    int n = snprintf(name, AGENT_POD_NAME_SIZE, "podflame-%s", uid);

    return n > 0 && n < AGENT_POD_NAME_SIZE && kube_path_is_name(name) && !strchr(name, '.');
}

int64_t agent_pod_deadline_s(int64_t duration_s)
{
    return AGENT_START_WAIT_S + duration_s + AGENT_FINISH_SLACK_S;
}

static void add_text(struct json_object *array, const char *text)
{
    (void)json_object_array_add(array, json_object_new_string(text));
}

static struct json_object *add_item(struct json_object *array)
{
    struct json_object *item = json_object_new_object();

    (void)json_object_array_add(array, item);
    return item;
}

static void build_metadata(struct json_object *pod, const struct podflame *pf, const char *ns)
{
    struct json_object *metadata = json_add_object(pod, "metadata");
    char name[AGENT_POD_NAME_SIZE];

    (void)agent_pod_name(pf->uid, name); /* the API server refuses what is no name */
    json_set_str(metadata, "name", name);
    json_set_str(metadata, "namespace", ns);
    struct json_object *l = json_add_object(metadata, "labels");
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
        json_set_str(l, labels[i].key, labels[i].value);
    json_set_str(l, AGENT_POD_UID_LABEL, pf->uid);
    struct json_object *a = json_add_object(metadata, "annotations");
    for (size_t i = 0; i < sizeof(annotations) / sizeof(annotations[0]); i++)
        json_set_str(a, annotations[i].key, annotations[i].value);
    json_set_str(a, AGENT_POD_NS_ANNOTATION, pf->namespace);
    json_set_str(a, AGENT_POD_PF_ANNOTATION, pf->name);
}

/* On that node and no other, through the scheduler, so that it still counts what the node has. */
static void build_placement(struct json_object *spec, const char *node)
{
    struct json_object *affinity =
        json_add_object(json_add_object(json_add_object(spec, "affinity"), "nodeAffinity"),
                        "requiredDuringSchedulingIgnoredDuringExecution");
    struct json_object *term = add_item(json_add_array(affinity, "nodeSelectorTerms"));
    struct json_object *field = add_item(json_add_array(term, "matchFields"));

    json_set_str(field, "key", "metadata.name");
    json_set_str(field, "operator", "In");
    add_text(json_add_array(field, "values"), node);
    json_set_str(add_item(json_add_array(spec, "tolerations")), "operator", "Exists");
}

static void build_args(struct json_object *container, const struct podflame *pf)
{
    char duration[DURATION_TEXT_MAX], frequency[24], target[512];
    const struct {
        const char *option, *value;
    } args[] = {
        { "--pod-uid", pf->status.target_pod_uid },
        { "--container-id", pf->status.target_container_id },
        { "--duration", duration },
        { "--frequency", frequency },
        { "--stream", NULL },
        { "--pod", target },
        { "--container", pf->status.target_container_name },
        { "--node", pf->status.node_name },
    };
    struct json_object *array = json_add_array(container, "args");

    duration_format(pf->spec.duration_s, duration, sizeof(duration));
    (void)snprintf(frequency, sizeof(frequency), "%" PRId64, pf->spec.frequency);
    (void)snprintf(target, sizeof(target), "%s/%s", pf->namespace, pf->spec.target_pod);
    for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
        add_text(array, args[i].option);
        if (args[i].value)
            add_text(array, args[i].value);
    }
}

static void build_security(struct json_object *container)
{
    struct json_object *security = json_add_object(container, "securityContext");
    struct json_object *caps = json_add_object(security, "capabilities");

    json_set_bool(security, "privileged", false);
    json_set_bool(security, "allowPrivilegeEscalation", false);
    json_set_bool(security, "readOnlyRootFilesystem", true);
    json_set_int(security, "runAsUser", 0);
    json_set_bool(security, "runAsNonRoot", false);
    add_text(json_add_array(caps, "drop"), "ALL");
    struct json_object *add = json_add_array(caps, "add");
    for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
        add_text(add, capabilities[i]);
    json_set_str(json_add_object(security, "seccompProfile"), "type", "RuntimeDefault");
}

/* A Kubernetes quantity in Mi, rounded down; INT64_MAX when it is written in another way. */
static int64_t quantity_mi(const char *text)
{
    static const struct {
        const char *suffix;
        int64_t per_mi; /* how many of them are one Mi, roughly */
    } units[] = { { "Ki", 1024 }, { "Mi", 1 }, { "k", 1048 }, { "M", 1 }, { "", 1048576 } };
    char *end = NULL;
    int64_t n = strtoll(text, &end, 10);

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (end != text && n >= 0 && strcmp(end, units[i].suffix) == 0)
            return n / units[i].per_mi;
    }
    return INT64_MAX;
}

static void build_container(struct json_object *spec, const struct podflame *pf,
                            const struct agent_pod_options *options)
{
    struct json_object *container = add_item(json_add_array(spec, "containers"));

    json_set_str(container, "name", "agent");
    json_set_str(container, "image", options->image);
    json_set_str(container, "imagePullPolicy", "IfNotPresent");
    build_args(container, pf);
    build_security(container);
    struct json_object *resources = json_add_object(container, "resources");
    struct json_object *requests = json_add_object(resources, "requests");
    json_set_str(requests, "cpu", "50m");
    json_set_str(requests, "memory",
                 quantity_mi(options->memory_limit) < AGENT_REQUEST_MI ? options->memory_limit
                                                                       : "64Mi");
    json_set_str(json_add_object(resources, "limits"), "memory", options->memory_limit);
    json_set_str(container, "terminationMessagePolicy", "File");
}

struct json_object *agent_pod_build(const struct podflame *pf,
                                    const struct agent_pod_options *options)
{
    struct json_object *pod = json_object_new_object();

    json_set_str(pod, "apiVersion", "v1");
    json_set_str(pod, "kind", "Pod");
    build_metadata(pod, pf, options->namespace);
    struct json_object *spec = json_add_object(pod, "spec");
    json_set_str(spec, "restartPolicy", "Never");
    json_set_int(spec, "activeDeadlineSeconds", agent_pod_deadline_s(pf->spec.duration_s));
    json_set_int(spec, "terminationGracePeriodSeconds", 5);
    json_set_bool(spec, "hostPID", true);
    json_set_bool(spec, "automountServiceAccountToken", false);
    json_set_bool(spec, "enableServiceLinks", false);
    json_set_str(spec, "serviceAccountName", options->service_account);
    build_placement(spec, pf->status.node_name);
    build_container(spec, pf, options);
    return pod;
}

static void copy_text(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from ? from : "");
}

static int64_t time_at(struct json_object *o, const char *path)
{
    const char *text = json_get_str(o, path);
    int64_t s = 0;

    return text && rfc3339_parse(text, &s) ? s : 0;
}

static void set_why(struct agent_view *view, const char *reason, const char *message)
{
    copy_text(view->reason, sizeof(view->reason), reason);
    copy_text(view->message, sizeof(view->message), message);
    if (message && strlen(message) >= sizeof(view->message)) {
        char *end = view->message + sizeof(view->message) - sizeof("...");

        while (((unsigned char)*end & 0xc0) == 0x80) /* never within a character */
            end--;
        memcpy(end, "...", sizeof("..."));
    }
}

/* No node has taken it: what the scheduler says. */
static void decode_scheduling(struct json_object *pod, struct agent_view *view)
{
    struct json_object *conditions = json_get_array(pod, "status.conditions");

    for (size_t i = 0; conditions && i < json_object_array_length(conditions); i++) {
        struct json_object *c = json_object_array_get_idx(conditions, i);
        const char *type = json_get_str(c, "type"), *status = json_get_str(c, "status");

        if (type && status && strcmp(type, "PodScheduled") == 0 && strcmp(status, "False") == 0)
            set_why(view, json_get_str(c, "reason"), json_get_str(c, "message"));
    }
}

/* What every pod goes through is not worth telling. */
static bool is_ordinary(const char *reason)
{
    return reason &&
           (strcmp(reason, "ContainerCreating") == 0 || strcmp(reason, "PodInitializing") == 0);
}

/* The runtime could not start the program: there is no log to read. */
static bool never_started(const char *reason)
{
    return reason &&
           (strcmp(reason, "StartError") == 0 || strcmp(reason, "ContainerCannotRun") == 0);
}

static void decode_container(struct json_object *status, struct agent_view *view)
{
    struct json_object *terminated = json_get_object(status, "state.terminated");
    struct json_object *waiting = json_get_object(status, "state.waiting");
    struct json_object *running = json_get_object(status, "state.running");

    if (running) {
        view->state = AGENT_RUNNING;
        view->started_s = time_at(running, "startedAt");
    } else if (terminated) {
        view->state = AGENT_ENDED;
        view->started_s = time_at(terminated, "startedAt");
        view->exit_code = (int)json_get_int(terminated, "exitCode", -1);
        set_why(view, json_get_str(terminated, "reason"), json_get_str(terminated, "message"));
    } else if (waiting && !is_ordinary(json_get_str(waiting, "reason"))) {
        set_why(view, json_get_str(waiting, "reason"), json_get_str(waiting, "message"));
    }
    view->ran = running || (terminated && !never_started(view->reason));
}

static void decode_status(struct json_object *pod, struct agent_view *view)
{
    const char *phase = json_get_str(pod, "status.phase");
    const char *reason = json_get_str(pod, "status.reason");
    struct json_object *containers = json_get_array(pod, "status.containerStatuses");

    decode_scheduling(pod, view);
    if (containers && json_object_array_length(containers) > 0)
        decode_container(json_object_array_get_idx(containers, 0), view);
    if (phase && (strcmp(phase, "Failed") == 0 || strcmp(phase, "Succeeded") == 0))
        view->state = AGENT_ENDED;
    if (view->state == AGENT_ENDED && reason && *reason) /* Evicted, DeadlineExceeded, OutOfcpu */
        set_why(view, reason, json_get_str(pod, "status.message"));
}

bool agent_view_decode(struct json_object *pod, struct agent_view *ret)
{
    struct json_object *labels_of = json_get_object(pod, "metadata.labels");
    struct json_object *notes = json_get_object(pod, "metadata.annotations");
    struct json_object *ns = json_get_key(notes, AGENT_POD_NS_ANNOTATION);
    struct json_object *pf = json_get_key(notes, AGENT_POD_PF_ANNOTATION);
    struct json_object *uid = json_get_key(labels_of, AGENT_POD_UID_LABEL);
    const char *name = json_get_str(pod, "metadata.name");
    struct agent_view view = { 0 };

    if (!name || !json_object_is_type(uid, json_type_string) ||
        !agent_pod_name(json_object_get_string(uid), view.name) || strcmp(view.name, name) != 0)
        return false;
    copy_text(view.podflame_uid, sizeof(view.podflame_uid), json_object_get_string(uid));
    copy_text(view.uid, sizeof(view.uid), json_get_str(pod, "metadata.uid"));
    copy_text(view.podflame_ns, sizeof(view.podflame_ns), json_object_get_string(ns));
    copy_text(view.podflame_name, sizeof(view.podflame_name), json_object_get_string(pf));
    view.deleting = json_get_str(pod, "metadata.deletionTimestamp") != NULL;
    view.created_s = time_at(pod, "metadata.creationTimestamp");
    decode_status(pod, &view);
    *ret = view;
    return true;
}
