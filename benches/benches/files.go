// Reads a file of 10 KiB with Go's execution tracer off and on, in turns. Prints the medians of the nanoseconds
// of a read, off and on, and of their ratio.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime/trace"
	"sort"
	"time"
)

const (
	reads = 400
	turns = 120
)

func measure(path string) float64 {
	begin := time.Now()
	for i := 0; i < reads; i++ {
		if _, err := os.ReadFile(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	return float64(time.Since(begin).Nanoseconds()) / reads
}

func traced(path string) float64 {
	if err := trace.Start(io.Discard); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer trace.Stop()
	return measure(path)
}

func median(values []float64) float64 {
	sort.Float64s(values)
	return values[len(values)/2]
}

func main() {
	path := os.Args[1]
	measure(path)
	var offs, ons, ratios []float64
	for turn := 0; turn < turns; turn++ {
		var off, on float64
		if turn%2 == 0 {
			on = traced(path)
			off = measure(path)
		} else {
			off = measure(path)
			on = traced(path)
		}
		offs = append(offs, off)
		ons = append(ons, on)
		ratios = append(ratios, on/off)
	}
	fmt.Println(median(offs), median(ons), median(ratios))
}
