/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/hotspot_scopes.h"

bool hotspot_scopes_read(pid_t pid, const struct hotspot_layout *layout,
                         struct hotspot_loops *loops, uint64_t nmethod, uint32_t compile_id,
                         uint32_t pc, struct hotspot_scopes *ret_scopes)
{
    struct hotspot_scopes s = { 0 }, better = { 0 };
    struct hotspot_nmethod nm;
    bool is_exact = false;
    uint32_t off;

    if (!hotspot_nmethod_read(pid, layout, nmethod, compile_id, &nm))
        return false;
    s.level = nm.level;
    off = nm.has_notes ? hotspot_nmethod_scope_at(&nm, pc, &is_exact) : 0;
    if ((off == 0 || !hotspot_nmethod_scopes(&nm, off, &s)) && !hotspot_nmethod_compiled(&nm, &s))
        return false;
    if (nm.has_notes && !is_exact && nm.level > HOTSPOT_LEVEL_C1_MAX &&
        hotspot_unnoted_read(&nm, loops, pc, &s, &better))
        s = better;
    if (!hotspot_nmethod_is_there(&nm))
        return false;
    *ret_scopes = s;
    return true;
}
