package kdclocal

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is one child. On Linux it never outlives this process: see
// childAttributes.
type process struct {
	// constant after startProcess
	cmd  *exec.Cmd
	done chan struct{} // closed when the child is gone

	// written before done is closed, read after
	err error
}

// startProcess runs a command with its output in a file.
func startProcess(cmd *exec.Cmd, logPath string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	// The child has a descriptor of its own.
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, childAttributes()
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux ties the child to the thread that made it, so this thread has
		// to stay until the child is gone.
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

// end asks the child to end, kills it when it has not done so in time, and
// returns when it is gone.
func (p *process) end(within time.Duration) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err == nil || errors.Is(err, os.ErrProcessDone) {
		select {
		case <-p.done:
			return
		case <-timer.C:
		}
	}
	_ = p.cmd.Process.Kill()
	<-p.done
}
