/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/path.h"

#include <string.h>

enum { NAME_MAX_LEN = 253 };

bool kube_path_is_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
    size_t len = strlen(name);

    return len > 0 && len <= NAME_MAX_LEN && name[0] != '.' && strspn(name, allowed) == len;
}
