// SPDX-License-Identifier: Apache-2.0

// Stacks: what the stacks of Go programs are made of. See truth.h for the usage and for what is printed.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	stepsPerMs   = 800000 // of spin
	nWorkers     = 4
	clockProcess = 2
	clockThread  = 3
)

var sink atomic.Uint64

func cpuNs(clock uintptr) uint64 {
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&t)), 0)
	return uint64(t.Nano())
}

// Always a part of its caller in the machine code; Go's own tables know it.
func spin(steps uint64) uint64 {
	x := steps
	for i := uint64(0); i < steps; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

//go:noinline
func leafCalled(steps uint64) uint64 { return spin(steps) }

//go:noinline
func inner(steps uint64) uint64 { return leafCalled(steps) + 1 }

//go:noinline
func outer(steps uint64) { sink.Store(inner(steps) + 1) }

func leafInlined(steps uint64) uint64 { return spin(steps) + 1 }

//go:noinline
func withInlined(steps uint64) { sink.Store(leafInlined(steps) + 1) }

type shape interface{ measure(steps uint64) uint64 }
type circle struct{ radius uint64 }

//go:noinline
func leafMethod(steps uint64) uint64 { return spin(steps) }

//go:noinline
func (c *circle) measure(steps uint64) uint64 { return leafMethod(steps) + c.radius }

var shapes = []shape{&circle{1}}

//go:noinline
func methods(steps uint64) { sink.Store(shapes[0].measure(steps) + 1) }

//go:noinline
func leafGeneric(steps uint64) uint64 { return spin(steps) }

//go:noinline
func fold[T ~uint64 | ~uint32](n T) uint64 { return leafGeneric(uint64(n)) + 1 }

//go:noinline
func generics(steps uint64) { sink.Store(fold(steps) + 1) }

//go:noinline
func leafClosure(steps uint64) uint64 { return spin(steps) }

//go:noinline
func call(f func(n uint64) uint64, n uint64) uint64 { return f(n) + 1 }

//go:noinline
func closures(steps uint64) {
	more := sink.Load() & 1
	sink.Store(call(func(n uint64) uint64 { return leafClosure(n+more) + 1 }, steps) + 1)
}

//go:noinline
func leafCompare(steps uint64) uint64 { return spin(steps) }

//go:noinline
func sortAll(steps uint64) {
	items := make([]uint32, 512)
	for i := range items {
		items[i] = uint32(i) * 2654435761
	}
	sort.Slice(items, func(a, b int) bool {
		sink.Store(leafCompare(steps / 6000))
		return items[a] < items[b]
	})
}

//go:noinline
func leafDeep(steps uint64) uint64 { return spin(steps) }

//go:noinline
func descend(depth int, steps uint64) uint64 {
	if depth > 1 {
		return descend(depth-1, steps) + 1
	}
	return leafDeep(steps) + 1
}

//go:noinline
func recursion(steps uint64) { sink.Store(descend(900, steps) + 1) }

//go:noinline
func thrower(depth int) int {
	if depth == 1 {
		panic(depth)
	}
	return thrower(depth-1) + 1
}

//go:noinline
func panicsOnce() {
	defer func() { _ = recover() }()
	sink.Store(uint64(thrower(8)))
}

//go:noinline
func panics(steps uint64) {
	for i := uint64(0); i < steps; i += 200 {
		panicsOnce()
	}
}

type node struct {
	next *node
	text [6]uint64
}

var kept [nWorkers]*node

// The allocator, and the collector's part of it, on the system's stack now and then.
//
//go:noinline
func allocate(steps uint64) {
	var list *node
	for i := uint64(0); i < steps; i += 20 {
		list = &node{next: list}
		if i%100000 == 0 {
			list = nil
		}
	}
	kept[0] = list
}

var block [1 << 16]byte

// Most of it is assembly.
//
//go:noinline
func copyBlocks(steps uint64) {
	var to [1 << 16]byte
	for i := uint64(0); i < steps; i += 600 {
		copy(to[:], block[:])
	}
	sink.Store(uint64(to[5]))
}

//go:noinline
func askKernel(steps uint64) {
	for i := uint64(0); i < steps; i += 100 {
		sink.Store(uint64(syscall.Getppid()))
	}
}

type part struct {
	Name    string `json:"name"`
	Chain   string `json:"chain"`
	CPU     uint64 `json:"cpu_ns"`
	percent uint64
	run     func(steps uint64)
}

var parts = []*part{
	{Name: "main.outer", Chain: "main.outer;main.inner;main.leafCalled", percent: 10, run: outer},
	{Name: "main.withInlined", Chain: "main.withInlined;main.leafInlined", percent: 15, run: withInlined},
	{Name: "main.methods", Chain: "main.methods;main.(*circle).measure;main.leafMethod", percent: 10, run: methods},
	{Name: "main.generics", Chain: "main.generics;...;main.leafGeneric", percent: 10, run: generics},
	{Name: "main.closures", Chain: "main.closures;main.call;main.closures.func1;main.leafClosure", percent: 10, run: closures},
	{Name: "main.sortAll", Chain: "main.sortAll;...;main.leafCompare", percent: 10, run: sortAll},
	{Name: "main.recursion", Chain: "main.recursion;main.descend x900;main.leafDeep", percent: 15, run: recursion},
	{Name: "main.panics", Chain: "main.panics", percent: 5, run: panics},
	{Name: "main.allocate", Chain: "main.allocate", percent: 5, run: allocate},
	{Name: "main.copyBlocks", Chain: "main.copyBlocks;...;runtime.memmove", percent: 5, run: copyBlocks},
	{Name: "main.askKernel", Chain: "main.askKernel", percent: 5, run: askKernel},
}

//go:noinline
func work(goesOn func(round uint64) bool, seed uint64) {
	roundMs, err := strconv.ParseUint(os.Getenv("TRUTH_ROUND_MS"), 10, 32)
	if err != nil {
		roundMs = 25
	}
	runtime.LockOSThread() // so that the thread's clock is this goroutine's
	for round := uint64(0); goesOn(round); round++ {
		seed = seed*6364136223846793005 + 1442695040888963407
		steps := roundMs * stepsPerMs / 100 * (768 + seed>>55) / 1024
		for _, p := range parts {
			before := cpuNs(clockThread)
			p.run(steps * p.percent)
			atomic.AddUint64(&p.CPU, cpuNs(clockThread)-before)
		}
	}
}

func main() {
	var n uint64
	if len(os.Args) == 3 && os.Args[1] == "rounds" {
		n, _ = strconv.ParseUint(os.Args[2], 10, 32)
	}
	if n == 0 && (len(os.Args) != 2 || os.Args[1] != "until-eof") {
		fmt.Fprintf(os.Stderr, "usage: %s until-eof | rounds N\n", os.Args[0])
		os.Exit(2)
	}
	begin := time.Now()
	goesOn := func(round uint64) bool { return round*nWorkers < n }
	if n == 0 {
		var ended atomic.Bool
		goesOn = func(uint64) bool { return !ended.Load() }
		go func() {
			_, _ = os.Stdin.Read(make([]byte, 1))
			ended.Store(true)
		}()
	}
	var workers sync.WaitGroup
	for i := uint64(0); i < nWorkers; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			work(goesOn, i+1)
		}()
	}
	workers.Wait()
	for _, p := range parts {
		p.Chain = "runtime.goexit;main.main.func4;main.work;" + p.Chain
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"wall_s": time.Since(begin).Seconds(), "cpu_ns": cpuNs(clockProcess), "parts": parts, "threads": []string{},
	})
}
