/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/cgroup_text.h"
#include "lib/fuzz/fuzz.h"

#define ID  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID "11111111-2222-3333-4444-555555555555"

/* Who is in the container by its v2 path is in it by the text; the path holds the ID. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_text(data, size);
    char path[128];
    size_t own = 0;

    (void)cgroup_text_has(text, UID, "0123456789ab");
    (void)cgroup_text_strip_scheme(text);
    if (!cgroup_text_v2_path(text, ID, path, sizeof(path), &own))
        return 0;
    assert(strlen(path) < sizeof(path) && own <= strlen(path));
    assert(strstr(path, ID) && cgroup_text_has(text, UID, ID));
    return 0;
}
