// A program for a Go 1.21 and newer whose goroutines stay in system calls for longer than a P waits for them,
// while its collector works: threads and Ps change hands all the time. It writes its trace into the file that
// its argument names.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/trace"
	"sync"
	"syscall"
)

func main() {
	runtime.GOMAXPROCS(2)
	file, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := trace.Start(file); err != nil {
		panic(err)
	}
	var all sync.WaitGroup
	for worker := 0; worker < 6; worker++ {
		worker := worker
		all.Add(1)
		go func() {
			defer all.Done()
			for round := 0; round < 60; round++ {
				ctx, task := trace.NewTask(context.Background(), fmt.Sprint("worker ", worker))
				trace.WithRegion(ctx, "sleep", func() {
					pause := syscall.NsecToTimespec(int64(1+worker) * 500_000)
					syscall.Nanosleep(&pause, nil)
				})
				trace.Log(ctx, "round", fmt.Sprint(round))
				task.End()
				if round%20 == worker {
					runtime.GC()
				}
			}
		}()
	}
	all.Wait()
	trace.Stop()
	if err := file.Close(); err != nil {
		panic(err)
	}
}
