/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/pass.h"

#include "reconciler/pass_steps.h"

#include "lib/json.h"
#include "lib/mem.h"
#include "reconciler/clock.h"
#include "reconciler/counters.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

enum { OBJECT_DEPTH = 64, RETRY_MIN_MS = 500, RETRY_MAX_MS = 60000 };

/* The end of any pass may let the next one read its log: whoever was let before may not have needed
 * its turn any more. */
static void pass_on_log_turn(struct pass_context *c)
{
    struct queue_node *next = NULL;

    if (c->n_logs < PASS_LOGS_MAX)
        next = queue_take(&c->subjects->log_turns, INT64_MAX);
    if (next)
        subject_touch(c->subjects, (struct subject *)(void *)((char *)next -
                                                              offsetof(struct subject, log_turn)));
}

void pass_end(struct pass *p, int64_t due_ms, bool failed)
{
    struct pass_context *c = p->c;
    struct subject *s = p->s;
    int64_t now_ms = clock_monotonic_ms();

    counters_pass((now_ms - p->began_ms) * 1000000);
    s->pass = NULL;
    c->n_passes--;
    if (p->logs)
        c->n_logs--;
    if (s->dirty && !failed)
        due_ms = now_ms;
    s->dirty = false;
    if (due_ms >= 0)
        queue_add(&c->subjects->queue, &s->turn, due_ms);
    result_decoder_release(&p->decoder);
    free(p);
    pass_on_log_turn(c);
}

void pass_log(enum log_level level, const char *msg, const struct subject *s, const char *key,
              const char *value, const char *error)
{
    const char *ns = s->has_pf ? s->pf.namespace : s->agent ? s->agent->podflame_ns : "";
    const char *name = s->has_pf ? s->pf.name : s->agent ? s->agent->podflame_name : "";

    log_event(level, msg, LOG_STR("namespace", ns), LOG_STR("podflame", name),
              LOG_STR("uid", s->uid), LOG_STR(key, value), LOG_STR("message", error));
}

/* What went wrong may be better later. */
void pass_failed(struct pass *p, const struct kube_response *response, const struct err *e)
{
    unsigned int n = p->s->errors < 7 ? p->s->errors : 7;
    int64_t wait_ms = (int64_t)RETRY_MIN_MS << n;

    p->s->errors++;
    wait_ms = wait_ms > RETRY_MAX_MS ? RETRY_MAX_MS : wait_ms;
    wait_ms += wait_ms * (random() % 256) / 1024;
    if (response && response->retry_after_s * 1000 > wait_ms)
        wait_ms = response->retry_after_s * 1000;
    if (response)
        counters_api_error(response->status);
    pass_log(LOG_WARN, "request failed, will try again", p->s, "action", "retry", e->msg);
    pass_end(p, clock_monotonic_ms() + wait_ms, true);
}

void pass_go_on(struct pass *p)
{
    p->s->errors = 0;
    pass_step(p);
}

void pass_send(struct pass *p, const char *method, const char *path, struct buf *body,
               kube_done_fn done)
{
    (void)kube_loop_send(p->c->loop,
                         &(struct kube_request){ .method = method,
                                                 .path = path,
                                                 .body = body ? buf_str(body) : NULL,
                                                 .len = body ? body->len : 0,
                                                 .trim = PASS_STRING_MAX },
                         NULL, done, p);
}

struct json_object *pass_parse(const struct kube_response *response)
{
    struct json_object *object = NULL;
    struct err ignored = { 0 };

    return json_parse(buf_str(&response->body), response->body.len, OBJECT_DEPTH, &object,
                      &ignored) < 0
               ? NULL
               : object;
}

static void forget(struct pass *p)
{
    struct subjects *all = p->c->subjects;
    struct subject *s = p->s;

    s->dirty = false;
    pass_end(p, -1, false);
    subject_forget(all, s);
}

static void wait(struct pass *p)
{
    int64_t wait_ms = p->plan.again_s * 1000 - clock_real_ms();

    if (p->plan.again_s == 0)
        pass_end(p, -1, false);
    else
        pass_end(p, clock_monotonic_ms() + (wait_ms > 0 ? wait_ms : 0) + 10, false);
}

static void fill(struct pass *p)
{
    const struct subject *s = p->s;

    p->in.pf = s->has_pf ? &s->pf : NULL;
    p->in.gone = s->gone;
    p->in.invalid = s->invalid;
    p->in.agent = s->agent;
    p->in.agent_seen = s->agent_seen;
    p->in.create_error = p->create_tried ? s->create_error : NULL;
    p->in.create_refused = s->create_refused;
    p->in.create_failed_s = s->create_failed_s;
    p->in.log_tries = s->log_tries;
    p->in.log_failures = s->log_failures;
    p->in.log_error = p->log_error[0] ? p->log_error : NULL;
    p->in.now_s = clock_real_ms() / 1000;
    p->in.target_wait_s = p->c->target_wait_s;
    p->in.memory_limit = p->c->agent.memory_limit;
}

bool pass_may_act(const struct pass_context *context)
{
    return !context->leads || context->leads(context->leads_ctx);
}

void pass_step(struct pass *p)
{
    static void (*const actions[])(struct pass *) = {
        [PLAN_WAIT] = wait,
        [PLAN_WRITE_STATUS] = pass_write_status,
        [PLAN_READ_PODFLAME] = pass_read_podflame,
        [PLAN_READ_TARGET] = pass_read_target,
        [PLAN_CREATE_AGENT] = pass_create_agent,
        [PLAN_READ_AGENT] = pass_read_agent,
        [PLAN_READ_LOG] = pass_read_log,
        [PLAN_DELETE_AGENT] = pass_delete_agent,
        [PLAN_DELETE_PODFLAME] = pass_delete_podflame,
        [PLAN_FORGET] = forget,
    };

    if (++p->steps > PASS_STEPS_MAX) {
        struct err e = { 0 };

        (void)err_set(&e, -ELOOP, "no end after %d steps", PASS_STEPS_MAX);
        pass_failed(p, NULL, &e);
    } else if (p->s->pf_doubt && p->s->has_pf && !p->s->gone) {
        pass_read_podflame(p);
    } else if (p->s->agent_doubt) {
        pass_read_agent(p);
    } else {
        fill(p);
        plan_next(&p->in, &p->plan);
        if (p->plan.action != PLAN_WAIT && p->plan.action != PLAN_FORGET && !pass_may_act(p->c))
            pass_end(p, -1, false);
        else
            actions[p->plan.action](p);
    }
}

void pass_begin(struct pass_context *context, struct subject *s)
{
    struct pass *p = mem_zalloc(sizeof(*p));

    p->c = context;
    p->s = s;
    p->began_ms = clock_monotonic_ms();
    result_decoder_init(&p->decoder);
    s->pass = p;
    s->dirty = false;
    context->n_passes++;
    pass_step(p);
}

void passes_drop(struct pass_context *context)
{
    for (struct subject *s = context->subjects->by_uid; s; s = s->hh.next) {
        if (s->pass)
            pass_end(s->pass, -1, true);
    }
}
