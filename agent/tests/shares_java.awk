# SPDX-License-Identifier: Apache-2.0
# e2e/workloads/java/Shares.java, for shares.awk.
function runs(stack, part) { return stack ~ ";Shares(\\." part "|\\$" toupper(substr(part, 1, 1)) substr(part, 2) "\\.run)(:[0-9]+)?;" }

# Without lambdas, whose names and frames are the compiler's.
function chain(stack,    script) {
    script = only(stack, "^Shares[.$]")
    gsub(/;Shares[.$][^;]*[Ll]ambda\$?[^;]*/, "", script)
    if (script ~ /;Shares\.deepLeaf/)
        return gsub(/;Shares\.recurse:[0-9]+/, "", script) == 61 && script ~ /^;Shares\.main:[0-9]+;Shares\.timed:[0-9]+;Shares\.deepLeaf[^;]*$/
    if (script ~ /\.area/)
        return script ~ /^;Shares\.main:[0-9]+;Shares\.timed:[0-9]+;Shares\.interfaces:[0-9]+;Shares\$(Figure|Circle)\.area[^;]*(;Shares\$(Square|Triangle)\.sides[^;]*)?$/
    if (script ~ /;Shares\.pooled.*;Shares\.loopLeaf/)
        return script ~ /^;Shares\.timed:[0-9]+;Shares\.pooled:[0-9]+;Shares\.loopLeaf[^;]*$/
    return -1
}
