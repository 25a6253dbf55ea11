/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/debug_links.h"
#include "lib/fuzz/fuzz.h"

/* Whatever is found is bounded, and a link leads to no folder. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ unsigned char *exact = mem_alloc(size);
    char path[BUILD_ID_PATH_MAX];
    struct debug_link link;
    struct build_id id;

    if (size > 0)
        memcpy(exact, data, size);
    if (debug_links_read_build_id(exact, size, &id)) {
        assert(id.n > 0 && id.n <= BUILD_ID_MAX && build_id_equal(&id, &id));
        assert(!build_id_path(&id, path) || strlen(path) == 33 - 1 + 2 * id.n);
    }
    if (debug_links_read_link(exact, size, &link))
        assert(*link.name && !strchr(link.name, '/') && strlen(link.name) <= DEBUG_LINK_NAME_MAX);
    if (debug_links_read_alt(exact, size, &link))
        assert(*link.name && link.id.n > 0 && link.id.n <= BUILD_ID_MAX);
    return 0;
}
