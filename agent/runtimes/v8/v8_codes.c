/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/v8/v8_codes.h"

#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

static size_t bytes_of(const struct v8_code *code)
{
    return code->n_positions + code->n_bytecode + code->n_inlined * sizeof(*code->inlined);
}

/* How many begin at @pc or before. */
static size_t count_up_to(const struct v8_codes *codes, uint64_t pc)
{
    size_t low = 0, high = codes->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (codes->codes[middle].start <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void drop(struct v8_codes *codes, size_t i)
{
    codes->bytes -= bytes_of(&codes->codes[i]);
    v8_code_release(&codes->codes[i]);
    codes->n--;
    memmove(codes->codes + i, codes->codes + i + 1, (codes->n - i) * sizeof(*codes->codes));
}

/* Drops what lies where the new one does. */
static const struct v8_code *add(struct v8_codes *codes, struct v8_code *code)
{
    size_t i = count_up_to(codes, code->start);

    while (i > 0 && codes->codes[i - 1].start + codes->codes[i - 1].size > code->start)
        drop(codes, --i);
    while (i < codes->n && codes->codes[i].start < code->start + code->size)
        drop(codes, i);
    if (codes->n == V8_CODES_MAX || codes->bytes + bytes_of(code) > V8_CODES_BYTES_MAX) {
        v8_codes_release(codes);
        i = 0;
    }
    if ((codes->n & (codes->n - 1)) == 0)
        codes->codes = mem_grow(codes->codes, codes->n ? codes->n * 2 : 1, sizeof(*codes->codes));
    memmove(codes->codes + i + 1, codes->codes + i, (codes->n - i) * sizeof(*codes->codes));
    codes->codes[i] = *code;
    codes->n++;
    codes->bytes += bytes_of(code);
    return &codes->codes[i];
}

const struct v8_code *v8_codes_find(struct v8_codes *codes, pid_t pid, const struct v8_image *v8,
                                    uint64_t pc, uint64_t shared)
{
    size_t i = count_up_to(codes, pc);
    struct v8_code code;

    if (i > 0 && pc - codes->codes[i - 1].start < codes->codes[i - 1].size) {
        if (codes->codes[i - 1].shared == shared && v8_code_is_there(pid, v8, &codes->codes[i - 1]))
            return &codes->codes[i - 1];
        drop(codes, i - 1);
    }
    return v8_code_read(pid, v8, pc, shared, &code) ? add(codes, &code) : NULL;
}

void v8_codes_release(struct v8_codes *codes)
{
    for (size_t i = 0; i < codes->n; i++)
        v8_code_release(&codes->codes[i]);
    free(codes->codes);
    *codes = (struct v8_codes){ 0 };
}
