/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/answer.h"

#include <stdlib.h>

enum MHD_Result answer_queue(struct MHD_Connection *connection, const struct answer *answer,
                             struct buf *text)
{
    size_t len;
    char *data = buf_take(text, &len);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);

    if (!response) {
        free(data);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
    if (answer->allow)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow);
    if (answer->closes)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result result = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}
