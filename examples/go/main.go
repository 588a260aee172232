// thumbs makes thumbnails on request: GET /job hands the work to a goroutine and waits for it, but not for ever.
//
// With LEAK=1 it has the most common leak of Go daemons: the result goes into a channel without room, so that a
// worker whose caller has given up waits for a reader until the process ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// Callers wait this long; one thumbnail in four takes longer.
const patience = 30 * time.Millisecond

// room is what the result's channel holds: with 1 a late worker can always end.
var room = 1

func thumbnail() string {
	took := 5 * time.Millisecond
	if rand.Intn(4) == 0 {
		took = 2 * patience
	}
	time.Sleep(took)
	return "thumbnail\n"
}

func job(w http.ResponseWriter, r *http.Request) {
	result := make(chan string, room)
	go func() { result <- thumbnail() }()
	select {
	case made := <-result:
		fmt.Fprint(w, made)
	case <-time.After(patience):
		fmt.Fprint(w, "placeholder\n")
	case <-r.Context().Done():
	}
}

// metrics has the names of Prometheus' Go client, which a real daemon would use.
func metrics(w http.ResponseWriter, _ *http.Request) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	open, _ := os.ReadDir("/proc/self/fd")
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintf(w, "# TYPE go_goroutines gauge\ngo_goroutines %d\n", runtime.NumGoroutine())
	fmt.Fprintf(w, "# TYPE process_open_fds gauge\nprocess_open_fds %d\n", len(open))
	fmt.Fprintf(w, "# TYPE go_memstats_heap_inuse_bytes gauge\ngo_memstats_heap_inuse_bytes %d\n", memory.HeapInuse)
}

func main() {
	if os.Getenv("LEAK") != "" {
		room = 0
	}
	http.HandleFunc("/job", job)
	http.HandleFunc("/metrics", metrics)
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT")}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	go func() {
		<-stop.Done()
		_ = server.Shutdown(context.Background())
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
