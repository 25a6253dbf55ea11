/* SPDX-License-Identifier: Apache-2.0 */
/* server_metrics: what the admission webhook counts. See lib/metrics.h; thread-safe. */
#pragma once

#include "webhook/review.h"

#include <stdint.h>

void server_metrics_register(void);

/* One verdict, @ns after its body was complete. */
void server_metrics_count_review(const struct review_outcome *outcome, int64_t ns);

/* One request that ended without a verdict. */
void server_metrics_count_refusal(unsigned http_status);

void server_metrics_add_in_flight(int n);

/* The last TLS alert that a client sent; those that refuse our certificate are counted. API servers
 * say so in every version of TLS; OpenSSL's alert in TLS 1.3 cannot be read. */
void server_metrics_count_alert(int alert);
