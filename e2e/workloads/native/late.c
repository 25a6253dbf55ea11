/* SPDX-License-Identifier: Apache-2.0 */
/*
 * late: opens late_plugin.so, which lies beside it, a second after its start, when a profile is
 * under way, and works only from then on.
 */
#include <dlfcn.h>
#include <limits.h>

#include "plugin.h"
#include "truth.h"

static plugin_call *work;
static void (*call_back)(plugin_call *function, uint64_t n_steps);

DISTINCT static void in_plugin(uint64_t n_steps)
{
    work(n_steps);
    stay();
}

DISTINCT static void called_back(uint64_t n_steps)
{
    spin(n_steps);
}

DISTINCT static void through_plugin(uint64_t n_steps)
{
    call_back(called_back, n_steps);
    stay();
}

DISTINCT static void before(uint64_t n_steps)
{
    spin(n_steps);
}

#define BELOW "main;truth_serve;truth_round;"

static const struct truth_part parts[] = {
    { "plugin_work", BELOW "in_plugin;plugin_work;plugin_inner", 50, in_plugin },
    { "plugin_call_back", BELOW "through_plugin;plugin_call_back;called_back", 30, through_plugin },
    { "before", BELOW "before", 20, before },
};

int main(int argc, char **argv)
{
    char path[PATH_MAX + 16];
    void *plugin;

    (void)sleep(1);
    (void)snprintf(path, sizeof(path), "%s_plugin.so", argv[0]);
    plugin = dlopen(path, RTLD_NOW);
    if (!plugin) {
        (void)fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    *(void **)&work = dlsym(plugin, "plugin_work");
    *(void **)&call_back = dlsym(plugin, "plugin_call_back");
    if (!work || !call_back)
        return 1;
    TRUTH_SERVE(argc, argv, parts);
}
