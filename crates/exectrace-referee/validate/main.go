// Shows a trace to Go's own validator: what Go's tests ask of every trace beyond what its reader asks.
//
//	validate FILE
//
// Exits with status 0 if the reader and the validator accept the file. Otherwise prints what they
// object to, one objection a line and at most maxObjections of them, and exits with status 1.
//
// The validator is a package internal to Go, so this is built as a command of Go's own, by an overlay:
// see tool.rs and .ci/run.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"internal/trace"
	"internal/trace/testtrace"
	"internal/trace/version"
)

// An early fault is often followed by one for each event.
const maxObjections = 20

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: validate FILE")
		os.Exit(2)
	}
	objections, err := validate(os.Args[1])
	if err != nil {
		objections = append(objections, err.Error())
	}
	if len(objections) > 0 {
		fmt.Fprintln(os.Stderr, strings.Join(objections, "\n"))
		os.Exit(1)
	}
}

// validate returns what the validator objects to, and the error that ended the reading early.
func validate(path string) (objections []string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()

	// The validator asks more of newer traces, and is told nothing of the header.
	written, err := version.ReadHeader(bufio.NewReader(file))
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	reader, err := trace.NewReader(bufio.NewReader(file))
	if err != nil {
		return nil, err
	}
	validator := testtrace.NewValidator()
	validator.GoVersion = written
	for {
		event, err := reader.ReadEvent()
		if err == io.EOF {
			return objections, nil
		}
		if err != nil {
			return objections, err
		}
		err = validator.Event(event)
		if err == nil {
			continue
		}
		for _, objection := range strings.Split(err.Error(), "\n") {
			if len(objections) == maxObjections {
				return append(objections, "and more"), nil
			}
			objections = append(objections, fmt.Sprintf("at %d ns: %s", event.Time(), objection))
		}
	}
}
