// SPDX-License-Identifier: Apache-2.0

// Hard_stacks runs one kind of Go program for ever, named by its argument. The hot function is leaf,
// and who calls it is known.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

var sink uint64

// A leaf without a frame of its own: only the stack pointer leads to its caller.
//
//go:noinline
func leaf(n uint64) uint64 {
	x := n
	for i := uint64(0); i < n; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

//go:noinline
func chainInner(n uint64) uint64 { return leaf(n) + 1 }

//go:noinline
func chainOuter(n uint64) uint64 { return chainInner(n) + 1 }

// Both are always a part of their callers.
func inlinedInner(n uint64) uint64 { return leaf(n) + 2 }
func inlinedOuter(n uint64) uint64 { return inlinedInner(n) + 3 }

//go:noinline
func callsInlined(n uint64) uint64 { return inlinedOuter(n) + 4 }

type number interface{ ~int | ~uint64 }

//go:noinline
func generic[T number](n T) T { return T(leaf(uint64(n))) + 1 }

type shape interface{ area(n uint64) uint64 }
type square struct{ side uint64 }

//go:noinline
func (s *square) area(n uint64) uint64 { return s.side * leaf(n) }

//go:noinline
func descend(depth int, n uint64) uint64 {
	if depth == 0 {
		return leaf(n)
	}
	return descend(depth-1, n) + 1
}

type node struct{ left, right *node }

//go:noinline
func grow(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{grow(depth - 1), grow(depth - 1)}
}

//go:noinline
func forever(work func()) {
	for {
		work()
	}
}

var works = map[string]func(){
	"leaf":      func() { sink += chainOuter(20000) },
	"inlined":   func() { sink += callsInlined(20000) },
	"generic":   func() { sink += generic(uint64(20000)) },
	"method":    func() { var s shape = &square{3}; sink += s.area(20000) },
	"recursion": func() { sink += descend(900, 2000000) },
	"gc":        func() { sink += uint64(len(fmt.Sprint(grow(14) != nil))) },
	"syscall":   func() { _, _ = syscall.Getppid(), syscall.Kill(os.Getpid(), 0) },
	"clock":     func() { sink += uint64(time.Now().UnixNano()) },
	"growth": func() { // of the stacks of goroutines that live shortly
		done := make(chan uint64)
		go func() { done <- descend(900, 1) }()
		sink += <-done
	},
	"closure": func() {
		n := uint64(20000)
		func() { sink += leaf(n) + chainOuter(10) }()
	},
	"defer": func() {
		defer func() { sink += chainOuter(20000) }()
		sink++
	},
}

func main() {
	work := works["leaf"]
	mode := "leaf"
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	switch mode {
	case "goroutines":
		for i := 0; i < 100; i++ {
			go forever(work)
		}
	case "signals": // so many of them that the handler is seen
		signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1)
		work = func() { _ = syscall.Kill(os.Getpid(), syscall.SIGUSR1) }
	case "thread":
		go func() {
			runtime.LockOSThread()
			forever(work)
		}()
		select {}
	default:
		work = works[mode]
	}
	forever(work)
}
