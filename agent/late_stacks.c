/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/late_stacks.h"

#include "agent/unwind/unwind_copy.h"

#include <unistd.h>

enum { LOOKS_MAX = 3 }; /* at the process, while that brings something new */

struct code_reader {
    const struct layout *layout;
    struct images *images;
};

static bool read_code(void *arg, uint64_t addr, uint64_t *ret_bytes)
{
    const struct code_reader *reader = arg;
    const struct code *code = code_find(reader->layout->items, reader->layout->n, addr);

    return code && code->image != IMAGE_NONE && code->end - addr >= sizeof(*ret_bytes) &&
           pread(images_get(reader->images, code->image)->fd, ret_bytes, sizeof(*ret_bytes),
                 (off_t)(addr - code->start + code->off)) == sizeof(*ret_bytes);
}

/* What was made at run time the kernel side may walk in other ways. */
static bool has_made_code(const struct layout *layout, const struct late_stack *late)
{
    for (uint32_t i = 0; i < late->n; i++) {
        const struct code *code = code_find(layout->items, layout->n, late->pcs[i] - (i > 0));

        if (code && code->image == IMAGE_NONE)
            return true;
    }
    return false;
}

/* False: nothing is known of the process. */
static bool walk(const struct layout *layout, struct images *images,
                 const struct unwind_tables *tables, const struct record *record,
                 const uint64_t *words, struct late_stack *ret)
{
    struct code_reader reader = { layout, images };
    const struct record_stack *from =
        (const void *)(words + record_words(record) - record->n_stack - RECORD_STACK_HEAD);
    struct unwind_copy copy = { .from = from,
                                .words = (const uint64_t *)(const void *)(from + 1),
                                .n_words = record->n_stack,
                                .thread = record->thread,
                                .read_code = read_code,
                                .arg = &reader };

    if (!layout || layout->place.n == 0)
        return false;

    struct unwind_view view = unwind_tables_view(tables, &layout->place);

    ret->n = unwind_copy_walk(&copy, &view, ret->pcs, &ret->stop);
    return true;
}

bool late_stacks_walk(struct processes *processes, struct running *running, struct images *images,
                      const struct unwind_tables *tables, const struct record *record,
                      const uint64_t *words, struct late_stack *ret)
{
    for (int i = 0; i < LOOKS_MAX; i++) {
        const struct layout *layout = running_layout(running);

        if (!walk(layout, images, tables, record, words, ret))
            return false;
        if (ret->stop != RECORD_STOP_NO_CODE)
            break;
        (void)processes_find(processes, running, ret->pcs[ret->n - 1] - (ret->n > 1),
                             record->time_ns);
        if (running_layout(running) == layout)
            break;
    }
    return (ret->stop == RECORD_STOP_END || ret->n > record->n_user) &&
           !has_made_code(running_layout(running), ret);
}
