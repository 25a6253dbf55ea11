/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/plan.h"

enum { GRACE_SHARE = 12, CHECKS_A_LEAF = 10 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void certs_policy_complete(struct certs_policy *policy)
{
    if (policy->ca_life_s == 0)
        policy->ca_life_s = CERTS_CA_LIFE_S;
    if (policy->leaf_life_s == 0)
        policy->leaf_life_s = least(CERTS_LEAF_LIFE_S, policy->ca_life_s / 3);
    if (policy->grace_s == 0)
        policy->grace_s = least(CERTS_GRACE_S, policy->ca_life_s / GRACE_SHARE);
}

int64_t certs_policy_check_s(const struct certs_policy *policy)
{
    int64_t wait = least(CERTS_CHECK_S, policy->leaf_life_s / CHECKS_A_LEAF);

    return wait > 0 ? wait : 1;
}

const char *certs_action_text(enum certs_action action)
{
    static const char *const texts[] = {
#define X(id, name, text) [CERTS_##id] = (text),
        CERTS_ACTIONS(X)
#undef X
    };

    return texts[action];
}

/* Every API server can be expected to have it. */
static bool is_known(const struct certs_ca_view *ca, const struct certs_policy *policy, time_t now)
{
    return ca->bundled && now >= ca->bundled_from + policy->grace_s;
}

static enum certs_action leader_next(const struct certs_view *view,
                                     const struct certs_policy *policy, time_t now)
{
    if (!view->current.usable && !view->next.usable)
        return CERTS_MAKE_CA;
    if (!view->bundle_right)
        return CERTS_WRITE_BUNDLE;
    if (!view->current.usable) /* without a CA that signs there is nothing to wait for */
        return CERTS_PROMOTE;
    if (!view->next.usable && now >= view->current.renew_at)
        return CERTS_MAKE_NEXT;
    if (view->next.usable && is_known(&view->next, policy, now))
        return CERTS_PROMOTE;
    if (view->has_previous && now >= view->previous_until)
        return CERTS_DROP_PREVIOUS;
    return CERTS_WAIT;
}

static bool leaf_is_due(const struct certs_view *view, const struct certs_policy *policy,
                        time_t now)
{
    if (!view->serves || !view->current.usable)
        return false;
    if (!view->leaf_usable)
        return true;
    if (view->leaf_current)
        return now >= view->leaf_renew_at;
    return is_known(&view->current, policy, now) || (view->current.bundled && !view->leaf_bundled);
}

enum certs_action certs_plan_next(const struct certs_view *view, const struct certs_policy *policy,
                                  time_t now)
{
    enum certs_action action = view->leads ? leader_next(view, policy, now) : CERTS_WAIT;

    if (action == CERTS_WAIT && leaf_is_due(view, policy, now))
        action = CERTS_SIGN_LEAF;
    return action;
}
