// Writes an execution trace of a program that does a little of everything: channels, locks,
// sleeps, sockets, files, regions, nested user tasks, logs, garbage, labels, CPU samples.
//
// usage: main FILE SCALE
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func main() {
	scale, err := strconv.Atoi(os.Args[2])
	check(err)
	// Older than the trace: one in a region, one that waits, one in a system call for good.
	release := make(chan bool)
	inside := make(chan bool)
	go trace.WithRegion(context.Background(), "older", func() {
		inside <- true
		<-release
	})
	<-inside
	var pipe [2]int
	check(syscall.Pipe(pipe[:]))
	go readForever(pipe[0])
	time.Sleep(10 * time.Millisecond)

	file, err := os.Create(os.Args[1])
	check(err)
	check(pprof.StartCPUProfile(io.Discard))
	check(trace.Start(file))
	work(scale, release)
	trace.Stop()
	pprof.StopCPUProfile()
	check(file.Close())
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func readForever(pipe int) {
	var byte [1]byte
	syscall.Read(pipe, byte[:])
}

func work(scale int, release chan bool) {
	var all sync.WaitGroup
	for _, part := range []func(int){pingPong, locks, sockets, requests, garbage, files} {
		all.Add(1)
		go func() {
			defer all.Done()
			part(scale)
		}()
	}
	go func() { select {} }()
	go trace.WithRegion(context.Background(), "open at the end", func() { time.Sleep(time.Hour) })
	time.Sleep(5 * time.Millisecond)
	release <- true
	all.Wait()
}

func pingPong(scale int) {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for value := range ping {
			pong <- value
		}
		close(pong)
	}()
	for i := range 200 * scale {
		ping <- i
		<-pong
	}
	close(ping)
}

func locks(scale int) {
	var lock sync.Mutex
	var all sync.WaitGroup
	for range 4 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 20 * scale {
				lock.Lock()
				runtime.Gosched()
				lock.Unlock()
			}
		}()
	}
	all.Wait()
}

func sockets(scale int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go io.Copy(conn, conn)
		}
	}()
	for range scale {
		conn, err := net.Dial("tcp", listener.Addr().String())
		check(err)
		var back [4]byte
		for range 10 {
			conn.Write([]byte("ping"))
			io.ReadFull(conn, back[:])
		}
		conn.Close()
	}
	listener.Close()
}

func requests(scale int) {
	for i := range 10 * scale {
		ctx, task := trace.NewTask(context.Background(), "request")
		trace.Logf(ctx, "number", "%d", i)
		done := make(chan bool)
		trace.WithRegion(ctx, "read", func() {
			go func() {
				pprof.Do(ctx, pprof.Labels("part", "child"), func(context.Context) {})
				child, subtask := trace.NewTask(ctx, "query")
				trace.WithRegion(child, "wait", func() { time.Sleep(100 * time.Microsecond) })
				subtask.End()
				close(done)
			}()
		})
		trace.WithRegion(ctx, "write", func() {
			<-done
			trace.WithRegion(ctx, "inner", runtime.Gosched)
		})
		if i%10 != 9 {
			task.End()
		}
	}
}

var sink [][]byte

func garbage(scale int) {
	for range scale {
		for range 200 {
			sink = append(sink, make([]byte, 10_000))
		}
		sink = nil
		if scale < 20 {
			runtime.GC()
		}
	}
}

func files(scale int) {
	for i := range 5 * scale {
		name := fmt.Sprintf("%s.%d", os.Args[1], i)
		check(os.WriteFile(name, make([]byte, 4096), 0o600))
		check(os.Remove(name))
	}
}
