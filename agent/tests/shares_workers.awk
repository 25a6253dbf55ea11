# SPDX-License-Identifier: Apache-2.0
# e2e/workloads/node/workers.js, for shares.awk.
function runs(stack, part) { return index(stack, ";" part " workers.js:") > 0 }

function chain(stack,    script) {
    script = only(stack, " workers\\.js:")
    if (script ~ /;loopLeaf/)
        return script ~ /^;((\(anonymous\) workers\.js:69;(first|second))|(primary workers\.js:60;here)|(clusterWorker workers\.js:47;clustered)) workers\.js:3[2-5];work workers\.js:27;loopLeaf workers\.js:21$/
    return -1
}
