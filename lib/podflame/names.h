/* SPDX-License-Identifier: Apache-2.0 */
/* names: the two forms of Kubernetes names that a PodFlame refers to (RFC 1123). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { NAME_LABEL_MAX = 63, NAME_SUBDOMAIN_MAX = 253 };

/* A container's name: 1-63 of a-z 0-9 '-', first and last no '-'. */
bool name_is_label(const char *text, size_t len);

/* A pod's name: labels joined by '.', at most 253 in all. */
bool name_is_subdomain(const char *text, size_t len);
