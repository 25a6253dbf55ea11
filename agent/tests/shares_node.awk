# SPDX-License-Identifier: Apache-2.0
# e2e/workloads/node/shares.js, for shares.awk.
function runs(stack, part) { return index(stack, ";" part " shares.js:") > 0 }

function chain(stack,    script) {
    script = only(stack, " shares\\.js:")
    if (script ~ /;deepLeaf/)
        return gsub(/;recurse shares\.js:5[34]/, "", script) == 51 &&
            script ~ /^;main [^;]*;timed [^;]*;[^;]* shares\.js:86;deepLeaf shares\.js:(5[7-9]|6[01])$/
    if (script ~ /;inner/)
        return script ~ /^;main [^;]*;timed [^;]*;[^;]* shares\.js:85;method shares\.js:4[34];inner shares\.js:(4[7-9]|50)$/
    return -1
}
