/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fuzz/fuzz.h"

#include <microhttpd.h>

static const char *headers[2]; /* Content-Type, Content-Length; NULL: none */

/* In place of MHD's: what a client has sent. */
static const char *lookup_header(struct MHD_Connection *connection, enum MHD_ValueKind kind,
                                 const char *name)
{
    (void)connection, (void)kind;
    return headers[strcmp(name, "Content-Length") == 0];
}

#define MHD_lookup_connection_value lookup_header
#include "webhook/server.c" /* NOLINT(bugprone-suspicious-include): its statics are judged */

/* The input is the lines of path, method, type and length; a header without its line is absent.
 * Only what is to be read is let in. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct webhook_server server = { .body_max = 1000 };
    _cleanup_free_ char *text = fuzz_text(data, size);
    char *rest = text, *url = strsep(&rest, "\n"), *method = strsep(&rest, "\n");

    headers[0] = strsep(&rest, "\n");
    headers[1] = strsep(&rest, "\n");
    unsigned refused = judge_headers(&server, NULL, url, method ? method : "");
    if (refused == 0) {
        assert(strcmp(url, WEBHOOK_PATH) == 0 && strcmp(method, "POST") == 0);
        assert(headers[0] && strncasecmp(headers[0], "application/json", 16) == 0);
        assert(!headers[1] || strtoull(headers[1], NULL, 10) <= server.body_max);
    }
    return 0;
}
