/* SPDX-License-Identifier: Apache-2.0 */
/* command: `podflame-operator certs`, by hand and from `make deploy`. Prints to stdout and stderr.
 */
#pragma once

/* The exit code: 0 done, 1 failed, 2 wrong usage. argv[0] is "certs". */
int certs_command_main(int argc, char **argv);
