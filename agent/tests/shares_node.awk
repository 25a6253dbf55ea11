# SPDX-License-Identifier: Apache-2.0
# e2e/workloads/node/shares.js, for shares.awk.
function runs(stack, part) { return index(stack, ";" part " shares.js:") > 0 }

function chain(stack,    script) {
    script = only(stack, " shares\\.js:")
    if (script ~ /;deepLeaf/)
        return gsub(/;recurse shares\.js:54/, "", script) == 51 &&
            script == ";main shares.js:86;timed shares.js:18;(anonymous) shares.js:86;deepLeaf shares.js:59"
    if (script ~ /;inner/)
        return script == ";main shares.js:85;timed shares.js:18;(anonymous) shares.js:85;method shares.js:44;inner shares.js:49"
    return -1
}
