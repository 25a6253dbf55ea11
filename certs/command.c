/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/command.h"

#include "certs/bundle.h"
#include "certs/keeper.h"
#include "certs/secret.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/kube/client.h"
#include "lib/kube/config.h"
#include "lib/rfc3339.h"

#include <stdio.h>
#include <string.h>

DEFINE_CLEANUP(struct kube_client *, kube_client_free)
DEFINE_CLEANUP(struct certs_keeper *, certs_keeper_free)

/* Each certificate of @pem, one under the other; @what is said of the first. */
static void print_certs(const char *what, const char *pem, time_t now)
{
    char *pems[BUNDLE_CERTS_MAX];
    size_t n = pem ? certs_split(pem, pems, BUNDLE_CERTS_MAX) : 0;

    if (n == 0)
        printf("%-12s %s\n", what, pem && *pem ? "unusable: no certificate can be read" : "none");
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *one = pems[i];
        struct cert_info info;
        struct err e = { 0 };
        char until[RFC3339_SIZE];

        if (certs_describe(one, &info, &e) < 0) {
            printf("%-12s unusable: %s\n", what, e.msg);
            continue;
        }
        rfc3339_format(info.not_after, until);
        printf("%-12s %s\n", i == 0 ? what : "", info.subject);
        printf("             valid until %s (%s%lld days)\n", until,
               info.not_after < now ? "EXPIRED, " : "", (long long)(info.not_after - now) / 86400);
        printf("             sha256 %s\n", info.sha256);
    }
}

static void print_ca(const char *what, const struct cert_pair *ca, time_t now)
{
    struct err e = { 0 };

    print_certs(what, ca->cert_pem, now);
    if (ca->cert_pem && certs_ca_check(ca, now, &e) < 0)
        printf("             UNUSABLE: %s\n", e.msg);
}

static int read_bundle(struct kube_client *client, const struct certs_place *place,
                       struct bundle *ret, struct err *e)
{
    if (bundle_read(client, place->webhook_configuration, ret, e) < 0)
        return err_wrap(e, "ValidatingWebhookConfiguration '%s'", place->webhook_configuration);
    return 0;
}

static int ensure(struct kube_client *client, const struct certs_place *place, struct err *e)
{
    const struct certs_policy policy = { 0 };
    struct certs_place no_leaf = *place;
    struct certs_changes changes;
    _cleanup_bundle_ struct bundle bundle = { 0 };

    if (read_bundle(client, place, &bundle, e) < 0)
        return e->code;
    if (bundle_kept_by(&bundle)) {
        printf("caBundle of %s: left to %s\n", place->webhook_configuration,
               bundle_kept_by(&bundle));
        return 0;
    }
    no_leaf.service = NULL;
    __attribute__((cleanup(certs_keeper_freep))) struct certs_keeper *keeper =
        certs_keeper_new(client, &no_leaf, &policy);
    if (certs_keeper_check(keeper, true, time(NULL), &changes, e) < 0)
        return e->code;
    printf("Secret %s/%s: %s\n", place->ns, place->secret,
           changes.done[CERTS_MAKE_CA]                                       ? "new CA"
           : changes.done[CERTS_MAKE_NEXT] + changes.done[CERTS_PROMOTE] > 0 ? "rotated"
                                                                             : "unchanged");
    printf("caBundle of %s: %s\n", place->webhook_configuration,
           changes.done[CERTS_WRITE_BUNDLE] ? "written" : "unchanged");
    return 0;
}

/* True when every certificate of @pem is in @bundle too. */
static bool holds(const char *bundle, const char *pem)
{
    char *pems[BUNDLE_CERTS_MAX];
    size_t n = pem ? certs_split(pem, pems, BUNDLE_CERTS_MAX) : 0, missing = 0;

    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *one = pems[i];

        missing += strstr(bundle, one) == NULL;
    }
    return missing == 0;
}

static int show(struct kube_client *client, const struct certs_place *place, struct err *e)
{
    _cleanup_ca_set_ struct ca_set set = { 0 };
    _cleanup_bundle_ struct bundle bundle = { 0 };
    char until[RFC3339_SIZE];
    time_t now = time(NULL);

    if (ca_set_read(client, place->ns, place->secret, &set, e) < 0)
        return err_wrap(e, "Secret '%s/%s'", place->ns, place->secret);
    if (read_bundle(client, place, &bundle, e) < 0)
        return e->code;
    print_ca("CA", &set.current, now);
    if (set.next.cert_pem)
        print_ca("next CA", &set.next, now);
    if (set.previous_pem) {
        print_certs("previous CA", set.previous_pem, now);
        rfc3339_format(set.previous_until, until);
        printf("             kept until %s\n", set.previous_until ? until : "it expires");
    }
    print_certs("caBundle", bundle.pem, now);
    if (bundle_kept_by(&bundle)) {
        printf("             kept by %s\n", bundle_kept_by(&bundle));
        return 0;
    }
    printf("             %s\n",
           !bundle.hooks   ? "there is no webhook configuration"
           : !bundle.alike ? "NOT the same in every webhook; the operator repairs that"
           : set.current.cert_pem && holds(bundle.pem, set.current.cert_pem) &&
                   holds(bundle.pem, set.next.cert_pem) && holds(bundle.pem, set.previous_pem)
               ? "holds each CA above"
               : "LACKS a CA above; the operator repairs that");
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
        .summary = "Keeps and shows the certificates of the admission webhook.\n\n"
                   "  ensure   make the CA when there is no usable one, and put it into the "
                   "caBundle, unless\n"
                   "           an annotation asks cert-manager to write that\n"
                   "  show     print the CAs, the caBundle and until when each is valid",
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
