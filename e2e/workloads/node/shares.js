// SPDX-License-Identifier: Apache-2.0
// JavaScript with known shares of CPU time. usage: shares.js SECONDS
//
// Each kind of work runs for a slice of the process's CPU time in turn; what each really got is
// printed at the end, one line each: NAME SECONDS.
'use strict';

const SLICE = 6000; // microseconds
const spent = new Map();

function used() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function timed(name, budget, step) {
  const start = used();
  while (used() - start < budget) step();
  spent.set(name, (spent.get(name) || 0) + used() - start);
}

function loopLeaf() {
  let total = 0;
  for (let i = 0; i < 300000; i++) total += (i * i) % 7;
  return total;
}

function plain() {
  return loopLeaf();
}

// Never hot enough to be compiled: new functions each time.
function interpreted() {
  let total = 0;
  for (let i = 0; i < 40; i++) {
    const fresh = new Function('n', 'let t = 0; for (let i = 0; i < n; i++) t ^= i; return t;');
    total ^= fresh(300);
  }
  return total;
}

class Worker {
  method() {
    return this.inner(400000);
  }

  inner(n) {
    let text = 0;
    for (let i = 0; i < n; i++) text = (text * 31 + i) | 0;
    return text;
  }

  recurse(depth) {
    return depth > 0 ? this.recurse(depth - 1) : this.deepLeaf();
  }

  deepLeaf() {
    let total = 0;
    for (let i = 0; i < 300000; i++) total += i % 5;
    return total;
  }
}

const arrow = () => {
  let total = 0;
  for (let i = 0; i < 300000; i++) total ^= i;
  return total;
};

function builtin() {
  return Array.from({ length: 3000 }, (_, i) => (i * 7919) % 3001).sort((a, b) => a - b);
}

async function asynchronous() {
  await null;
  timed('asynchronous', SLICE, loopLeaf);
}

async function main() {
  const end = Date.now() + Number(process.argv[2]) * 1000;
  const worker = new Worker();
  while (Date.now() < end) {
    timed('plain', 3 * SLICE, plain);
    timed('interpreted', SLICE, interpreted);
    timed('method', 2 * SLICE, () => worker.method());
    timed('recurse', SLICE, () => worker.recurse(50));
    timed('arrow', SLICE, arrow);
    timed('builtin', SLICE, builtin);
    await asynchronous();
  }
  for (const [name, microseconds] of spent) console.log(name, microseconds / 1e6);
}

main();
