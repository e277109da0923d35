// Program does a little of all that the old tracer tells of, and writes its trace to the file named
// by its argument: lanes, channels, locks, the network, system calls, timers, collections, user
// tasks, CPU samples. It needs Go 1.16 or later and nothing else.
package main

import (
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"time"
)

var sink [][]byte

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// channels passes numbers through an unbuffered and a buffered channel and a select.
func channels() {
	ping, pong, stop := make(chan int), make(chan int, 1), make(chan struct{})
	go func() {
		for n := range ping {
			select {
			case pong <- n:
			case <-stop:
			}
		}
		close(pong)
	}()
	for n := 0; n < 2000; n++ {
		ping <- n
		select {
		case <-pong:
		case <-time.After(time.Second):
		}
	}
	close(ping)
	close(stop)
}

// locks has some goroutines wait for a mutex, a condition and each other.
func locks() {
	var mutex sync.Mutex
	var done sync.WaitGroup
	condition := sync.NewCond(&mutex)
	ready := 0
	for n := 0; n < 4; n++ {
		done.Add(1)
		go func() {
			defer done.Done()
			for round := 0; round < 20; round++ {
				mutex.Lock()
				if round%5 == 0 {
					time.Sleep(50 * time.Microsecond)
				}
				mutex.Unlock()
				runtime.Gosched()
			}
			mutex.Lock()
			ready++
			condition.Broadcast()
			for ready < 4 {
				condition.Wait()
			}
			mutex.Unlock()
		}()
	}
	done.Wait()
}

// network echoes some messages over a connection, one of them too late.
func network() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	defer listener.Close()
	go func() {
		connection, err := listener.Accept()
		if err == nil {
			io.Copy(connection, connection)
			connection.Close()
		}
	}()
	connection, err := net.Dial("tcp", listener.Addr().String())
	must(err)
	message := make([]byte, 1000)
	for n := 0; n < 20; n++ {
		_, err = connection.Write(message)
		must(err)
		_, err = io.ReadFull(connection, message)
		must(err)
	}
	connection.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
	connection.Read(message)
	connection.Close()
}

// systemCalls reads files, and a pipe that is empty for long.
func systemCalls() {
	for n := 0; n < 20; n++ {
		os.Stat("/")
	}
	reader, writer, err := os.Pipe()
	must(err)
	// This makes it blocking: the read is a system call, not a wait in the poller.
	reader.Fd()
	writer.Fd()
	go func() {
		time.Sleep(5 * time.Millisecond)
		writer.Write([]byte("x"))
		writer.Close()
	}()
	io.Copy(io.Discard, reader)
	reader.Close()
}

// memory makes garbage, and has it collected while others make more.
func memory() {
	var done sync.WaitGroup
	for n := 0; n < 4; n++ {
		done.Add(1)
		go func() {
			defer done.Done()
			var keep [][]byte
			for n := 0; n < 2000; n++ {
				keep = append(keep, make([]byte, 4<<10))
			}
			sink = keep
		}()
	}
	runtime.GC()
	done.Wait()
}

// annotations has tasks with children, regions within each other and logs.
func annotations() {
	ctx, task := trace.NewTask(context.Background(), "request")
	trace.Log(ctx, "user", "id 17")
	trace.Log(ctx, "empty", "")
	trace.Log(ctx, "", "no category: \"quoted\"\nand more é")
	trace.WithRegion(ctx, "outer", func() {
		inner := trace.StartRegion(ctx, "inner")
		var done sync.WaitGroup
		for n := 0; n < 3; n++ {
			child, task := trace.NewTask(ctx, "child")
			done.Add(1)
			go func() {
				defer done.Done()
				trace.WithRegion(child, "work", func() { time.Sleep(time.Millisecond) })
				task.End()
			}()
		}
		done.Wait()
		inner.End()
	})
	task.End()
	trace.NewTask(context.Background(), "never ends")
	trace.Log(context.Background(), "background", "log")
}

// burn needs a lane for long enough to be sampled and preempted.
func burn() {
	var done sync.WaitGroup
	for n := 0; n < runtime.GOMAXPROCS(0)+1; n++ {
		done.Add(1)
		go func() {
			defer done.Done()
			for begin := time.Now(); time.Since(begin) < 60*time.Millisecond; {
			}
		}()
	}
	done.Wait()
}

func main() {
	runtime.GOMAXPROCS(3)
	early := make(chan struct{})
	go func() { <-early }()
	sleepless, _ := net.Listen("tcp", "127.0.0.1:0")
	go sleepless.Accept()
	started := time.NewTicker(time.Millisecond)

	file, err := os.Create(os.Args[1])
	must(err)
	must(pprof.StartCPUProfile(io.Discard))
	must(trace.Start(file))
	go func() { select {} }()
	for _, work := range []func(){
		channels, locks, network, systemCalls, memory, annotations, burn,
	} {
		work()
	}
	<-started.C
	runtime.GOMAXPROCS(2)
	var statistics runtime.MemStats
	runtime.ReadMemStats(&statistics)
	close(early)
	channels()
	trace.Stop()
	pprof.StopCPUProfile()
	must(file.Close())
}
