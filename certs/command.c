/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/command.h"

#include "certs/keeper.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/kube/client.h"
#include "lib/kube/config.h"
#include "lib/mem.h"

#include <stdio.h>
#include <string.h>

DEFINE_CLEANUP(struct kube_client *, kube_client_free)
DEFINE_CLEANUP(struct certs_keeper *, certs_keeper_free)

static void print_cert(const char *what, const char *pem, time_t now)
{
    struct cert_info info;
    struct err e = { 0 };
    char until[32];
    struct tm utc;

    if (certs_describe(pem, &info, &e) < 0) {
        printf("%-9s unusable: %s\n", what, e.msg);
        return;
    }
    (void)strftime(until, sizeof(until), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&info.not_after, &utc));
    printf("%-9s %s\n", what, info.subject);
    printf("          valid until %s (%s%lld days)\n", until,
           info.not_after < now ? "EXPIRED, " : "", (long long)(info.not_after - now) / 86400);
    printf("          sha256 %s\n", info.sha256);
}

static int ensure(struct kube_client *client, const struct certs_place *place, struct err *e)
{
    __attribute__((cleanup(certs_keeper_freep))) struct certs_keeper *keeper =
        certs_keeper_new(client, place);
    struct certs_changes changes;
    time_t now = time(NULL);

    if (certs_keeper_check(keeper, now, &changes, e) < 0)
        return e->code;
    printf("Secret %s/%s: %s\n", place->ns, place->secret,
           changes.ca_made ? "new CA" : "unchanged");
    printf("caBundle of %s: %s\n", place->webhook_configuration,
           changes.bundle_written ? "written" : "unchanged");
    print_cert("CA", certs_keeper_ca(keeper)->cert_pem, now);
    return 0;
}

/* The first PEM in the base64 text of @value, or NULL; owned by the caller. */
static char *decoded(const char *value)
{
    _cleanup_buf_ struct buf text = BUF_INIT(CERTS_PEM_MAX);

    if (!value || base64_decode(value, strlen(value), &text) < 0)
        return NULL;
    return buf_take(&text, NULL);
}

static int show(struct kube_client *client, const struct certs_place *place, struct err *e)
{
    _cleanup_json_ struct json_object *secret = NULL;
    _cleanup_json_ struct json_object *hooks = NULL;
    _cleanup_free_ char *secret_path =
        mem_printf("/api/v1/namespaces/%s/secrets/%s", place->ns, place->secret);
    _cleanup_free_ char *hooks_path =
        mem_printf("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/%s",
                   place->webhook_configuration);
    const struct kube_request get_secret = { .method = "GET", .path = secret_path };
    const struct kube_request get_hooks = { .method = "GET", .path = hooks_path };
    time_t now = time(NULL);

    if (kube_client_json(client, &get_secret, &secret, e) < 0)
        return err_wrap(e, "Secret '%s/%s'", place->ns, place->secret);
    if (kube_client_json(client, &get_hooks, &hooks, e) < 0)
        return err_wrap(e, "ValidatingWebhookConfiguration '%s'", place->webhook_configuration);
    struct json_object *data = json_get_object(secret, "data");
    struct json_object *crt = json_get_key(data, "tls.crt");
    struct json_object *first = json_object_array_get_idx(json_get_array(hooks, "webhooks"), 0);
    _cleanup_free_ char *ca = decoded(crt ? json_object_get_string(crt) : NULL);
    _cleanup_free_ char *bundle = decoded(json_get_str(first, "clientConfig.caBundle"));

    print_cert("CA", ca ? ca : "", now);
    if (bundle && ca && strcmp(bundle, ca) == 0)
        printf("caBundle  is this CA\n");
    else
        print_cert("caBundle", bundle ? bundle : "", now);
    return 0;
}

int certs_command_main(int argc, char **argv)
{
    struct certs_place place = certs_place_default;
    const char *kubeconfig = NULL;
    const char *context = NULL;
    struct cli_option options[] = {
        { "kubeconfig", "FILE",
          "the cluster (default: $KUBECONFIG, the pod's account, ~/.kube/config)", CLI_TEXT,
          &kubeconfig, 0, 0 },
        { "context", "NAME", "the context of the kubeconfig", CLI_TEXT, &context, 0, 0 },
        { "namespace", "NAME", "where PodFlame is deployed (default: podflame-system)", CLI_TEXT,
          &place.ns, 0, 0 },
        { 0 },
    };
    const struct cli_program program = {
        .name = "podflame-operator certs",
        .usage = "podflame-operator certs ensure|show [options]",
        .summary =
            "Keeps and shows the certificates of the admission webhook.\n\n"
            "  ensure   make the CA when there is no usable one, and put it into the caBundle\n"
            "  show     print what is installed and until when it is valid",
        .options = options,
    };
    _cleanup_kube_config_ struct kube_config *config = NULL;
    struct err e = { 0 };
    int first = 0;
    int parsed = cli_parse(&program, argc, argv, &first, &e);
    int (*verb)(struct kube_client *, const struct certs_place *, struct err *) = NULL;

    if (parsed == CLI_EXIT_OK)
        return 0;
    /* The verb stands before its options, or after them. */
    if (parsed == CLI_RUN && first < argc) {
        verb = strcmp(argv[first], "ensure") == 0 ? ensure
               : strcmp(argv[first], "show") == 0 ? show
                                                  : NULL;
        parsed = cli_parse(&program, argc - first, argv + first, &first, &e);
    }
    if (parsed < 0 || !verb) {
        (void)fprintf(
            stderr, "podflame-operator certs: %s\n",
            parsed < 0 ? e.msg : "needs 'ensure' or 'show'; try 'podflame-operator certs --help'");
        return 2;
    }
    if (kube_config_load(kubeconfig, context, &config, &e) == 0) {
        __attribute__((cleanup(kube_client_freep))) struct kube_client *client =
            kube_client_new(config);

        if (verb(client, &place, &e) == 0)
            return 0;
    }
    (void)fprintf(stderr, "podflame-operator certs: %s\n", e.msg);
    return 1;
}
