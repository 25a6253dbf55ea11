/* SPDX-License-Identifier: Apache-2.0 */
/* certs_metrics: what Prometheus is told about the certificates. See lib/metrics.h; thread-safe. */
#pragma once

#include "certs/plan.h"

enum certs_metrics_cert {
    CERTS_METRICS_CA,
    CERTS_METRICS_NEXT_CA,
    CERTS_METRICS_SERVING,
};

void certs_metrics_register(void);
void certs_metrics_set_not_after(enum certs_metrics_cert which, time_t end); /* 0: there is none */
void certs_metrics_set_trusted(bool trusted);
void certs_metrics_count_action(enum certs_action action);
void certs_metrics_count_failure(void);
