/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin.h"

#include "truth.h"

DISTINCT static void plugin_inner(uint64_t n_steps)
{
    spin(n_steps);
}

DISTINCT void plugin_work(uint64_t n_steps)
{
    plugin_inner(n_steps);
    stay();
}

DISTINCT void plugin_call_back(plugin_call *function, uint64_t n_steps)
{
    function(n_steps);
    stay();
}
