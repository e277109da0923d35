// Go's own execution tracer, under the orders of the harness: regions, logs, goroutines, file reads.
//
// It speaks as the programs in Rust do: `peer-go SUBJECT FOLDER`, one order a line, one line of numbers
// for each. An empty line says that there is nothing of the kind.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/trace"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const (
	processClock = 2
	threadClock  = 3
)

// cpuTime reads a CPU clock, in nanoseconds.
func cpuTime(clock uintptr) float64 {
	var time syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&time)), 0)
	return float64(time.Nano())
}

// recorder writes a trace for each turn.
type recorder struct {
	path string
	file *os.File
}

func (r *recorder) begin() error {
	file, err := os.Create(r.path)
	if err != nil {
		return err
	}
	r.file = file
	return trace.Start(file)
}

func (r *recorder) end() (int64, error) {
	trace.Stop()
	information, err := r.file.Stat()
	if err != nil {
		return 0, err
	}
	return information.Size(), errors.Join(r.file.Close(), os.Remove(r.path))
}

// body does regions or logs; nil for what Go's tracer does not have.
func body(name string) func(count int) {
	context := context.Background()
	switch name {
	case "region":
		return func(count int) {
			for range count {
				trace.StartRegion(context, "region").End()
			}
		}
	case "event_with_a_field_and_a_message":
		return func(count int) {
			for range count {
				trace.Log(context, "number", "a block was read")
			}
		}
	}
	return nil
}

// work is what goroutines do; nil for what is not done here.
func work(name string) func(count int) {
	switch name {
	case "ping-pong":
		return pingPong
	case "spawn":
		return spawns
	case "yield":
		return yields
	}
	return nil
}

func pingPong(count int) {
	toPong, toPing := make(chan int, 1), make(chan int, 1)
	go func() {
		for number := range toPong {
			toPing <- number
		}
		close(toPing)
	}()
	for number := range count {
		toPong <- number
		<-toPing
	}
	close(toPong)
	<-toPing
}

func spawns(count int) {
	done := make(chan int)
	for number := range count {
		go func() { done <- number }()
		<-done
	}
}

func yields(count int) {
	var all sync.WaitGroup
	for range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range count / 8 {
				runtime.Gosched()
			}
		}()
	}
	all.Wait()
}

func readFile(path string) func(count int) {
	return func(count int) {
		for range count {
			bytes, err := os.ReadFile(path)
			if err != nil {
				panic(err)
			}
			runtime.KeepAlive(bytes)
		}
	}
}

// countFor finds how many operations take about so long.
func countFor(run func(int), budget time.Duration) int {
	for trial := 64; ; trial *= 4 {
		begin := time.Now()
		run(trial)
		took := time.Since(begin)
		if took*8 > budget {
			return max(64, int(float64(trial)*float64(budget)/float64(took)))
		}
	}
}

// hot times a body on threads of its own: nothing for the floor, the threads, the process, no losses.
func (r *recorder) hot(run func(int), threads int, budget time.Duration) ([]float64, error) {
	if err := r.begin(); err != nil {
		return nil, err
	}
	count := countFor(run, budget)
	if _, err := r.end(); err != nil {
		return nil, err
	}
	if err := r.begin(); err != nil {
		return nil, err
	}
	processBefore := cpuTime(processClock)
	var all sync.WaitGroup
	took := make([]float64, threads)
	for thread := range threads {
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			before := cpuTime(threadClock)
			run(count)
			took[thread] = cpuTime(threadClock) - before
		}()
	}
	all.Wait()
	if _, err := r.end(); err != nil {
		return nil, err
	}
	process := cpuTime(processClock) - processBefore
	own := 0.0
	for _, time := range took {
		own += time
	}
	each := float64(count * threads)
	return []float64{math.NaN(), own / each, process / each, 0}, nil
}

// beside times work without the trace and with it: CPU time of the process, before the trace is
// stopped and after.
func (r *recorder) beside(run func(int), budget time.Duration) ([]float64, error) {
	count := countFor(run, budget)
	before := cpuTime(processClock)
	run(count)
	base := (cpuTime(processClock) - before) / float64(count)
	if err := r.begin(); err != nil {
		return nil, err
	}
	before = cpuTime(processClock)
	run(count)
	own := (cpuTime(processClock) - before) / float64(count)
	if _, err := r.end(); err != nil {
		return nil, err
	}
	all := (cpuTime(processClock) - before) / float64(count)
	return []float64{base, base, own, all}, nil
}

// memory reads a line of /proc/self/status, in bytes.
func memory(name string) (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, found := strings.CutPrefix(line, name); found {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib * 1024, err
		}
	}
	return 0, errors.New("no such line in /proc/self/status")
}

type program struct {
	recorder
	page  string
	bytes int64
}

// answer follows an order.
func (p *program) answer(order string) ([]float64, error) {
	words := strings.Fields(order)
	number := func(at int) int {
		if at >= len(words) {
			return 0
		}
		number, _ := strconv.Atoi(words[at])
		return number
	}
	budget := func(at int) time.Duration { return time.Duration(number(at)) * time.Microsecond }
	switch words[0] {
	case "hot":
		if run := body(words[1]); run != nil {
			return p.hot(run, number(2), budget(3))
		}
	case "tasks":
		if run := work(words[1]); run != nil {
			before := runtime.GOMAXPROCS(max(1, number(2)))
			defer runtime.GOMAXPROCS(before)
			return p.beside(run, budget(3))
		}
	case "read":
		if words[1] == "std" {
			return p.beside(readFile(p.page), budget(2))
		}
	case "once":
		if run := cmpOr(body(words[1]), work(words[1])); run != nil {
			if err := p.begin(); err != nil {
				return nil, err
			}
			run(number(3))
			bytes, err := p.end()
			p.bytes = bytes
			return []float64{float64(number(3))}, err
		}
	case "peak":
		if run := cmpOr(body(words[1]), work(words[1])); run != nil {
			before, err := memory("VmRSS:")
			if err != nil {
				return nil, err
			}
			if err := p.begin(); err != nil {
				return nil, err
			}
			run(number(2))
			if _, err := p.end(); err != nil {
				return nil, err
			}
			peak, err := memory("VmHWM:")
			return []float64{peak - before, 0}, err
		}
	case "finish":
		return []float64{float64(p.bytes)}, nil
	}
	return nil, nil
}

func cmpOr(first, second func(int)) func(int) {
	if first != nil {
		return first
	}
	return second
}

func main() {
	if len(os.Args) != 3 {
		fmt.Println("Go")
		return
	}
	folder := os.Args[2]
	page := filepath.Join(folder, "page")
	if err := os.WriteFile(page, make([]byte, 10*1024), 0o600); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	p := program{recorder: recorder{path: filepath.Join(folder, "trace.out")}, page: page}
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		numbers, err := p.answer(orders.Text())
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		words := make([]string, len(numbers))
		for at, number := range numbers {
			words[at] = strconv.FormatFloat(number, 'f', -1, 64)
		}
		fmt.Println(strings.Join(words, " "))
	}
}
