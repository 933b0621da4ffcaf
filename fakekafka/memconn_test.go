package fakekafka

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// TestMain fails when the tests leave a goroutine behind.
func TestMain(m *testing.M) {
	// Tests that are parallel wait for timeouts most of the time: more of them
	// than there are processors may run at once.
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		_ = flag.Set("test.parallel", "24")
	}
	goleak.VerifyTestMain(m)
}

func TestMemConnCarriesBytesInOrder(t *testing.T) {
	a, b := newMemConns("a", "b")
	sent := make([]byte, 1<<20)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range sent {
		sent[i] = byte(rnd.Uint32())
	}
	go func() {
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), 1+rnd.IntN(100_000))
			if _, err := a.Write(rest[:n]); err != nil {
				t.Error(err)
			}
			rest = rest[n:]
		}
		_ = a.Close()
	}()
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
}

func TestMemConnHoldsWhatIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMemConns("a", "b")
		if n, err := a.Write(make([]byte, pipeMaxBytes)); n != pipeMaxBytes || err != nil {
			t.Fatal(n, err)
		}
		_ = a.SetWriteDeadline(time.Now().Add(time.Minute))
		start := time.Now()
		if n, err := a.Write(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Fatal(n, err, time.Since(start))
		}
		_ = a.SetWriteDeadline(time.Time{})
		go func() {
			time.Sleep(time.Second)
			_, _ = b.Read(make([]byte, 10))
		}()
		if n, err := a.Write(make([]byte, 10)); n != 10 || err != nil {
			t.Fatal(n, err)
		}
	})
}

func TestMemConnEnds(t *testing.T) {
	buf := make([]byte, 10)
	t.Run("reader sees the end after the data", func(t *testing.T) {
		a, b := newMemConns("a", "b")
		_, _ = a.Write([]byte("xy"))
		_ = a.Close()
		_ = a.Close()
		if n, err := b.Read(buf); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		if _, err := b.Read(buf); err != io.EOF {
			t.Fatal(err)
		}
		if _, err := b.Write(buf); !errors.Is(err, syscall.EPIPE) {
			t.Fatal(err)
		}
	})
	t.Run("own end", func(t *testing.T) {
		a, _ := newMemConns("a", "b")
		_ = a.Close()
		if _, err := a.Read(buf); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		if _, err := a.Write(buf); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
	})
	for name, end := range map[string]func(a, b *memConn){
		"by the other": func(a, b *memConn) { _ = b.Close() },
		"by itself":    func(a, b *memConn) { _ = a.Close() },
		"by deadline":  func(a, b *memConn) { _ = a.SetDeadline(time.Now()) },
	} {
		t.Run("wakes who waits, "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := newMemConns("a", "b")
				_, _ = a.Write(make([]byte, pipeMaxBytes))
				ended := make(chan error, 2)
				go func() {
					_, err := a.Read(buf)
					ended <- err
				}()
				go func() {
					_, err := a.Write(buf)
					ended <- err
				}()
				synctest.Wait()
				end(a, b)
				for range 2 {
					if err := <-ended; err == nil {
						t.Fatal("ended without an error")
					}
				}
			})
		})
	}
}

func TestMemConnReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMemConns("a", "b")
		start := time.Now()
		_ = a.SetReadDeadline(start.Add(time.Second))
		var netErr net.Error
		if _, err := a.Read(make([]byte, 1)); !errors.As(err, &netErr) || !netErr.Timeout() || time.Since(start) != time.Second {
			t.Fatal(err, time.Since(start))
		}
		_ = a.SetReadDeadline(time.Now().Add(time.Second)) // moved on while a read waits
		go func() {
			time.Sleep(500 * time.Millisecond)
			_ = a.SetReadDeadline(time.Now().Add(time.Hour))
			time.Sleep(time.Minute)
			_, _ = b.Write([]byte("x"))
		}()
		if n, err := a.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	})
}
