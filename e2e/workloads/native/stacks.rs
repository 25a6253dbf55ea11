// SPDX-License-Identifier: Apache-2.0
//
//! stacks: what the stacks of Rust programs are made of. A release build; see truth.h for the usage
//! and for what is printed.
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

const STEPS_PER_MS: u64 = 800_000; // of spin
const N_THREADS: u64 = 2;

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

fn cpu_ns(clock: i32) -> u64 {
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };

    unsafe { clock_gettime(clock, &mut time) };
    time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
}

/// The compiler knows nothing of what comes back (std::hint::black_box is not in every rustc that is about).
#[inline(always)]
fn black_box<T>(value: T) -> T {
    unsafe {
        let same = std::ptr::read_volatile(&value);

        std::mem::forget(value);
        same
    }
}

#[inline(always)]
fn spin(n_steps: u64) -> u64 {
    let mut x = n_steps;

    for _ in 0..n_steps {
        x = black_box(x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407));
    }
    x
}

// The number keeps the compiler from making one function of all of them; so do those below.
macro_rules! leaf {
    ($name:ident, $number:literal) => {
        #[inline(never)]
        fn $name(n_steps: u64) -> u64 {
            black_box(spin(n_steps) + $number)
        }
    };
}

leaf!(leaf_called, 1);
leaf!(leaf_trait, 2);
leaf!(leaf_generic, 3);
leaf!(leaf_closure, 4);
leaf!(leaf_compare, 5);
leaf!(leaf_deep, 6);

#[inline(never)]
fn inner(n_steps: u64) -> u64 {
    black_box(leaf_called(n_steps)) + 11
}

#[inline(never)]
fn outer(n_steps: u64) {
    black_box(inner(n_steps) + 12);
}

trait Shape {
    fn measure(&self, n_steps: u64) -> u64;
}

struct Circle;

impl Shape for Circle {
    #[inline(never)]
    fn measure(&self, n_steps: u64) -> u64 {
        black_box(leaf_trait(n_steps)) + 13
    }
}

#[inline(never)]
fn trait_object(n_steps: u64) {
    let shape: Box<dyn Shape> = black_box(Box::new(Circle));

    black_box(shape.measure(n_steps) + 14);
}

#[inline(never)]
fn fold<T: Into<u64> + Copy>(n: T) -> u64 {
    black_box(leaf_generic(n.into())) + 15
}

#[inline(never)]
fn generics(n_steps: u64) {
    black_box(fold::<u64>(n_steps) + 16);
}

#[inline(never)]
fn call(function: &dyn Fn(u64) -> u64, n: u64) -> u64 {
    black_box(function(n)) + 1
}

#[inline(never)]
fn closures(n_steps: u64) {
    let more = black_box(1);

    black_box(call(&|n| black_box(leaf_closure(n + more)) + 1, n_steps) + 1);
}

#[inline(never)]
fn sort_all(n_steps: u64) {
    let mut items: Vec<u32> = (0..512u32).map(|i| i.wrapping_mul(2654435761)).collect();

    items.sort_by(|a, b| {
        leaf_compare(n_steps / 4500);
        a.cmp(b)
    });
    black_box(items);
}

#[inline(never)]
fn thrower(depth: u32) -> u32 {
    if depth == 1 {
        std::panic::resume_unwind(Box::new(1u32));
    }
    black_box(thrower(black_box(depth - 1))) + 1
}

#[inline(never)]
fn panics(n_steps: u64) {
    for _ in 0..n_steps / 3000 {
        let _ = black_box(std::panic::catch_unwind(|| thrower(8)));
    }
}

#[inline(never)]
fn descend(depth: u32, n_steps: u64) -> u64 {
    let below = if depth > 1 { descend(black_box(depth - 1), n_steps) } else { leaf_deep(n_steps) };

    black_box(below) + 1
}

#[inline(never)]
fn recursion(n_steps: u64) {
    black_box(descend(900, n_steps) + 1);
}

struct Part {
    name: &'static str,
    chain: &'static str,
    percent: u64,
    run: fn(u64),
    cpu_ns: AtomicU64,
}

const fn part(name: &'static str, chain: &'static str, percent: u64, run: fn(u64)) -> Part {
    Part { name, chain, percent, run, cpu_ns: AtomicU64::new(0) }
}

static PARTS: [Part; 7] = [
    part("stacks::outer", "stacks::outer;stacks::inner;stacks::leaf_called", 20, outer),
    part("stacks::trait_object", "stacks::trait_object;<stacks::Circle as stacks::Shape>::measure;stacks::leaf_trait", 15, trait_object),
    part("stacks::generics", "stacks::generics;stacks::fold;stacks::leaf_generic", 15, generics),
    part("stacks::closures", "stacks::closures;stacks::call;...;stacks::leaf_closure", 15, closures),
    part("stacks::sort_all", "stacks::sort_all;...;stacks::leaf_compare", 10, sort_all),
    part("stacks::panics", "stacks::panics;...;stacks::thrower x8;...;_Unwind_RaiseException", 10, panics),
    part("stacks::recursion", "stacks::recursion;stacks::descend x900;stacks::leaf_deep", 15, recursion),
];

static HAS_ENDED: AtomicBool = AtomicBool::new(false); // stdin

fn wait_for_eof() {
    let _ = std::io::stdin().read(&mut [0]);
    HAS_ENDED.store(true, Ordering::Relaxed);
}

enum Plan {
    UntilEof,
    Rounds(u64),
}

impl Plan {
    fn goes_on(&self, round: u64) -> bool {
        match self {
            Plan::UntilEof => !HAS_ENDED.load(Ordering::Relaxed),
            Plan::Rounds(n) => round * N_THREADS < *n,
        }
    }
}

#[inline(never)]
fn work(plan: &Plan, mut seed: u64) {
    let round_ms = std::env::var("TRUTH_ROUND_MS").ok().and_then(|ms| ms.parse().ok()).unwrap_or(25u64);
    let mut round = 0;

    while plan.goes_on(round) {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let percent = round_ms * STEPS_PER_MS / 100 * (768 + (seed >> 55)) / 1024;
        for part in &PARTS {
            let before = cpu_ns(3);

            black_box(part.run)(percent * part.percent);
            part.cpu_ns.fetch_add(cpu_ns(3) - before, Ordering::Relaxed);
        }
        round += 1;
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = arguments.get(2).and_then(|n| n.parse::<u64>().ok());
    let begin = Instant::now();
    let plan = match (arguments.get(1).map(String::as_str), number) {
        (Some("until-eof"), None) => {
            std::thread::spawn(wait_for_eof);
            Plan::UntilEof
        }
        (Some("rounds"), Some(n)) => Plan::Rounds(n),
        _ => {
            eprintln!("usage: {} until-eof | rounds N", arguments[0]);
            std::process::exit(2);
        }
    };
    let plan = Arc::new(plan);
    let threads: Vec<_> = (0..N_THREADS)
        .map(|i| {
            let plan = Arc::clone(&plan);

            std::thread::Builder::new().name(format!("rust-{i}")).spawn(move || work(&plan, i + 1)).unwrap()
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let parts: Vec<String> = PARTS
        .iter()
        .map(|p| {
            format!(
                "{{\"name\": \"{}\", \"chain\": \"...;stacks::work;{}\", \"cpu_ns\": {}}}",
                p.name,
                p.chain,
                p.cpu_ns.load(Ordering::Relaxed)
            )
        })
        .collect();
    println!(
        "{{\"wall_s\": {:.3}, \"cpu_ns\": {}, \"parts\": [{}], \"threads\": [\"rust-0\", \"rust-1\"]}}",
        begin.elapsed().as_secs_f64(),
        cpu_ns(2),
        parts.join(", ")
    );
}
