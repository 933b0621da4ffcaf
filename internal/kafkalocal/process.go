package kafkalocal

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// process is one child. It never outlives this process on Linux: see
// childAttributes.
type process struct {
	// constant after startProcess
	cmd  *exec.Cmd
	done chan struct{} // closed when the child is gone

	// written before done is closed, read after
	err error
}

// startProcess runs a command in dir with its output, and errors, at the end of
// the file logPath.
func startProcess(name string, args []string, dir, logPath string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	// The child has a descriptor of its own.
	defer func() { _ = log.Close() }()
	return runProcess(cmd)
}

// runProcess starts the command and reaps it when it ends.
func runProcess(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = childAttributes()
	p := &process{cmd: cmd, done: make(chan struct{})}
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

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wait returns when the child is gone; it kills it when the context ends.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		_ = p.kill()
		<-p.done
		return ctx.Err()
	}
}

func (p *process) kill() error      { return p.signal(os.Kill) }
func (p *process) terminate() error { return p.signal(syscall.SIGTERM) }

// signal takes a child that has just ended for done.
func (p *process) signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// toolArgs is the command line of a class of the jars in libs.
func toolArgs(libs string, jvmArgs []string, class string, args ...string) []string {
	line := append([]string{}, jvmArgs...)
	line = append(line,
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
		"-cp", filepath.Join(libs, "*"), class)
	return append(line, args...)
}

func (c *Cluster) javaArgs(class string, args ...string) []string {
	return toolArgs(c.libs, c.jvmArgs, class, args...)
}

// format prepares the data folders of all nodes, at the same time.
func (c *Cluster) format(ctx context.Context, extra []string) error {
	var id [16]byte
	rand.Read(id[:])
	// A cluster id that begins with a dash would look like an option.
	id[0] &= 0x7f
	clusterID := base64.RawURLEncoding.EncodeToString(id[:])
	var procs []*process
	var errs []error
	for _, n := range c.nodes {
		args := append([]string{"format", "-t", clusterID, "-c", n.propertiesPath}, extra...)
		p, err := startProcess(c.java, c.javaArgs("kafka.tools.StorageTool", args...), n.Dir, n.logPath)
		if err != nil {
			errs = append(errs, fmt.Errorf("kafkalocal: start the storage tool: %w", err))
			break
		}
		procs = append(procs, p)
	}
	for i, p := range procs {
		if err := p.wait(ctx); err != nil {
			errs = append(errs, fmt.Errorf("kafkalocal: storage of broker %d: %w\n%s", i, err, tail(c.nodes[i].logPath)))
		}
	}
	return errors.Join(errs...)
}
