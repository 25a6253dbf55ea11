/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alone: the webhook without a cluster, as two subcommands of podflame-operator.
 *
 *   podflame-operator review [--pods FILE] < review.json   one verdict on stdout
 *   podflame-operator webhook --port N --cert FILE --key FILE [--pods FILE]   until SIGTERM
 *
 * argv[0] is the subcommand. The result is the exit code.
 */
#pragma once

/* 0: allowed; 1: denied; 2: no AdmissionReview, or wrong use. */
int webhook_review_main(int argc, char **argv);

/* 0: ended by a signal; 2: could not start, or wrong use. SIGHUP reads certificate and key again.
 */
int webhook_alone_main(int argc, char **argv);
