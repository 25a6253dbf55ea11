/* SPDX-License-Identifier: Apache-2.0 */
/* plugin: what late.c finds in late_plugin.so. */
#pragma once

#include <stdint.h>

typedef void plugin_call(uint64_t n_steps);

plugin_call plugin_work;                                        /* plugin_work;plugin_inner */
void plugin_call_back(plugin_call *function, uint64_t n_steps); /* plugin_call_back;function */
