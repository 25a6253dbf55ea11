// SPDX-License-Identifier: Apache-2.0
// Stacks of JavaScript functions, and what V8 says of each while it is in it: the workload of
// record_v8, as record_stacks.h wants it.
'use strict';

const fs = require('fs');
const v8 = require('v8');
const vm = require('vm');

const GO = fs.openSync('/proc/self/fd/0', fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
const SPIN = 2e7;

Error.stackTraceLimit = Infinity;

// What the agent should show: the function's own name, its file, and the current line; of those
// that are built in the name. Functions that await another are not on the stack. What V8 calls
// "eval" has no name of its own.
function claim(site, i) {
    const path = site.getFileName() || '';
    const file = path.startsWith('node:') ? path : path.replace(/.*\//, '');
    const name = (site.isEval() && site.getFunctionName() === 'eval' ? '' : site.getFunctionName()) || '(anonymous)';
    const line = site.getLineNumber() + (i === 0);
    return site.isAsync() ? '' : file ? `call ${name} ${file}:${line}\n` : `call ${name}\n`;
}

Error.prepareStackTrace = (_, sites) => sites.map(claim).join('');

// False: it is only to be compiled.
function say(n) {
    if (n < SPIN)
        return false;
    const error = {};
    Error.captureStackTrace(error, say);
    fs.writeSync(1, `stack ${process.pid}\n${error.stack}go\n`);
    return true;
}

function waits() {
    try {
        return fs.readSync(GO, Buffer.alloc(1)) < 0;
    } catch (error) {
        return error.code === 'EAGAIN';
    }
}

function hold(n = SPIN) {
    let sum = 0;
    const asks = say(n); // a line before it is there
    do { for (let i = 0; i < n; i++) sum = (sum * 31 + i) | 0; } while (asks && waits());
    return sum;
}

function plain(depth) {
    if (depth > 0) {
        return Math.max(
            0,
            plain(
                depth - 1,
            ),
        );
    }
    return hold();
}

class Counter {
    static #made = 0;

    constructor(then) {
        this.then = then;
        then();
    }

    static make() {
        return Counter.#count();
    }

    static #count() {
        Counter.#made++;
        return new this(() => 0);
    }

    get value() {
        return this.method(() => hold());
    }

    method(then) {
        return this.arrow(then);
    }

    arrow = (then) =>
        then();

    toString() {
        return this['in quotes']();
    }

    'in quotes'() {
        return hold();
    }
}

class Derived extends Counter {
    field = 1;

    constructor() {
        super(() => hold());
    }
}

function classes() {
    Counter.make().value;
    `${Counter.make()}`;
    new Derived();
}

function builtins() {
    [3].map((n) => [n].reduce(() => hold(), 0));
    [2, 1].sort(function () {
        return 'b'.replace(/b/, () => Reflect.apply(hold, null, []));
    });
    new Promise(function executor() {
        return hold.bind(null).call();
    });
    new Proxy({}, { get: () => hold() }).anything;
}

function* generator() {
    yield hold();
}

function iterators() {
    const [first] = generator();
    return first;
}

function madeCode() {
    const made = new Function('then', 'return then();');
    made(() => eval('1 && hold()'));
    vm.runInThisContext('(function größe(имя) {\n return (function имя2() { return имя(); })();\n})', { filename: 'two bytes.js' })(hold);
}

// Variables in a context, more than a scope keeps without a table.
function manyVariables() {
    const script = Array.from({ length: 200 }, (_, i) => `let v${i} = ${i};`).join('\n');
    vm.runInThisContext(`(function many(then) {\n${script}\nfunction inner() {\n return then(v0);\n}\n return inner(() => eval('v1'));\n})`, { filename: 'many.js' })(() => hold());
}

function inner(n) {
    let sum = n;
    sum += hold(n);
    return sum;
}

function middle(n) {
    return [n].length &&
        inner(n);
}

function outer(n) {
    return 1 +
        middle(n);
}

// So that what it calls is inlined: nothing is new to it when it matters.
function hot() {
    for (let i = 0; i < 20000; i++)
        outer(i % 64);
    return outer(SPIN);
}

// The same functions, and what they are compiled by, if that is there.
const COMPILERS = { baseline: ['--sparkplug', '--always-sparkplug'], maglev: ['--maglev'], optimised: ['--opt'] };

function setFlag(flag) {
    if (flag !== '--maglev' && flag !== '--no-maglev' || parseInt(process.versions.v8) > 11)
        v8.setFlagsFromString(flag);
}

function compiled() {
    setFlag('--use-osr');
    for (const [name, flags] of Object.entries(COMPILERS)) {
        const source = `(function main(say, waits, SPIN) {\n${hold}\n${inner}\n${middle}\n${outer}\n${hot}\n return hot();\n})`;
        flags.forEach(setFlag);
        vm.runInThisContext(source, { filename: `${name}.js` })(say, waits, SPIN);
        flags.forEach((flag) => setFlag(flag.replace('--', '--no-')));
    }
}

async function awaited(n) {
    if (n > 0)
        await awaited(n - 1);
    else
        await null;
    hold();
}

async function main() {
    ['--no-opt', '--no-maglev', '--no-sparkplug', '--no-use-osr'].forEach(setFlag);
    fs.writeSync(1, `process ${process.pid}\n`);
    while (waits())
        ;
    plain(3);
    classes();
    builtins();
    iterators();
    madeCode();
    manyVariables();
    await awaited(1);
    compiled();
}

process.nextTick(main);
