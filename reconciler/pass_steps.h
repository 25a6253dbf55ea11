/* SPDX-License-Identifier: Apache-2.0 */
/* pass_steps: what the files of a pass share; for them alone. */
#pragma once

#include "lib/kube/loop.h"
#include "lib/log.h"
#include "reconciler/log_tail.h"
#include "reconciler/pass.h"
#include "reconciler/plan.h"

enum { PASS_STRING_MAX = 8 * 1024 }; /* of what is read */

struct pass {
    struct pass_context *c;
    struct subject *s;
    struct plan_input in;
    struct plan plan;
    int steps;
    int64_t began_ms;
    unsigned int news; /* s->pf_news when the status was sent */
    bool logs;         /* counted in c->n_logs */
    bool create_tried;
    struct result_decoder decoder;
    struct log_tail tail;
    char log_error[512], refused[512];
};

/* Asks the plan again. Every step ends in one of these four, once; the pass may be gone after. */
void pass_step(struct pass *p);
void pass_go_on(struct pass *p); /* something went well */
void pass_failed(struct pass *p, const struct kube_response *response, const struct err *e);
void pass_end(struct pass *p, int64_t due_ms, bool failed); /* due_ms -1: when something changes */

void pass_log(enum log_level level, const char *msg, const struct subject *s, const char *key,
              const char *value, const char *message);
void pass_send(struct pass *p, const char *method, const char *path, struct buf *body,
               kube_done_fn done);
struct json_object *pass_parse(const struct kube_response *response); /* NULL: it is no JSON */

/* The actions of a plan. */
void pass_read_podflame(struct pass *p);
void pass_read_target(struct pass *p);
void pass_write_status(struct pass *p);
void pass_delete_podflame(struct pass *p);
void pass_create_agent(struct pass *p);
void pass_read_agent(struct pass *p);
void pass_delete_agent(struct pass *p);
void pass_read_log(struct pass *p);
