/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/flame/tests/read_page.h"
#include "lib/fuzz/fuzz.h"

/* The input is lines of frames apart by ';', as a target might name them. A second reader finds the
 * same tree on the page and in the folded text; nothing in a name ends the data or the page's
 * header. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct flame_header hostile = { .samples = 1 };
    _cleanup_free_ char *text = fuzz_text(data, size), *folded = NULL;
    _cleanup_flame_ struct flame *f = flame_new();
    struct page page;

    hostile.pod = hostile.target = text;
    _cleanup_buf_ struct buf html = BUF_INIT(PAGE_MAX);
    struct err e = { 0 };
    assert(flame_write_html(f, &hostile, &html, &e) == 0);
    page_read(html.data, &page);
    page_release(&page);
    for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
        struct flame_frame frames[8];
        size_t n = 0;

        for (char *name; n < 8 && (name = strsep(&line, ";")); n++)
            frames[n] = (struct flame_frame){ name, (enum flame_kind)((unsigned char)name[0] %
                                                                      FLAME_KIND_COUNT) };
        flame_add(f, frames, n, 1 + n);
    }
    round_trip(f, &page);
    page_release(&page);
    folded = fold(f);
    assert(folded_sum(folded) == flame_samples(f));
    return 0;
}
