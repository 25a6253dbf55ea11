// SPDX-License-Identifier: Apache-2.0

// Hotgo keeps one core busy for ever: 60 % in burnSixty, 30 % in burnThirty, 10 % in burnTen.
package main

const percent = 5000 // iterations

var result uint64

// Calling it makes the caller keep a frame: Go gives none to a function that calls nobody.
//
//go:noinline
func keepFrame() {}

// Each step waits for the multiplication of the one before; small enough to be always a part of its caller.
func spin(iterations uint64) {
	x := iterations
	for i := uint64(0); i < iterations; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	result = x
	keepFrame()
}

//go:noinline
func burnSixty() { spin(60 * percent) }

//go:noinline
func burnThirty() { spin(30 * percent) }

//go:noinline
func burnTen() { spin(10 * percent) }

//go:noinline
func serveRequests() {
	for {
		burnSixty()
		burnThirty()
		burnTen()
	}
}

func main() { serveRequests() }
