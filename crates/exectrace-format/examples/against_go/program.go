// A program to be traced: `program FILE MEGABYTES` writes its own trace, of about that size. Forty
// pairs of goroutines hand a value to and fro, some others serve annotated requests that allocate.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime/trace"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	pairs   = 40
	servers = 4
	// What there and back again costs in the trace, with a share of the requests.
	roundBytes = 34
)

func pingPong(rounds int, done *sync.WaitGroup) {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for value := range ping {
			pong <- value + 1
		}
		close(pong)
	}()
	go func() {
		defer done.Done()
		for round := range rounds {
			ping <- round
			<-pong
		}
		close(ping)
	}()
}

func request(number int, kept *[64][]byte) {
	ctx, task := trace.NewTask(context.Background(), "request")
	defer task.End()
	trace.WithRegion(ctx, "parse", func() {
		kept[number%len(kept)] = make([]byte, 1<<(10+number%8))
	})
	answer := make(chan int)
	go trace.WithRegion(ctx, "query", func() {
		sum := 0
		for _, b := range kept[(number+1)%len(kept)] {
			sum += int(b)
		}
		answer <- sum
	})
	trace.WithRegion(ctx, "answer", func() {
		trace.Logf(ctx, "result", "%d is %d", number%100, <-answer)
	})
}

func serve(stop *atomic.Bool, done *sync.WaitGroup) {
	defer done.Done()
	var kept [64][]byte
	for number := 0; !stop.Load(); number++ {
		request(number, &kept)
		if number%16 == 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

func main() {
	megabytes, err := strconv.Atoi(os.Args[2])
	check(err)
	file, err := os.Create(os.Args[1])
	check(err)
	out := bufio.NewWriterSize(file, 1<<20)
	check(trace.Start(out))

	var stop atomic.Bool
	var playing, serving sync.WaitGroup
	playing.Add(pairs)
	for range pairs {
		pingPong(megabytes<<20/roundBytes/pairs, &playing)
	}
	serving.Add(servers)
	for range servers {
		go serve(&stop, &serving)
	}
	playing.Wait()
	stop.Store(true)
	serving.Wait()
	trace.Stop()
	check(out.Flush())
	check(file.Close())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
