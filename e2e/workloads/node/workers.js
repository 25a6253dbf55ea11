// SPDX-License-Identifier: Apache-2.0
// JavaScript with known shares of CPU time in worker threads and in a process of the cluster module.
// usage: workers.js SECONDS
//
// The threads of a process take turns, so that its CPU time is theirs. What each really got is
// printed at the end, one line each: NAME SECONDS.
'use strict';

const cluster = require('cluster');
const threads = require('worker_threads');

const SLICE = 6000; // microseconds

function used() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function loopLeaf() {
  let total = 0;
  for (let i = 0; i < 300000; i++) total += (i * i) % 7;
  return total;
}

function work(slices) {
  const start = used();
  while (used() - start < slices * SLICE) loopLeaf();
  return used() - start;
}

const does = {
  first() { return work(3); },
  second() { return work(1); },
  here() { return work(2); },
  clustered() { return work(2); },
};

const turn = (worker) => new Promise((resolve) => {
  worker.once('message', resolve);
  worker.postMessage(null);
});
const pause = () => new Promise((resolve) => setTimeout(resolve, 10));

async function clusterWorker(end) {
  let spent = 0;
  while (Date.now() < end) {
    spent += does.clustered();
    await pause();
  }
  process.send(spent, () => process.disconnect());
}

async function primary(end) {
  const spent = { first: 0, second: 0, here: 0 };
  const forked = new Promise((resolve) => cluster.fork({ END: end }).once('message', resolve));
  const workers = Object.entries(does).slice(0, 2)
    .map(([name]) => [name, new threads.Worker(__filename, { workerData: name })]);
  while (Date.now() < end) {
    for (const [name, worker] of workers) spent[name] += await turn(worker);
    spent.here += does.here();
  }
  spent.clustered = await forked;
  for (const [, worker] of workers) worker.terminate();
  for (const [name, microseconds] of Object.entries(spent)) console.log(name, microseconds / 1e6);
}

if (!threads.isMainThread) {
  const { parentPort, workerData } = threads;
  parentPort.on('message', () => parentPort.postMessage(does[workerData]()));
} else if (process.env.END) {
  clusterWorker(Number(process.env.END));
} else {
  primary(Date.now() + Number(process.argv[2]) * 1000);
}
