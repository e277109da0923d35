// Reads a trace with Go's own readers: `reader wire|ordered FILE` prints the number of events, the
// seconds of CPU and the most memory, in bytes, that it took. It is built as if it lay in Go's own
// tree, as only that may use these readers.
package main

import (
	"bufio"
	"fmt"
	"internal/trace"
	"internal/trace/raw"
	"io"
	"os"
	"syscall"
)

func main() {
	file, err := os.Open(os.Args[2])
	check(err)
	input := bufio.NewReaderSize(file, 1<<20)
	var next func() error
	if os.Args[1] == "wire" {
		reader, err := raw.NewReader(input)
		check(err)
		next = func() error {
			_, err := reader.ReadEvent()
			return err
		}
	} else {
		reader, err := trace.NewReader(input)
		check(err)
		next = func() error {
			_, err := reader.ReadEvent()
			return err
		}
	}
	events := 0
	for {
		err := next()
		if err == io.EOF {
			break
		}
		check(err)
		events++
	}
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	seconds := float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
	fmt.Println(events, seconds, usage.Maxrss*1024)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
