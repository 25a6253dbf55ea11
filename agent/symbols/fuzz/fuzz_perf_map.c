/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/perf_map.h"
#include "lib/fuzz/fuzz.h"

/* Names are short, and cut from the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct perf_map_query queries[] = {
        { .addr = 0 }, { .addr = 0x1000 }, { .addr = 0x1010 }, { .addr = UINT64_MAX - 1 }
    };
    struct perf_map_room room = { size, 64 };
    _cleanup_fclose_ FILE *in = fdopen(fuzz_file(data, size), "r");

    assert(in);
    (void)perf_map_name(in, queries, 4, &room, &(struct name_room){ 2048, 0 });
    for (size_t i = 0; i < 4; i++) {
        if (queries[i].name)
            assert(queries[i].name[0] &&
                   memmem(data, size, queries[i].name, strlen(queries[i].name)));
        assert(!queries[i].name || strlen(queries[i].name) < PERF_MAP_NAME_MAX + 64);
        free(queries[i].name);
    }
    return 0;
}
