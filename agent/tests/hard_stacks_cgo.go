// SPDX-License-Identifier: Apache-2.0

// Hard_stacks_cgo goes from Go to C and back for ever: hot functions are C's c_leaf, or Go's leaf
// that C calls back.
package main

/*
#include <pthread.h>
#include <stdint.h>

extern uint64_t goCallback(uint64_t n);

static __attribute__((noinline)) uint64_t c_leaf(uint64_t n)
{
    volatile uint64_t x = n;

    for (uint64_t i = 0; i < n; i++)
        x = x * 6364136223846793005u + 1;
    return x;
}

static __attribute__((noinline)) uint64_t c_middle(uint64_t n) { return c_leaf(n) + 1; }
static __attribute__((noinline)) uint64_t c_back(uint64_t n) { return goCallback(n) + 1; }

static void *in_thread(void *arg)
{
    for (;;)
        (void)c_back(20000);
    return arg;
}

static void start_thread_of_c(void)
{
    pthread_t thread;

    (void)pthread_create(&thread, 0, in_thread, 0);
}
*/
import "C"

import "os"

var sink uint64

//go:noinline
func leaf(n uint64) uint64 {
	x := n
	for i := uint64(0); i < n; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

//go:noinline
func inCallback(n uint64) uint64 { return leaf(n) + 1 }

//export goCallback
func goCallback(n C.uint64_t) C.uint64_t { return C.uint64_t(inCallback(uint64(n))) }

//go:noinline
func callsC(n uint64) uint64 { return uint64(C.c_middle(C.uint64_t(n))) + 1 }

//go:noinline
func callsBack(n uint64) uint64 { return uint64(C.c_back(C.uint64_t(n))) + 1 }

func main() {
	switch os.Args[1] {
	case "c":
		for {
			sink += callsC(20000)
		}
	case "callback":
		for {
			sink += callsBack(20000)
		}
	case "thread": // that Go did not start
		C.start_thread_of_c()
		select {}
	}
}
