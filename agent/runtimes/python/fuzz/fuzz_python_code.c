/* SPDX-License-Identifier: Apache-2.0 */
/* python_code, python_layout: line tables and debug offsets of any bytes. The first two bytes say
 * which line, and how the table is read. */
#include "agent/runtimes/python/python_code.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct python_offsets offsets;

    (void)python_layout_read(13, data, size, &offsets);
    (void)python_layout_read(14, data, size, &offsets);
    if (size < 2)
        return 0;

    unsigned char *table = malloc(size - 2);
    struct python_code code = { .lines = table, .n_lines = size - 2, .first_line = data[0] };

    if (!table)
        return 0;
    memcpy(table, data + 2, size - 2);
    if (python_code_line(&code, data[1] % 3, (uint32_t)data[0] * 4) < 0)
        abort();
    free(table);
    return 0;
}
