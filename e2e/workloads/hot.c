/* SPDX-License-Identifier: Apache-2.0
 *
 * hot: keeps one core busy for ever: 60 % in burn_sixty, 30 % in burn_thirty, 10 % in burn_ten.
 */
#include "workload.h"

#define PERCENT 5000 /* iterations: a request takes less than a millisecond */

DISTINCT static void burn_sixty(void)
{
    spin(60 * PERCENT);
}

DISTINCT static void burn_thirty(void)
{
    spin(30 * PERCENT);
}

DISTINCT static void burn_ten(void)
{
    spin(10 * PERCENT);
}

DISTINCT static void serve_requests(void)
{
    for (;;) {
        burn_sixty();
        burn_thirty();
        burn_ten();
    }
}

int main(void)
{
    end_on_signal();
    serve_requests();
    return 0;
}
