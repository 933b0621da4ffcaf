package kafkalocal

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestRunningToolTakesSignals has a consumer look for a broker that is not
// there, which it does until it is told to end.
func TestRunningToolTakesSignals(t *testing.T) {
	t.Parallel()
	skipWithoutKafka(t)
	port, err := reservePort()
	noErr(t, err)
	defer port.release()
	for _, c := range []struct {
		name string
		end  func(*RunningTool) error
		code int
	}{
		{"SIGTERM", func(r *RunningTool) error { return r.Signal(syscall.SIGTERM) }, 128 + int(syscall.SIGTERM)},
		{"kill", func(r *RunningTool) error { return r.Signal(syscall.SIGKILL) }, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, in := io.Pipe()
			r, err := StartTool(t.Context(), DefaultVersion, ToolOptions{
				Class: "org.apache.kafka.tools.consumer.ConsoleConsumer", Args: []string{"--bootstrap-server", port.addr, "--topic", "t"}, Stderr: in,
			})
			noErr(t, err)
			var log strings.Builder
			for buf := make([]byte, 1<<10); !strings.Contains(log.String(), port.addr); {
				n, err := out.Read(buf)
				noErr(t, err)
				log.Write(buf[:n])
			}
			go func() { _, _ = io.Copy(io.Discard, out) }()
			select {
			case <-r.Done():
				t.Fatalf("it has ended: %s", log.String())
			default:
			}
			noErr(t, c.end(r))
			exit := new(exec.ExitError)
			if err := r.Wait(t.Context()); !errors.As(err, &exit) || exit.ExitCode() != c.code {
				t.Errorf("it ended with %v, want status %d", err, c.code)
			}
			<-r.Done()
			noErr(t, r.Signal(syscall.SIGTERM)) // too late, and no error
			noErr(t, in.Close())
		})
	}
	t.Run("context", func(t *testing.T) {
		r, err := StartTool(t.Context(), DefaultVersion, ToolOptions{
			Class: "org.apache.kafka.tools.consumer.ConsoleConsumer", Args: []string{"--bootstrap-server", port.addr, "--topic", "t"},
		})
		noErr(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait: %v", err)
		}
	})
}
