/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/server_metrics.h"

#include "lib/metrics.h"

#include <gnutls/gnutls.h>

enum { DENIED, ALLOWED, VERDICTS };

#define LABELS(operation, verdict) "operation=\"" operation "\",verdict=\"" verdict "\""
#define BY_OPERATION(X)                                                                            \
    X(REVIEW_CREATE, "CREATE") X(REVIEW_UPDATE, "UPDATE") X(REVIEW_OTHER, "OTHER")
enum { SERIES = REVIEW_OPERATION_COUNT * VERDICTS };

static struct metrics_series requests[SERIES] = {
#define X(operation, name)                                                                         \
    [VERDICTS * (operation) + DENIED] = { .labels = LABELS(name, "denied") },                      \
                              [VERDICTS * (operation) +                                            \
                                  ALLOWED] = { .labels = LABELS(name, "allowed") },
    BY_OPERATION(X)
#undef X
};
static struct metrics_family requests_total = METRICS_FAMILY(
    "podflame_admission_requests_total", "AdmissionReviews answered, by operation and verdict.",
    METRICS_COUNTER, requests);

static _Atomic int64_t buckets[SERIES][METRICS_BUCKETS];
static struct metrics_series durations[SERIES] = {
#define X(operation, name)                                                                         \
    [VERDICTS * (operation) +                                                                      \
        DENIED] = { .labels = LABELS(name, "denied"),                                              \
                    .buckets = buckets[VERDICTS * (operation) + DENIED] },                         \
        [VERDICTS * (operation) +                                                                  \
            ALLOWED] = { .labels = LABELS(name, "allowed"),                                        \
                         .buckets = buckets[VERDICTS * (operation) + ALLOWED] },
    BY_OPERATION(X)
#undef X
};
static struct metrics_family duration_seconds =
    METRICS_FAMILY("podflame_admission_duration_seconds",
                   "Time from a whole AdmissionReview to its verdict, the reading of the pod "
                   "included.",
                   METRICS_HISTOGRAM, durations);

static struct metrics_series rejections[REVIEW_FIELD_COUNT * PROBLEM_CAUSE_COUNT] = {
#define CAUSE(field_id, field, cause_id, cause)                                                    \
    [(field_id)*PROBLEM_CAUSE_COUNT + PROBLEM_##                                                   \
        cause_id] = { .labels = "field=\"" field "\",reason=\"" cause "\"" },
#define X(id, field)                                                                               \
    CAUSE(REVIEW_FIELD_##id, field, REQUIRED, "FieldValueRequired")                                \
    CAUSE(REVIEW_FIELD_##id, field, INVALID, "FieldValueInvalid")                                  \
    CAUSE(REVIEW_FIELD_##id, field, FORBIDDEN, "FieldValueForbidden")                              \
    CAUSE(REVIEW_FIELD_##id, field, NOT_FOUND, "FieldValueNotFound")                               \
    CAUSE(REVIEW_FIELD_##id, field, NOT_SUPPORTED, "FieldValueNotSupported")                       \
    CAUSE(REVIEW_FIELD_##id, field, TOO_LONG, "FieldValueTooLong")                                 \
    CAUSE(REVIEW_FIELD_##id, field, TYPE_INVALID, "FieldValueTypeInvalid")
    REVIEW_FIELDS(X)
#undef X
#undef CAUSE
};
static struct metrics_family rejections_total =
    METRICS_FAMILY("podflame_admission_rejections_total",
                   "Problems that PodFlames were denied for, by field and by the cause type of the "
                   "Kubernetes API.",
                   METRICS_COUNTER, rejections);

static struct metrics_series lookups[] = {
    [REVIEW_NOT_LOOKED_UP] = { .labels = "result=\"none\"" },
    [REVIEW_POD_FOUND] = { .labels = "result=\"found\"" },
    [REVIEW_POD_ABSENT] = { .labels = "result=\"absent\"" },
    [REVIEW_POD_FAILED] = { .labels = "result=\"error\"" },
};
static struct metrics_family lookups_total = METRICS_FAMILY(
    "podflame_admission_pod_lookups_total",
    "Reads of the target pod by admission, by result; none: the verdict needed no pod.",
    METRICS_COUNTER, lookups);

static const unsigned refusal_codes[] = { 400, 404, 405, 413, 415 };
static struct metrics_series refusals[] = {
    { .labels = "code=\"400\"" }, { .labels = "code=\"404\"" }, { .labels = "code=\"405\"" },
    { .labels = "code=\"413\"" }, { .labels = "code=\"415\"" },
};
static struct metrics_family refusals_total =
    METRICS_FAMILY("podflame_admission_refused_requests_total",
                   "HTTP requests that were no AdmissionReview to judge, by HTTP status.",
                   METRICS_COUNTER, refusals);

static struct metrics_series in_flight[1];
static struct metrics_family in_flight_requests =
    METRICS_FAMILY("podflame_admission_in_flight_requests",
                   "HTTP requests that are being received or answered.", METRICS_GAUGE, in_flight);

static struct metrics_series refused_certificates[1];
static struct metrics_family refused_certificates_total =
    METRICS_FAMILY("podflame_tls_certificate_refusals_total",
                   "Connections that the client ended because it did not trust the certificate.",
                   METRICS_COUNTER, refused_certificates);

void server_metrics_register(void)
{
    metrics_register(&refused_certificates_total);
    metrics_register(&requests_total);
    metrics_register(&duration_seconds);
    metrics_register(&rejections_total);
    metrics_register(&lookups_total);
    metrics_register(&refusals_total);
    metrics_register(&in_flight_requests);
}

void server_metrics_count_review(const struct review_outcome *outcome, int64_t ns)
{
    size_t i =
        VERDICTS * (size_t)outcome->operation + (size_t)(outcome->allowed ? ALLOWED : DENIED);

    metrics_add(&requests[i], 1);
    metrics_observe_ns(&durations[i], ns);
    metrics_add(&lookups[outcome->lookup], 1);
    for (size_t j = 0; j < outcome->n_problems; j++)
        metrics_add(&rejections[outcome->problems[j].field * PROBLEM_CAUSE_COUNT +
                                outcome->problems[j].cause],
                    1);
}

void server_metrics_count_refusal(unsigned http_status)
{
    for (size_t i = 0; i < sizeof(refusal_codes) / sizeof(refusal_codes[0]); i++)
        if (refusal_codes[i] == http_status)
            metrics_add(&refusals[i], 1);
}

void server_metrics_count_alert(int alert)
{
    if ((alert >= GNUTLS_A_BAD_CERTIFICATE && alert <= GNUTLS_A_CERTIFICATE_UNKNOWN) ||
        alert == GNUTLS_A_UNKNOWN_CA)
        metrics_add(&refused_certificates[0], 1);
}

void server_metrics_add_in_flight(int n)
{
    metrics_add(&in_flight[0], n);
}
