/* SPDX-License-Identifier: Apache-2.0 */
/* The page within a number of bytes. */
#include "agent/flame/page.h"

#include <errno.h>
#include <zlib.h>

enum {
    FAST = 6, /* zlib levels: to find the size, to keep */
    BEST = 9,
    TRIES = 6,
};
#define RAW_MAX ((size_t)256 << 20) /* a page before gzip; past what FLAME_*_MAX can make */

struct fit {
    const struct flame_rows *all;
    const struct flame_header *header;
    size_t max;
    struct buf raw, gz; /* the page of the last try */
    int64_t pruned;
};

/* gzip without a time stamp: the same page gives the same bytes. */
static int compress_page(struct fit *fit, int level, struct err *e)
{
    z_stream z = { .next_in = (Bytef *)fit->raw.data, .avail_in = (uInt)fit->raw.len };

    if (deflateInit2(&z, level, Z_DEFLATED, MAX_WBITS + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        return err_set(e, -ENOMEM, "gzip: %s", z.msg ? z.msg : "cannot start");
    size_t bound = deflateBound(&z, (uLong)fit->raw.len);

    buf_clear(&fit->gz);
    z.next_out = (Bytef *)buf_reserve(&fit->gz, bound);
    z.avail_out = (uInt)bound;
    int code = z.next_out ? deflate(&z, Z_FINISH) : Z_BUF_ERROR;

    fit->gz.len = z.total_out;
    (void)deflateEnd(&z); /* fails only when input was left over */
    return code == Z_STREAM_END ? 0 : err_set(e, -ENOSPC, "gzip the page: zlib says %d", code);
}

/* The page with @keep rows, into fit->gz. */
static int try_rows(struct fit *fit, uint32_t keep, int level, struct err *e)
{
    _cleanup_rows_ struct flame_rows *rows = flame_rows_prune(fit->all, keep);

    buf_clear(&fit->raw);
    fit->pruned = (int64_t)rows->pruned_samples;
    if (page_write(rows, fit->header, &fit->raw, e) < 0)
        return e->code;
    return compress_page(fit, level, e);
}

/*
 * The greatest number of rows whose page fits, or nearly: between one that fits and one that does
 * not, the size is close to linear, so a few interpolated tries end within a few percent.
 */
static int search(struct fit *fit, uint32_t *ret_keep, struct err *e)
{
    uint32_t low = 0, high = fit->all->n - 1;

    *ret_keep = high;
    if (try_rows(fit, high, FAST, e) < 0)
        return e->code;
    size_t high_size = fit->gz.len;

    if (high_size <= fit->max)
        return 0;
    if (try_rows(fit, 0, BEST, e) < 0)
        return e->code;
    size_t low_size = fit->gz.len;

    if (low_size > fit->max)
        return err_set(e, -EFBIG, "the smallest page has %zu bytes, allowed are %zu", low_size,
                       fit->max);
    for (int i = 0; i < TRIES && high - low > 1 && low_size < fit->max - fit->max / 50; i++) {
        double aim = (double)fit->max * 0.99 - (double)low_size;
        uint32_t keep =
            low + (uint32_t)((double)(high - low) * aim / (double)(high_size - low_size));

        if (keep <= low || keep >= high || i % 3 == 2) /* far from linear: halve */
            keep = low + (high - low) / 2;
        if (try_rows(fit, keep, FAST, e) < 0)
            return e->code;
        if (fit->gz.len <= fit->max) {
            low = keep;
            low_size = fit->gz.len;
        } else {
            high = keep;
            high_size = fit->gz.len;
        }
    }
    *ret_keep = low;
    return 0;
}

static int fit_page(struct fit *fit, struct err *e)
{
    uint32_t keep = 0;

    if (search(fit, &keep, e) < 0)
        return e->code;
    for (;; keep -= keep / 16 + 1) { /* level 9 is hardly ever the larger one */
        if (try_rows(fit, keep, BEST, e) < 0)
            return e->code;
        if (fit->gz.len <= fit->max)
            return 0;
        if (keep == 0)
            return err_set(e, -EFBIG, "the smallest page has %zu bytes, allowed are %zu",
                           fit->gz.len, fit->max);
    }
}

int flame_write_html(const struct flame *f, const struct flame_header *header, struct buf *out,
                     struct err *e)
{
    _cleanup_rows_ struct flame_rows *all = flame_rows_new(f);
    _cleanup_rows_ struct flame_rows *rows = flame_rows_prune(all, all->n);

    return page_write(rows, header, out, e);
}

int flame_write_html_gz(const struct flame *f, const struct flame_header *header, size_t max,
                        struct buf *out, int64_t *ret_pruned, struct err *e)
{
    _cleanup_rows_ struct flame_rows *all = flame_rows_new(f);
    struct fit fit = { .all = all,
                       .header = header,
                       .max = max,
                       .raw = BUF_INIT(RAW_MAX),
                       .gz = BUF_INIT(2 * RAW_MAX) };
    int code = fit_page(&fit, e);

    if (code == 0 && buf_add(out, fit.gz.data, fit.gz.len) < 0)
        code = err_set(e, -ENOSPC, "the page has %zu bytes, past the cap of %zu", fit.gz.len,
                       out->max);
    if (code == 0)
        *ret_pruned = fit.pruned;
    buf_release(&fit.raw);
    buf_release(&fit.gz);
    return code;
}
