/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/certs_metrics.h"

#include "lib/metrics.h"

static struct metrics_series ends[] = {
    [CERTS_METRICS_CA] = { .labels = "certificate=\"ca\"" },
    [CERTS_METRICS_NEXT_CA] = { .labels = "certificate=\"next_ca\"" },
    [CERTS_METRICS_SERVING] = { .labels = "certificate=\"serving\"" },
};
static struct metrics_family ends_family = METRICS_FAMILY(
    "podflame_certificate_not_after_timestamp_seconds",
    "When a certificate of the webhook ends, as seconds since 1970; 0: there is none.",
    METRICS_GAUGE, ends);

static struct metrics_series trusted[1];
static struct metrics_family trusted_family = METRICS_FAMILY(
    "podflame_certificate_trusted",
    "1 while the caBundle of the webhook configuration holds the CA of the serving certificate.",
    METRICS_GAUGE, trusted);

static struct metrics_series actions[] = {
#define X(id, name, text) [CERTS_##id] = { .labels = "action=\"" name "\"" },
    CERTS_ACTIONS(X)
#undef X
};
static struct metrics_family actions_family = {
    .name = "podflame_certificate_actions_total",
    .help = "What was done about certificates; rotations are rotate_ca and sign_serving.",
    .kind = METRICS_COUNTER,
    .series = actions + 1, /* waiting is no action */
    .n_series = CERTS_ACTION_COUNT - 1,
    .registered = ATOMIC_FLAG_INIT,
};
_Static_assert(CERTS_WAIT == 0, "the first action is none");

static struct metrics_series failures[1];
static struct metrics_family failures_family = METRICS_FAMILY(
    "podflame_certificate_check_failures_total",
    "Checks of the certificates that could not do all they should.", METRICS_COUNTER, failures);

void certs_metrics_register(void)
{
    metrics_register(&ends_family);
    metrics_register(&trusted_family);
    metrics_register(&actions_family);
    metrics_register(&failures_family);
}

void certs_metrics_set_not_after(enum certs_metrics_cert which, time_t end)
{
    metrics_set(&ends[which], end);
}

void certs_metrics_set_trusted(bool yes)
{
    metrics_set(&trusted[0], yes);
}

void certs_metrics_count_action(enum certs_action action)
{
    metrics_add(&actions[action], 1);
}

void certs_metrics_count_failure(void)
{
    metrics_add(&failures[0], 1);
}
