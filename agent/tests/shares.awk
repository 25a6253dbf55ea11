# SPDX-License-Identifier: Apache-2.0
# Compares folded stacks with what a workload of e2e/workloads measured of itself; read after the file of its language,
# which defines
#
#   runs(stack, part)   does the stack hold that part?
#   chain(stack)        -1: the stack has no leaf whose callers are known; else 1 when all of them are there, in order
#
# Input: the truth, NAME SECONDS a line, then the folded stacks. A row: largest error of a share in points, the samples of
# a leaf that have its whole chain, leaves without a name, stacks without their root. With -v form=fields it is one for
# programs: VERDICT SAMPLES ERROR PART CHAIN UNKNOWN BROKEN. With -v apart=PART nothing is asked of that part's share.
FNR == NR { truth[$1] = $2; all_truth += $2; next }
{
    n = $NF; sub(/ [0-9]+$/, ""); all += n
    for (part in truth) if (runs(";" $0 ";", part)) got[part] += n
    leaf = $0; sub(/.*;/, "", leaf)
    if (leaf ~ /^\[.*\+0x/) unknown += n
    if (index(";" $0 ";", ";[truncated")) broken += n
    if ((is_whole = chain($0)) >= 0) { deep += n; whole += n * is_whole }
}
function percent(n, of) { return of ? 100 * n / of : 0 }
END {
    for (part in truth) {
        if (part == apart) continue
        error = percent(got[part], all) - percent(truth[part], all_truth)
        error = error < 0 ? -error : error
        if (error > worst) { worst = error; at = part }
    }
    whole = percent(whole, deep); unknown = percent(unknown, all); broken = percent(broken, all)
    ok = all > 0 && worst <= 4 && whole >= 97 && unknown <= 3 && broken <= 2
    if (form == "fields")
        printf "%s %d %.2f %s %.2f %.2f %.2f\n", ok ? "ok" : "FAIL", all, worst, at, whole, unknown, broken
    else
        printf "%-5s %-14s %5d samples  share off by %.1f (%s)  chain %.1f %%  unknown %.1f %%  broken %.1f %%\n", \
            ok ? "ok" : "FAIL", name, all, worst, at, whole, unknown, broken
    exit !ok
}

# The frames of the stack that match, each with a ";" in front of it.
function only(stack, pattern,    frames, kept, i) {
    kept = ""
    for (i = split(stack, frames, ";"); i > 0; i--)
        if (frames[i] ~ pattern) kept = ";" frames[i] kept
    return kept
}
