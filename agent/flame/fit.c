/* SPDX-License-Identifier: Apache-2.0 */
/* The page within a number of bytes. */
#include "agent/flame/page.h"

#include <errno.h>
#include <zlib.h>

enum { TRIES = 8 };
#define RAW_MAX ((size_t)256 << 20) /* a page before gzip; past what FLAME_*_MAX can make */

/* Level 9 gains a few percent and takes seven times as long: only where that is not felt. */
#define SMALL ((size_t)256 << 10)

struct fit {
    const struct flame_rows *all;
    const struct flame_header *header;
    size_t max;
    struct buf raw, gz; /* the page of the last try */
    uint32_t keep;
    int64_t pruned;
};

/* gzip without a time stamp: the same page gives the same bytes. */
static int compress_page(struct fit *fit, struct err *e)
{
    z_stream z = { .next_in = (Bytef *)fit->raw.data, .avail_in = (uInt)fit->raw.len };
    int level = fit->raw.len < SMALL ? 9 : 6;

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
static int try_rows(struct fit *fit, uint32_t keep, struct err *e)
{
    _cleanup_rows_ struct flame_rows *rows = flame_rows_prune(fit->all, keep);

    buf_clear(&fit->raw);
    fit->keep = keep;
    fit->pruned = (int64_t)rows->pruned_samples;
    if (page_write(rows, fit->header, &fit->raw, e) < 0)
        return e->code;
    return compress_page(fit, e);
}

/*
 * The greatest number of rows whose page fits, or nearly, between none and fit->keep, whose page
 * does not. False position with Illinois' correction: the end that stays twice counts half. The
 * first step is shorter, since the rows that are kept first take the most bytes.
 */
static int search(struct fit *fit, struct err *e)
{
    const double aim = (double)fit->max * 0.99, enough = (double)fit->max * 0.98;
    uint32_t low = 0, high = fit->keep;
    double above = (double)fit->gz.len - aim;
    int side = 0;

    if (try_rows(fit, low, e) < 0)
        return e->code;
    if (fit->gz.len > fit->max)
        return err_set(e, -EFBIG, "the smallest page has %zu bytes, allowed are %zu", fit->gz.len,
                       fit->max);
    double below = aim - (double)fit->gz.len, size = 0;

    for (int i = 0; i < TRIES && high - low > 1 && size < enough && below > 0; i++) {
        double share = below / (below + above);
        uint32_t step = (uint32_t)((high - low) * (i == 0 ? share * share : share));
        uint32_t keep = low + (step < 1 ? 1 : step < high - low ? step : high - low - 1);

        if (try_rows(fit, keep, e) < 0)
            return e->code;
        if (fit->gz.len > fit->max) {
            high = keep;
            above = (double)fit->gz.len - aim;
            below /= side > 0 ? 2 : 1;
            side = 1;
        } else {
            low = keep;
            size = (double)fit->gz.len;
            below = aim - size;
            above /= side < 0 ? 2 : 1;
            side = -1;
        }
    }
    return fit->keep == low ? 0 : try_rows(fit, low, e);
}

static int fit_page(struct fit *fit, struct err *e)
{
    if (try_rows(fit, fit->all->n - 1, e) < 0)
        return e->code;
    return fit->gz.len <= fit->max ? 0 : search(fit, e);
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
