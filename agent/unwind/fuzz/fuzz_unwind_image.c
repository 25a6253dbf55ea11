/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/unwind_image.h"
#include "lib/fuzz/fuzz.h"

/* Whatever the file: its segments and rows are in bounds. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct unwind_rule all[UNWIND_RULES_MAX];
    static struct unwind_rules rules;
    _cleanup_close_ int fd = fuzz_file(data, size);
    struct unwind_image image = { 0 };
    struct err e = { 0 };
    uint64_t vaddr;

    unwind_rules_init(&rules, all);
    if (unwind_image_read(fd, &rules, &image, &e) < 0) {
        assert(e.msg[0] && !image.table.rows);
        return 0;
    }
    assert(image.n_segments <= UNWIND_IMAGE_SEGMENTS_MAX);
    for (size_t i = 1; i < image.table.n_rows; i++)
        assert(image.table.rows[i].addr > image.table.rows[i - 1].addr);
    (void)unwind_image_vaddr(&image, 0x1000, &vaddr);
    unwind_image_release(&image);
    return 0;
}
