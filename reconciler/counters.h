/* SPDX-License-Identifier: Apache-2.0 */
/* counters: what the reconciler tells Prometheus. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void counters_register(void);

void counters_pass(int64_t ns);             /* one pass has ended and took that long */
void counters_finished(const char *reason); /* a PodFlame has succeeded or failed */
void counters_api_error(int status);        /* an HTTP status, 0: no answer */
void counters_set(size_t podflames, size_t queued, bool leads);
