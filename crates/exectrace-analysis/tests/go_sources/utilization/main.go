// Prints Go's minimum mutator utilisation of a trace: `utilization TRACE WINDOW...` has a line for
// each window, in nanoseconds, with the share.
//
// It is built as a part of Go's own tree, by an overlay, because the package is internal.
package main

import (
	"bufio"
	"fmt"
	"internal/trace"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	file, err := os.Open(os.Args[1])
	check(err)
	reader, err := trace.NewReader(bufio.NewReader(file))
	check(err)
	var events []trace.Event
	for {
		event, err := reader.ReadEvent()
		if err == io.EOF {
			break
		}
		check(err)
		events = append(events, event)
	}
	all := trace.UtilSTW | trace.UtilBackground | trace.UtilAssist | trace.UtilSweep
	curve := trace.NewMMUCurve(trace.MutatorUtilizationV2(labelledOnce(events), all))
	for _, window := range os.Args[2:] {
		ns, err := strconv.ParseInt(window, 10, 64)
		check(err)
		fmt.Println(ns, curve.MMU(time.Duration(ns)))
	}
}

// The events with one label for each mark worker, and without its runs that are labelled idle.
//
// A mark worker is labelled with each run. MutatorUtilizationV2 counts it once more with each label,
// takes it away once when it stops, and counts idle runs of those that had another label before; so
// its curve sinks to 0, whatever the program does.
func labelledOnce(events []trace.Event) []trace.Event {
	dropped := make([]bool, len(events))
	labelled, idle := make(map[trace.GoID]bool), make(map[trace.GoID]bool)
	started := make(map[trace.GoID]int)
	for i, event := range events {
		switch event.Kind() {
		case trace.EventLabel:
			g, label := event.Goroutine(), event.Label().Label
			if !strings.HasPrefix(label, "GC ") {
				break
			}
			if label == "GC (idle)" {
				idle[g] = true
				dropped[started[g]] = true
			} else {
				dropped[i] = labelled[g]
				labelled[g] = true
			}
		case trace.EventStateTransition:
			transition := event.StateTransition()
			if transition.Resource.Kind != trace.ResourceGoroutine {
				break
			}
			g := transition.Resource.Goroutine()
			from, to := transition.Goroutine()
			if !from.Executing() && to.Executing() {
				started[g] = i
			} else if from.Executing() && !to.Executing() && idle[g] {
				dropped[i] = true
				delete(idle, g)
			}
		}
	}
	var kept []trace.Event
	for i, event := range events {
		if !dropped[i] {
			kept = append(kept, event)
		}
	}
	return kept
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
