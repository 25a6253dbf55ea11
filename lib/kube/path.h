/* SPDX-License-Identifier: Apache-2.0 */
/* kube/path: names that may stand in a path of the API. */
#pragma once

#include <stdbool.h>

/* Letters, digits, '-' and '.', not beginning with '.', at most 253: nothing that could leave its
 * place in a path. */
bool kube_path_is_name(const char *name);
