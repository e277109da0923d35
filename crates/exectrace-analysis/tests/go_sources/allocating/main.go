// A program to be traced, `allocating FILE`: goroutines that keep the garbage collector busy.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/trace"
	"sync"
	"time"
)

type node struct {
	left, right *node
	payload     [4]int
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: tree(depth - 1), right: tree(depth - 1)}
}

func main() {
	runtime.GOMAXPROCS(4)
	file, err := os.Create(os.Args[1])
	check(err)
	kept := tree(14)
	check(trace.Start(file))
	var all sync.WaitGroup
	for part := range 6 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 30 {
				tree(12)
				// Some workers are idle at times, and mark then.
				time.Sleep(time.Duration(part) * 100 * time.Microsecond)
			}
		}()
	}
	all.Wait()
	trace.Stop()
	check(file.Close())
	runtime.KeepAlive(kept)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
