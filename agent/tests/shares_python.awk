# SPDX-License-Identifier: Apache-2.0
# e2e/workloads/python/shares.py, for shares.awk.
function runs(stack, part) {
    return index(stack, ";" part " (") || ((part == "method" || part == "recurse") && index(stack, ";Worker." part " ("))
}

# Without the classes that only newer versions name.
function chain(stack,    script) {
    script = only(stack, "\\(shares\\.py:")
    gsub(/;(Worker|decorated\.<locals>)\./, ";", script)
    if (script ~ /deep_leaf/)
        return gsub(/;recurse \(shares\.py:67\)/, "", script) == 60 &&
            script ~ /^;<module> [^;]*;main [^;]*;timed [^;]*;(main\.<locals>\.)?<lambda> [^;]*;recurse \(shares\.py:68\);deep_leaf [^;]*$/
    if (script ~ /;numbers/)
        return script ~ /^;<module> [^;]*;main [^;]*;timed [^;]*;generator \(shares\.py:43\);numbers \(shares\.py:3[789]\)$/
    if (script ~ /;nested/)
        return script ~ /^;<module> [^;]*;main [^;]*;timed [^;]*;coroutine [^;]*;coroutine_main [^;]*;nested [^;]*$/
    return -1
}
