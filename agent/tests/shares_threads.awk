# SPDX-License-Identifier: Apache-2.0
# e2e/workloads/python/threads.py, for shares.awk: a thread's name is the frame above its process.
function runs(stack, part,    frames) {
    split(stack, frames, ";")
    gsub(/ /, "_", frames[3])
    return frames[3] == part
}

function chain(stack,    script) {
    script = only(stack, "\\(threads\\.py:")
    gsub(/;((Own|Slotted)\.)?run [^;]*/, "", script)
    if (script ~ /;loop_leaf/) return script ~ /^;work [^;]*;loop_leaf [^;]*$/
    return -1
}
