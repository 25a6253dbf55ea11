/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page: rows in, one HTML file out. page.html is the template; page.css, page.js and the data are
 * put where it says @STYLE@, @SCRIPT@ and @DATA@, and the digests of the first two into its content
 * security policy, so that nothing else on the page can ever run.
 *
 * The data is JSON with these keys; the script reads it, and so does the test.
 *
 *   header    what struct flame_header holds, by the same names, and prunedSamples, prunedFrames;
 *             notes is a list of texts
 *   kinds     the names of enum flame_kind, in order
 *   names     the frames' names in the order of their first use
 *   kind      one digit a frame: its kind
 *   children  for each row the number of its children, as numbers (below); row 0 is the root
 *   self      for each row the samples of that very frame, as numbers
 *   frames    for each row but the root its frame: r + 1 as one digit when it is number r of the
 *             frames already seen under the same parent frame (of which the first
 *             PAGE_KNOWN_CHILDREN are remembered, in order); else 0 and then, as a number, 0 for a
 *             frame that is new to the page, or i + 1 for frame i
 *
 * A digit is one of 90 printable characters (PAGE_DIGITS). A number is leading digits of value 64
 * to 89, each worth 1 to 26 in bijective base 26, and one last digit below 64: with h the value of
 * the former, h * 64 + last. Call trees repeat themselves: gzip and base64 leave 1 to 2 bytes a
 * row.
 */
#pragma once

#include "agent/flame/rows.h"
#include "lib/buf.h"
#include "lib/err.h"

enum { PAGE_DIGIT_COUNT = 90, PAGE_KNOWN_CHILDREN = 63 };

/* ASCII from '#' on, without '<' and '\\': safe within a JSON string within a script element. */
#define PAGE_DIGITS                                                                                \
    "#$%&'()*+,-./0123456789:;=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"

/* Appends the page; -ENOSPC past the cap of @out. */
int page_write(const struct flame_rows *r, const struct flame_header *header, struct buf *out,
               struct err *e) WARN_UNUSED;
