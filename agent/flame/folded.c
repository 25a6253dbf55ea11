/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/flame/rows.h"
#include "lib/mem.h"

#include <errno.h>
#include <inttypes.h>

static void write_name(const char *name, FILE *out)
{
    for (; *name; name++)
        (void)putc_unlocked(*name == ';' ? ':' : *name, out); /* checked once, at the end */
}

int flame_write_folded(const struct flame *f, FILE *out, struct err *e)
{
    _cleanup_rows_ struct flame_rows *r = flame_rows_new(f);
    _cleanup_free_ uint32_t *path = mem_array(FLAME_DEPTH_MAX + 1, sizeof(*path));

    for (uint32_t i = 1; i < r->n; i++) {
        if (r->rows[i].self == 0)
            continue;
        uint32_t n = flame_rows_path(r, i, path);

        for (uint32_t at = 0; at < n; at++) {
            if (at > 0)
                (void)putc_unlocked(';', out);
            write_name(flame_name(f, path[at]), out);
        }
        (void)fprintf(out, " %" PRIu64 "\n", r->rows[i].self);
    }
    if (fflush(out) != 0 || ferror(out))
        return err_set(e, -EIO, "write the folded stacks: %s", err_text(errno));
    return 0;
}
