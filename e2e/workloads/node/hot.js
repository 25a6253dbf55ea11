// SPDX-License-Identifier: Apache-2.0
// Burns CPU time in three functions: 60, 30 and 10 percent, as hot.c does; until it is killed.
'use strict';

function cpuMs() {
    const used = process.cpuUsage();
    return (used.user + used.system) / 1000;
}

function burnLeaf(until) {
    let sum = 0;
    while (cpuMs() < until) {
        for (let i = 0; i < 20000; i++)
            sum = (sum + i) | 0;
    }
    return sum;
}

function burnSixty(sliceMs) {
    return burnLeaf(cpuMs() + 6 * sliceMs);
}

function burnThirty(sliceMs) {
    return burnLeaf(cpuMs() + 3 * sliceMs);
}

function burnTen(sliceMs) {
    return burnLeaf(cpuMs() + sliceMs);
}

function serveRequests() {
    for (;;) {
        burnSixty(3);
        burnThirty(3);
        burnTen(3);
    }
}

serveRequests();
