/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/exchange.h"

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_DEPTH = 32, STATUS_MAX = 256 * 1024 };

static void global_init(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

void kube_exchange_global_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, global_init);
}

static int take_body(struct kube_exchange *x, const char *data, size_t len)
{
    long status = 0;

    (void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    if (x->trim.max) {
        buf_clear(&x->trimmed);
        if (kube_trim_feed(&x->trim, data, len, &x->trimmed) < 0)
            return -EFBIG;
        data = buf_str(&x->trimmed);
        len = x->trimmed.len;
    }
    if (x->on_data && status / 100 == 2)
        return x->on_data(x->ctx, data, len);
    return buf_add(&x->response->body, data, len) < 0 ? -EFBIG : 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
    struct kube_exchange *x = userdata;

    x->data_code = take_body(x, data, size * n);
    return x->data_code < 0 ? CURL_WRITEFUNC_ERROR : size * n;
}

static void add_header(struct kube_exchange *x, const char *name, const char *value)
{
    _cleanup_free_ char *line = mem_printf("%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(x->headers, line);

    if (!longer)
        abort(); /* out of memory, as everywhere */
    x->headers = longer;
}

static int add_headers(struct kube_exchange *x, const struct kube_auth *auth,
                       const struct kube_request *request)
{
    add_header(x, "Accept", "application/json");
    if (request->body)
        add_header(x, "Content-Type",
                   request->content_type ? request->content_type : "application/json");
    if (auth->token) {
        _cleanup_free_ char *bearer = mem_printf("Bearer %s", auth->token);

        add_header(x, "Authorization", bearer);
        explicit_bzero(bearer, strlen(bearer));
    }
    struct curl_slist *longer = curl_slist_append(x->headers, "Expect:"); /* no 100-continue */
    if (longer)
        x->headers = longer;
    return curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
}

static int set_blob(CURL *easy, CURLoption option, const char *pem)
{
    struct curl_blob blob = { .data = (void *)pem, .flags = CURL_BLOB_COPY };

    if (!pem)
        return CURLE_OK;
    blob.len = strlen(pem);
    return curl_easy_setopt(easy, option, &blob);
}

static int set_tls(CURL *easy, const struct kube_auth *auth)
{
    const struct kube_config *config = auth->config;
    int bad = 0;

    bad |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, config->insecure ? 0L : 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, config->insecure ? 0L : 2L);
    bad |= set_blob(easy, CURLOPT_CAINFO_BLOB, auth->ca_pem);
    if (config->cert_pem) {
        bad |= curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "PEM");
        bad |= curl_easy_setopt(easy, CURLOPT_SSLKEYTYPE, "PEM");
        bad |= set_blob(easy, CURLOPT_SSLCERT_BLOB, config->cert_pem);
        bad |= set_blob(easy, CURLOPT_SSLKEY_BLOB, config->key_pem);
    }
    return bad;
}

static int set_basics(struct kube_exchange *x, const struct kube_config *config,
                      const struct kube_request *request)
{
    int64_t timeout_ms = request->timeout_ms ? request->timeout_ms : KUBE_TIMEOUT_MS;
    int bad = 0;

    bad |= curl_easy_setopt(x->easy, CURLOPT_NOSIGNAL, 1L);
    bad |= curl_easy_setopt(x->easy, CURLOPT_PROTOCOLS_STR, "https,http");
    bad |= curl_easy_setopt(x->easy, CURLOPT_FOLLOWLOCATION, 0L);
    bad |= curl_easy_setopt(x->easy, CURLOPT_PATH_AS_IS, 1L);
    bad |= curl_easy_setopt(x->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    bad |= curl_easy_setopt(x->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    bad |= curl_easy_setopt(x->easy, CURLOPT_TCP_KEEPIDLE, 30L);
    bad |= curl_easy_setopt(x->easy, CURLOPT_TCP_KEEPINTVL, 15L);
    bad |= curl_easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)KUBE_CONNECT_TIMEOUT_MS);
    if (timeout_ms > 0)
        bad |= curl_easy_setopt(x->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    bad |= curl_easy_setopt(x->easy, CURLOPT_USERAGENT, "podflame/" PODFLAME_VERSION);
    bad |= curl_easy_setopt(x->easy, CURLOPT_ERRORBUFFER, x->curl_error);
    bad |= curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
    bad |= curl_easy_setopt(x->easy, CURLOPT_PRIVATE, x);
    if (config->proxy)
        bad |= curl_easy_setopt(x->easy, CURLOPT_PROXY, config->proxy);
    if (request->body) {
        bad |= curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, request->body);
        bad |= curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->len);
    }
    bad |= curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, request->method);
    return bad;
}

/* Goes to the server's address, but asks for and expects the name that the kubeconfig gives. */
static int set_renamed_url(struct kube_exchange *x, const char *name, const char *url)
{
    char *host = NULL, *port = NULL, *renamed = NULL;
    CURLU *parts = curl_url();
    int bad = !parts || curl_url_set(parts, CURLUPART_URL, url, 0) ||
              curl_url_get(parts, CURLUPART_HOST, &host, 0) ||
              curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ||
              curl_url_set(parts, CURLUPART_HOST, name, 0) ||
              curl_url_get(parts, CURLUPART_URL, &renamed, 0);

    if (!bad) {
        _cleanup_free_ char *to = mem_printf("::%s:%s", host, port);

        x->connect_to = curl_slist_append(NULL, to);
        bad = !x->connect_to || curl_easy_setopt(x->easy, CURLOPT_CONNECT_TO, x->connect_to) ||
              curl_easy_setopt(x->easy, CURLOPT_URL, renamed);
    }
    curl_free(host);
    curl_free(port);
    curl_free(renamed);
    curl_url_cleanup(parts);
    return bad;
}

static int set_url(struct kube_exchange *x, const struct kube_config *config, const char *path)
{
    _cleanup_free_ char *url = mem_printf("%s%s", config->server, path);

    if (config->tls_server_name)
        return set_renamed_url(x, config->tls_server_name, url);
    return curl_easy_setopt(x->easy, CURLOPT_URL, url);
}

int kube_exchange_prepare(struct kube_exchange *x, CURL *easy, const struct kube_auth *auth,
                          const struct kube_request *request, struct kube_response *response,
                          struct err *e)
{
    int bad;

    curl_easy_reset(easy);
    x->easy = easy;
    x->response = response;
    x->trim = (struct kube_trim){ .max = request->trim };
    buf_init(&x->trimmed, CURL_MAX_READ_SIZE);
    kube_response_release(response);
    buf_init(&response->body, request->response_max ? request->response_max : KUBE_RESPONSE_MAX);
    bad = set_basics(x, auth->config, request);
    bad |= set_url(x, auth->config, request->path);
    bad |= set_tls(easy, auth);
    bad |= add_headers(x, auth, request);
    if (bad)
        return err_set(e, -EIO, "%s %s: libcurl refuses an option", request->method, request->path);
    return 0;
}

/* Of a Status body, if it is one. */
static void read_status(struct kube_response *response)
{
    _cleanup_json_ struct json_object *status = NULL;
    struct err ignored = { 0 };

    if (response->body.len > STATUS_MAX ||
        json_parse(buf_str(&response->body), response->body.len, STATUS_DEPTH, &status, &ignored))
        return;
    const char *reason = json_get_str(status, "reason");
    const char *message = json_get_str(status, "message");
    (void)snprintf(response->reason, sizeof(response->reason), "%s", reason ? reason : "");
    (void)snprintf(response->message, sizeof(response->message), "%s", message ? message : "");
}

static int code_of_status(const struct kube_response *response)
{
    static const struct {
        int status, code;
    } codes[] = {
        { 400, -EINVAL }, { 401, -EACCES }, { 403, -EACCES }, { 404, -ENOENT }, { 409, -ESTALE },
        { 410, -ESTALE }, { 413, -EFBIG },  { 422, -EINVAL }, { 429, -EBUSY },
    };

    if (response->status == 409 && strcmp(response->reason, "AlreadyExists") == 0)
        return -EEXIST;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i].status == response->status)
            return codes[i].code;
    }
    return -EREMOTEIO;
}

static int code_of_curl(CURLcode result)
{
    switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return -ECONNREFUSED;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return -EPROTO;
    default:
        return -EIO;
    }
}

int kube_exchange_finish(struct kube_exchange *x, CURLcode result,
                         const struct kube_request *request, struct err *e)
{
    struct kube_response *response = x->response;
    int path_len = (int)strcspn(request->path, "?"); /* what follows is long and not the object */
    curl_off_t retry_after = 0;
    long status = 0;

    (void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(x->easy, CURLINFO_RETRY_AFTER, &retry_after);
    response->status = (int)status;
    response->retry_after_s = retry_after;
    if (x->data_code < 0)
        return err_set(e, x->data_code, "%s %.*s: the answer is %s", request->method, path_len,
                       request->path, x->data_code == -EFBIG ? "too large" : "not acceptable");
    if (result != CURLE_OK)
        return err_set(e, code_of_curl(result), "%s %.*s: %s", request->method, path_len,
                       request->path,
                       x->curl_error[0] ? x->curl_error : curl_easy_strerror(result));
    if (status / 100 == 2)
        return 0;
    read_status(response);
    return err_set(e, code_of_status(response), "%s %.*s: %ld %s%s%s", request->method, path_len,
                   request->path, status, response->reason, response->message[0] ? ": " : "",
                   response->message);
}

void kube_exchange_release(struct kube_exchange *x)
{
    curl_slist_free_all(x->headers);
    curl_slist_free_all(x->connect_to);
    buf_release(&x->trimmed);
    *x = (struct kube_exchange){ 0 };
}
