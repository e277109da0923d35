// Program does a little of each thing that exports show, and writes its trace to the file named by
// its argument: goroutines at a channel, a lock, a pipe and in system calls, user tasks with
// children, regions and logs, garbage collection, CPU samples. It needs Go 1.16 or later.
package main

import (
	"context"
	"io"
	"os"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"time"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func pingPong() {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for n := range ping {
			pong <- n
		}
		close(pong)
	}()
	for n := 0; n < 200; n++ {
		ping <- n
		<-pong
	}
	close(ping)
}

func contend() {
	var lock sync.Mutex
	var done sync.WaitGroup
	for n := 0; n < 3; n++ {
		done.Add(1)
		go func() {
			defer done.Done()
			for n := 0; n < 10; n++ {
				lock.Lock()
				time.Sleep(20 * time.Microsecond)
				lock.Unlock()
			}
		}()
	}
	done.Wait()
}

// handle is a request: it has its query made by another goroutine, and waits for that.
func handle(name string) {
	ctx, task := trace.NewTask(context.Background(), "request")
	defer task.End()
	trace.Log(ctx, "name", name)
	answered := make(chan bool)
	trace.WithRegion(ctx, "ask", func() {
		go query(ctx, answered)
	})
	trace.WithRegion(ctx, "answer", func() {
		<-answered
		trace.WithRegion(ctx, "render", func() { trace.Logf(ctx, "", "%q\nand more é", name) })
	})
}

func query(ctx context.Context, answered chan bool) {
	ctx, task := trace.NewTask(ctx, "query")
	trace.WithRegion(ctx, "sleep", func() { time.Sleep(100 * time.Microsecond) })
	task.End()
	close(answered)
}

// files makes system calls, and waits for a pipe in the runtime's poller.
func files() {
	for n := 0; n < 10; n++ {
		_, err := os.Stat("/")
		must(err)
	}
	reader, writer, err := os.Pipe()
	must(err)
	go func() {
		time.Sleep(time.Millisecond)
		must(writer.Close())
	}()
	_, err = io.Copy(io.Discard, reader)
	must(err)
}

var sink [][]byte

// garbage is enough for some collections.
func garbage() {
	for n := 0; n < 500; n++ {
		sink = append(sink, make([]byte, 16<<10))
		if n%100 == 99 {
			sink = nil
		}
	}
}

var sum uint64

// compute takes long enough to be sampled.
func compute() {
	for n := uint64(0); n < 50_000_000; n++ {
		sum = sum*31 + n
	}
}

func main() {
	// Older than the trace: one in two regions that end in it, and one in a system call for good.
	release, inside, left := make(chan bool), make(chan bool), make(chan bool)
	go func() {
		trace.WithRegion(context.Background(), "oldest", func() {
			trace.WithRegion(context.Background(), "older", func() {
				inside <- true
				<-release
			})
		})
		close(left)
	}()
	<-inside
	reader, _, err := os.Pipe()
	must(err)
	reader.Fd() // Makes it blocking.
	go reader.Read(make([]byte, 1))

	file, err := os.Create(os.Args[1])
	must(err)
	must(pprof.StartCPUProfile(io.Discard))
	must(trace.Start(file))
	// Both still there at the end.
	_, _ = trace.NewTask(context.Background(), "never ends")
	opened := make(chan bool)
	go trace.WithRegion(context.Background(), "open at the end", func() {
		close(opened)
		select {}
	})
	<-opened
	trace.Log(context.Background(), "background", "of no task")
	pingPong()
	contend()
	for _, name := range []string{"first", "second", "third"} {
		handle(name)
	}
	files()
	garbage()
	compute()
	release <- true
	<-left
	pingPong()
	trace.Stop()
	pprof.StopCPUProfile()
	must(file.Close())
}
