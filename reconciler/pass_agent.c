/* SPDX-License-Identifier: Apache-2.0 */
/* What a pass does with the agent pod: make it, adopt it, read its log, delete it. */
#include "reconciler/pass_steps.h"

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "reconciler/clock.h"
#include "reconciler/counters.h"

#include <errno.h>
#include <stdlib.h>

enum {
    POD_MAX = 64 * 1024, /* the description of an agent pod */
    LOG_BYTES_MAX = 8 * 1024 * 1024,
    LOG_TIMEOUT_MS = 20000,
};

static char *agent_path(const struct pass *p, const char *sub)
{
    char name[AGENT_POD_NAME_SIZE];

    (void)agent_pod_name(p->s->uid, name); /* checked when the subject was made */
    return mem_printf("/api/v1/namespaces/%s/pods/%s%s", p->c->agent.namespace, name, sub);
}

static void create_failed(struct pass *p, bool refused, const char *why)
{
    struct subject *s = p->s;

    if (!s->create_error)
        s->create_failed_s = clock_real_ms() / 1000;
    free(s->create_error);
    s->create_error = mem_strdup(why);
    s->create_refused = refused;
    p->create_tried = true;
    p->in.fresh = false; /* the next try is for a later pass */
    pass_step(p);
}

static bool take_agent(struct pass *p, const struct kube_response *response)
{
    _cleanup_json_ struct json_object *pod = pass_parse(response);
    struct agent_view view;

    if (!pod || !agent_view_decode(pod, &view))
        return false;
    subject_set_agent(p->c->subjects, p->s, &view);
    return true;
}

static void agent_read(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct pass *p = ctx;

    p->in.agent_fresh = code == 0 || code == -ENOENT;
    if (code == -ENOENT) {
        subject_set_agent(p->c->subjects, p->s, NULL);
        pass_go_on(p);
    } else if (code < 0) {
        pass_failed(p, response, e);
    } else if (!take_agent(p, response)) {
        create_failed(p, true, "a pod of its name is there already, and it is not an agent");
    } else {
        pass_go_on(p);
    }
}

void pass_read_agent(struct pass *p)
{
    _cleanup_free_ char *path = agent_path(p, "");

    pass_send(p, "GET", path, NULL, agent_read);
}

static void agent_created(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct pass *p = ctx;

    if (code == -EEXIST) {
        pass_read_agent(p); /* adopt it, if it is ours */
    } else if (code == -EINVAL || code == -EACCES || response->status >= 500) {
        /* also somebody's admission webhook that does not answer: not for good, but to be told */
        counters_api_error(response->status);
        create_failed(p, code == -EINVAL, response->message[0] ? response->message : e->msg);
    } else if (code < 0) {
        pass_failed(p, response, e);
    } else {
        free(p->s->create_error);
        p->s->create_error = NULL;
        pass_log(LOG_INFO, "agent created", p->s, "node", p->s->pf.status.node_name, "");
        if (p->s->agent || take_agent(p, response))
            pass_read_podflame(p); /* another replica may have finished it just before: then the
                                      new agent goes at once */
        else
            pass_read_agent(p);
    }
}

void pass_create_agent(struct pass *p)
{
    _cleanup_free_ char *path = mem_printf("/api/v1/namespaces/%s/pods", p->c->agent.namespace);
    _cleanup_json_ struct json_object *pod = agent_pod_build(&p->s->pf, &p->c->agent);
    _cleanup_buf_ struct buf body = BUF_INIT(POD_MAX);

    if (json_write(pod, &body) < 0)
        create_failed(p, true, "its description is too large");
    else
        pass_send(p, "POST", path, &body, agent_created);
}

static void agent_deleted(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct pass *p = ctx;

    if (code < 0 && code != -ENOENT && code != -ESTALE) {
        pass_failed(p, response, e);
        return;
    }
    if (code == -ENOENT)
        subject_set_agent(p->c->subjects, p->s, NULL);
    else if (code == -ESTALE && p->s->agent)
        p->s->agent_doubt = true; /* another pod by now */
    else if (p->s->agent)
        p->s->agent->deleting = true;
    pass_go_on(p);
}

void pass_delete_agent(struct pass *p)
{
    _cleanup_free_ char *path = agent_path(p, "");
    _cleanup_buf_ struct buf body = BUF_INIT(1024);

    (void)buf_printf(&body,
                     "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
                     "\"preconditions\":{\"uid\":\"%s\"}}",
                     p->s->agent->uid);
    pass_log(LOG_DEBUG, "agent pod is deleted", p->s, "agent", p->s->agent->name, "");
    pass_send(p, "DELETE", path, &body, agent_deleted);
}

/* --- its log --- */

static int log_data(void *ctx, const char *data, size_t len)
{
    struct pass *p = ctx;

    result_decoder_feed(&p->decoder, data, len);
    log_tail_feed(&p->tail, data, len);
    return 0;
}

static void log_read(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct pass *p = ctx;

    if (response->status == 0 && code < 0 && code != -ETIMEDOUT) {
        pass_failed(p, response, e); /* no API server: the node is not to blame */
        return;
    }
    if (code < 0) {
        counters_api_error(response->status);
        p->s->log_failures++;
        (void)snprintf(p->log_error, sizeof(p->log_error), "%s",
                       response->message[0] ? response->message : e->msg);
        pass_log(LOG_WARN, "the agent's log cannot be read", p->s, "agent", "", e->msg);
    } else {
        p->s->log_tries++;
        (void)result_decoder_finish(&p->decoder);
        p->in.result = &p->decoder;
        p->in.log_tail = log_tail_finish(&p->tail);
    }
    pass_step(p);
}

void pass_read_log(struct pass *p)
{
    _cleanup_free_ char *sub = mem_printf("/log?container=agent&limitBytes=%d", LOG_BYTES_MAX);
    _cleanup_free_ char *path = agent_path(p, sub);

    if (!p->logs && p->c->n_logs >= PASS_LOGS_MAX) {
        queue_add(&p->c->subjects->log_turns, &p->s->log_turn, clock_monotonic_ms());
        pass_end(p, -1, false);
        return;
    }
    if (!p->logs)
        p->c->n_logs++;
    p->logs = true;
    (void)kube_loop_send(
        p->c->loop,
        &(struct kube_request){ .method = "GET", .path = path, .timeout_ms = LOG_TIMEOUT_MS },
        log_data, log_read, p);
}
