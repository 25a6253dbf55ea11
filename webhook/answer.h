/* SPDX-License-Identifier: Apache-2.0 */
/* answer: what the two HTTP listeners answer with. */
#pragma once

#include "lib/buf.h"

#include <microhttpd.h>

#include <stdbool.h>

struct answer {
    unsigned status;
    const char *type;  /* of the text */
    const char *allow; /* the methods that would do; NULL: not told */
    bool closes;       /* the connection */
};

/* Queues @text, which is empty afterwards. */
enum MHD_Result answer_queue(struct MHD_Connection *connection, const struct answer *answer,
                             struct buf *text);
