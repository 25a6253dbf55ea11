/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/review.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    _cleanup_buf_ struct buf reply = BUF_INIT(REVIEW_REPLY_MAX);
    struct review_outcome outcome;
    struct err e = { 0 };

    (void)review_respond((const char *)data, size, NULL, &reply, &outcome, &e);
    return 0;
}
