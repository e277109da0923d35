// Prints what internal/trace computes of a trace, one line for each thing, for comparison.
//
// It is built as a part of Go's own tree, by an overlay, because the package is internal.
package main

import (
	"bufio"
	"fmt"
	"internal/trace"
	"io"
	"os"
	"sort"
	"time"
)

func main() {
	file, err := os.Open(os.Args[1])
	check(err)
	reader, err := trace.NewReader(bufio.NewReader(file))
	check(err)
	var events []trace.Event
	summarizer := trace.NewSummarizer()
	for {
		event, err := reader.ReadEvent()
		if err == io.EOF {
			break
		}
		check(err)
		events = append(events, event)
		summarizer.Event(&events[len(events)-1])
	}
	summary := summarizer.Finalize()
	var lines []string
	add := func(format string, arguments ...any) {
		lines = append(lines, fmt.Sprintf(format, arguments...))
	}
	for _, g := range summary.Goroutines {
		add("task %d name %q", g.ID, g.Name)
		stats(add, fmt.Sprintf("task %d", g.ID), g.GoroutineExecStats)
		for _, r := range g.Regions {
			// Regions that a goroutine inherits from its creator have no name and are no one's.
			if r.Start != nil && r.Start.Kind() != trace.EventRegionBegin {
				continue
			}
			place, begin := uint64(0), int64(-1)
			if r.Start != nil {
				begin = int64(r.Start.Time().Sub(events[0].Time()))
				for frame := range r.Start.Stack().Frames() {
					place = frame.PC
				}
			}
			key := fmt.Sprintf("region %q %d of %d at %d ended %v", r.Name, place, g.ID, begin, r.End != nil)
			r.GoroutineExecStats.RangeTime = nil
			stats(add, key, r.GoroutineExecStats)
		}
	}
	for _, t := range summary.Tasks {
		if t.Start == nil && t.End == nil {
			continue
		}
		duration := time.Duration(-1)
		if t.Complete() {
			duration = t.End.Time().Sub(t.Start.Time())
		}
		parent := uint64(0)
		if t.Parent != nil {
			parent = uint64(t.Parent.ID)
		}
		add("user task %d name %q parent %d logs %d regions %d served by %d", t.ID, t.Name, parent, len(t.Logs), len(t.Regions), len(t.Goroutines))
		add("user task %d duration %d", t.ID, duration)
	}
	sort.Strings(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
}

func stats(add func(string, ...any), key string, stats trace.GoroutineExecStats) {
	add("%s total %d", key, stats.TotalTime)
	for name, duration := range stats.NonOverlappingStats() {
		if duration != 0 {
			add("%s %s: %d", key, name, duration)
		}
	}
	for name, duration := range stats.RangeTime {
		if duration != 0 {
			add("%s range %s: %d", key, name, duration)
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
