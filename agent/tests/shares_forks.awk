# SPDX-License-Identifier: Apache-2.0
# e2e/workloads/python/forks.py, for shares.awk.
function runs(stack, part) { return index(stack, ";" part " (") > 0 }

function chain(stack,    script) {
    script = only(stack, "\\(forks\\.py:")
    if (script ~ /;spend/)
        return script ~ /^;<module> [^;]*;main [^;]*;(fresh|child [^;]*;forked) [^;]*;spend [^;]*$/
    return -1
}
