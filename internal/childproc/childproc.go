// Package childproc runs programs that tests need, such as brokers, so that none
// of them outlives the test: on Linux not even one that panics or is killed.
package childproc

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// Process is one child. Its methods may be called from any goroutine.
type Process struct {
	// constant after Run
	cmd  *exec.Cmd
	done chan struct{} // closed when the child is gone

	// written before done is closed, read after
	err error
}

// Log runs the command with its output, and errors, at the end of a file.
func Log(cmd *exec.Cmd, path string) (*Process, error) {
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	// The child has a descriptor of its own.
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	return Run(cmd)
}

// Run starts the command and reaps it when it ends.
func Run(cmd *exec.Cmd) (*Process, error) {
	cmd.SysProcAttr = attributes()
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux ties the child to the thread that made it, not to the process,
		// so this thread has to stay until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Done is closed when the child is gone.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended reports whether the child is gone.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Err is what the child has ended with; it must be gone.
func (p *Process) Err() error { return p.err }

// Wait returns when the child is gone; it kills it when the context ends.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		_ = p.Kill()
		<-p.done
		return ctx.Err()
	}
}

// Kill ends the child at once, Terminate asks it to end.
func (p *Process) Kill() error      { return p.Signal(os.Kill) }
func (p *Process) Terminate() error { return p.Signal(syscall.SIGTERM) }

// Signal sends a signal. It takes a child that has just ended for done.
func (p *Process) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}
