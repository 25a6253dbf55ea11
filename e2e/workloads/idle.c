/* SPDX-License-Identifier: Apache-2.0
 *
 * idle: sleeps for ever, as most containers do.
 */
#include "workload.h"

int main(void)
{
    end_on_signal();
    for (;;)
        (void)pause();
}
