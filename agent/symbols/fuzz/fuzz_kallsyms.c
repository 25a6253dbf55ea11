/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/kallsyms.h"
#include "lib/fuzz/fuzz.h"

/* A query is named by a symbol that starts at or before it, and only when addresses were shown. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kallsyms_query queries[] = { { .addr = 0 },
                                        { .addr = 0xffffffff81000000 },
                                        { .addr = UINT64_MAX } };
    _cleanup_fclose_ FILE *in = fdopen(fuzz_file(data, size), "r");

    assert(in);
    bool shown = kallsyms_name(in, queries, 3);
    for (size_t i = 0; i < 3; i++) {
        assert(queries[i].start <= queries[i].addr && !queries[i].name[0] == !queries[i].start);
        assert(shown || !queries[i].name[0]);
        assert(strnlen(queries[i].name, KALLSYMS_NAME_MAX) < KALLSYMS_NAME_MAX);
    }
    return 0;
}
