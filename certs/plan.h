/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: what is to be done next about the webhook's certificates. Pure: what was read and the time
 * go in, one action comes out; whoever applies it looks again and asks again.
 *
 * A CA lives through these states, so that an API server never meets a leaf of a CA that it does
 * not have yet, nor misses one that is still in use:
 *
 *   next      in the Secret and in the caBundle; signs nothing. For grace_s, in which the caBundle
 *             reaches every API server
 *   current   signs the leaf of each replica; at two thirds of its life the next one is made
 *   previous  its certificate stays in the caBundle until no leaf of it can be alive
 *
 * Secret and caBundle are written by the replica that leads. A leaf is each replica's own: it is
 * signed anew when the current CA is another, but not before that CA was in the caBundle for
 * grace_s, as long as the old leaf is good.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct certs_policy {
    int64_t ca_life_s, leaf_life_s;
    int64_t grace_s; /* what a caBundle needs to reach every API server */
};

enum {
    CERTS_CA_LIFE_S = 365 * 86400,
    CERTS_LEAF_LIFE_S = 7 * 86400,
    CERTS_GRACE_S = 60,
    CERTS_CHECK_S = 5, /* between two looks, at most */
};

/* Fills in what is 0: the lives above, and a grace of a twelfth of the CA's life, at most
 * CERTS_GRACE_S. */
void certs_policy_complete(struct certs_policy *policy);

/* How long to wait between two looks, so that short lives are followed too. */
int64_t certs_policy_check_s(const struct certs_policy *policy);

struct certs_ca_view {
    bool usable;         /* certificate and key are there, belong together, and are alive */
    bool bundled;        /* the caBundle of every webhook holds it */
    time_t bundled_from; /* since when we have seen it there */
    time_t renew_at;
};

struct certs_view {
    bool leads; /* this replica may write the Secret and the caBundle */
    struct certs_ca_view current, next;
    bool has_previous;
    time_t previous_until;
    bool
        bundle_right; /* the caBundle holds exactly what it should; also when there is no webhook */
    bool serves;      /* a leaf is wanted here */
    bool leaf_usable; /* there is one, and it is alive */
    bool leaf_current; /* signed by the current CA */
    bool leaf_bundled; /* signed by a CA of the caBundle */
    time_t leaf_renew_at;
};

#define CERTS_ACTIONS(X)                                                                           \
    X(WAIT, "wait", "nothing to do")                                                               \
    X(MAKE_CA, "make_ca", "webhook CA made")                                                       \
    X(MAKE_NEXT, "make_next_ca", "next webhook CA made")                                           \
    X(PROMOTE, "rotate_ca", "next webhook CA signs from now on")                                   \
    X(DROP_PREVIOUS, "drop_previous_ca", "previous webhook CA dropped")                            \
    X(WRITE_BUNDLE, "write_bundle", "caBundle written")                                            \
    X(SIGN_LEAF, "sign_serving", "serving certificate made")

enum certs_action {
#define X(id, name, text) CERTS_##id,
    CERTS_ACTIONS(X)
#undef X
        CERTS_ACTION_COUNT
};

const char *certs_action_text(enum certs_action action); /* for the log, once it is done */

enum certs_action certs_plan_next(const struct certs_view *view, const struct certs_policy *policy,
                                  time_t now);
