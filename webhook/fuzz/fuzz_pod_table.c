/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fuzz/fuzz.h"
#include "lib/json.h"
#include "webhook/pod_table.h"

/* Every pod that was read is found, with a container. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_close_ int fd = fuzz_file(data, size);
    _cleanup_free_ char *path = mem_printf("/proc/self/fd/%d", fd), *text = fuzz_text(data, size);
    _cleanup_json_ struct json_object *pod = NULL;
    struct pod_table *table = NULL;
    char ns[65], name[65];
    struct err e = { 0 };

    if (pod_table_open(path, &table, &e) < 0) {
        assert(!table && e.msg[0]);
        return 0;
    }
    if (sscanf(text, "%64s %64s", ns, name) == 2 && ns[0] != '#' && strlen(ns) < 64 &&
        strlen(name) < 64 && pod_table_get(table, ns, name, &pod, &e) == 0)
        assert(json_object_array_length(json_get_array(pod, "spec.containers")) > 0);
    pod_table_close(table);
    return 0;
}
