/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { NOW = 1000000, GRACE = 5, LATER = NOW + 1000, BEFORE = NOW - 1000 };

/* Shorthands for CAs. */
#define NONE                                                                                       \
    {                                                                                              \
        0                                                                                          \
    }
#define YOUNG                                                                                      \
    {                                                                                              \
        .usable = true, .bundled = true, .bundled_from = BEFORE, .renew_at = LATER                 \
    }
#define OLD                                                                                        \
    {                                                                                              \
        .usable = true, .bundled = true, .bundled_from = BEFORE, .renew_at = NOW                   \
    }
#define HIDDEN                                                                                     \
    {                                                                                              \
        .usable = true, .renew_at = LATER                                                          \
    }
#define FRESH                                                                                      \
    {                                                                                              \
        .usable = true, .bundled = true, .bundled_from = NOW - GRACE + 1, .renew_at = LATER        \
    }
#define KNOWN                                                                                      \
    {                                                                                              \
        .usable = true, .bundled = true, .bundled_from = NOW - GRACE, .renew_at = LATER            \
    }

/* ... and for leaves. */
#define GOOD_LEAF                                                                                  \
    .serves = true, .leaf_usable = true, .leaf_current = true, .leaf_bundled = true,               \
    .leaf_renew_at = LATER
#define DUE_LEAF                                                                                   \
    .serves = true, .leaf_usable = true, .leaf_current = true, .leaf_bundled = true,               \
    .leaf_renew_at = NOW
#define OTHERS_LEAF                                                                                \
    .serves = true, .leaf_usable = true, .leaf_bundled = true, .leaf_renew_at = LATER
#define LOST_LEAF .serves = true, .leaf_usable = true, .leaf_renew_at = LATER

static const struct {
    const char *name;
    struct certs_view view;
    enum certs_action action;
} cases[] = {
    { "nothing there, leader", { .leads = true, NONE, NONE, .serves = true }, CERTS_MAKE_CA },
    { "nothing there, follower", { .serves = true }, CERTS_WAIT },
    { "CA not in the bundle", { .leads = true, HIDDEN, NONE, .serves = true }, CERTS_WRITE_BUNDLE },
    { "a follower signs before that, it has nothing to lose",
      { .current = HIDDEN, .serves = true },
      CERTS_SIGN_LEAF },
    { "the first leaf",
      { .leads = true, FRESH, NONE, .bundle_right = true, .serves = true },
      CERTS_SIGN_LEAF },
    { "no leaf is wanted", { .leads = true, FRESH, NONE, .bundle_right = true }, CERTS_WAIT },
    { "all is well", { .leads = true, YOUNG, NONE, .bundle_right = true, GOOD_LEAF }, CERTS_WAIT },
    { "leaf at two thirds",
      { .leads = true, YOUNG, NONE, .bundle_right = true, DUE_LEAF },
      CERTS_SIGN_LEAF },
    { "drift, leader", { .leads = true, YOUNG, NONE, GOOD_LEAF }, CERTS_WRITE_BUNDLE },
    { "drift, follower", { .current = HIDDEN, GOOD_LEAF }, CERTS_WAIT },
    { "CA at two thirds",
      { .leads = true, OLD, NONE, .bundle_right = true, GOOD_LEAF },
      CERTS_MAKE_NEXT },
    { "CA at two thirds, follower",
      { .current = OLD, .bundle_right = true, GOOD_LEAF },
      CERTS_WAIT },
    { "next CA not in the bundle", { .leads = true, OLD, HIDDEN, GOOD_LEAF }, CERTS_WRITE_BUNDLE },
    { "next CA just in the bundle",
      { .leads = true, OLD, FRESH, .bundle_right = true, GOOD_LEAF },
      CERTS_WAIT },
    { "the leaf is renewed meanwhile",
      { .leads = true, OLD, FRESH, .bundle_right = true, DUE_LEAF },
      CERTS_SIGN_LEAF },
    { "next CA known to all",
      { .leads = true, OLD, KNOWN, .bundle_right = true, GOOD_LEAF },
      CERTS_PROMOTE },
    { "... but not by a follower",
      { .current = OLD, .next = KNOWN, .bundle_right = true, GOOD_LEAF },
      CERTS_WAIT },
    { "another CA signs now",
      { .current = KNOWN, .has_previous = true, .previous_until = LATER, OTHERS_LEAF },
      CERTS_SIGN_LEAF },
    { "another CA signs now, but not all may know it",
      { .current = FRESH, .has_previous = true, .previous_until = LATER, OTHERS_LEAF },
      CERTS_WAIT },
    { "the leaf's own CA is out of the bundle", { .current = FRESH, LOST_LEAF }, CERTS_SIGN_LEAF },
    { "neither CA is in the bundle", { .current = HIDDEN, LOST_LEAF }, CERTS_WAIT },
    { "previous CA still needed",
      { .leads = true,
        YOUNG,
        NONE,
        .has_previous = true,
        .previous_until = NOW + 1,
        .bundle_right = true,
        GOOD_LEAF },
      CERTS_WAIT },
    { "previous CA over",
      { .leads = true,
        YOUNG,
        NONE,
        .has_previous = true,
        .previous_until = NOW,
        .bundle_right = true,
        GOOD_LEAF },
      CERTS_DROP_PREVIOUS },
    { "current CA spoilt, next one there",
      { .leads = true, NONE, FRESH, .bundle_right = true, GOOD_LEAF },
      CERTS_PROMOTE },
    { "current CA spoilt, next one not in the bundle",
      { .leads = true, NONE, HIDDEN, GOOD_LEAF },
      CERTS_WRITE_BUNDLE },
    { "both spoilt", { .leads = true, NONE, NONE, GOOD_LEAF }, CERTS_MAKE_CA },
    { "both spoilt, follower keeps its leaf", { GOOD_LEAF }, CERTS_WAIT },
};

static void one_action_follows_from_what_is_there(void **state)
{
    const struct certs_policy policy = { .ca_life_s = 60, .leaf_life_s = 20, .grace_s = GRACE };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum certs_action got = certs_plan_next(&cases[i].view, &policy, NOW);

        if (got != cases[i].action)
            fail_msg("%s: '%s', not '%s'", cases[i].name, certs_action_text(got),
                     certs_action_text(cases[i].action));
    }
}

static void a_policy_is_completed(void **state)
{
    static const struct {
        const char *name;
        struct certs_policy policy, whole;
        int64_t check_s;
    } policies[] = {
        { "defaults", { 0 }, { CERTS_CA_LIFE_S, CERTS_LEAF_LIFE_S, 60 }, 5 },
        { "lives of seconds", { 60, 20, 0 }, { 60, 20, 5 }, 2 },
        { "a short CA", { 600, 0, 0 }, { 600, 200, 50 }, 5 },
        { "all given", { 60, 30, 9 }, { 60, 30, 9 }, 3 },
        { "the shortest", { 30, 10, 0 }, { 30, 10, 2 }, 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        struct certs_policy p = policies[i].policy;

        certs_policy_complete(&p);
        if (p.ca_life_s != policies[i].whole.ca_life_s ||
            p.leaf_life_s != policies[i].whole.leaf_life_s ||
            p.grace_s != policies[i].whole.grace_s ||
            certs_policy_check_s(&p) != policies[i].check_s)
            fail_msg("%s: %lld %lld %lld, check %lld", policies[i].name, (long long)p.ca_life_s,
                     (long long)p.leaf_life_s, (long long)p.grace_s,
                     (long long)certs_policy_check_s(&p));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_action_follows_from_what_is_there),
        cmocka_unit_test(a_policy_is_completed),
    };

    return cmocka_run_group_tests_name("certs plan", tests, NULL, NULL);
}
