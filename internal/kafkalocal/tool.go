package kafkalocal

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/IBM/sarama/internal/childproc"
)

// ToolOptions says what StartTool runs.
type ToolOptions struct {
	// Class such as org.apache.kafka.tools.consumer.ConsoleConsumer.
	Class string
	Args  []string
	// JVMArgs are further arguments of the virtual machine, such as
	// "-Dorg.slf4j.simpleLogger.log.org.apache.kafka=info".
	JVMArgs []string
	Stdin   io.Reader // nil is none
	// Stdout and Stderr are written to by one goroutine each; nil drops what
	// comes.
	Stdout, Stderr io.Writer
}

// RunningTool is a tool that StartTool has started. Its methods may be called
// from any goroutine.
type RunningTool struct {
	p *childproc.Process // constant
}

// StartTool starts a class of the command-line tools of this version of Kafka.
// The context bounds the fetching of Kafka alone. A tool that nobody ends lives
// on until this process does.
func StartTool(ctx context.Context, version string, o ToolOptions) (*RunningTool, error) {
	java, err := javaCommand()
	if err != nil {
		return nil, err
	}
	libs, err := Install(ctx, version)
	if err != nil {
		return nil, err
	}
	jvm := append([]string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}, archiveArgs(classArchive(ctx, version, java, libs))...)
	jvm = append(jvm, o.JVMArgs...)
	cmd := exec.Command(java, toolArgs(libs, jvm, o.Class, o.Args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = o.Stdin, o.Stdout, o.Stderr
	p, err := childproc.Run(cmd)
	if err != nil {
		return nil, fmt.Errorf("kafkalocal: start %s: %w", o.Class, err)
	}
	return &RunningTool{p}, nil
}

// Signal sends a signal. It is no error when the tool has ended.
func (r *RunningTool) Signal(s os.Signal) error { return r.p.Signal(s) }

// Done is closed when the tool has ended and all that it wrote is with the
// writers.
func (r *RunningTool) Done() <-chan struct{} { return r.p.Done() }

// Wait returns what the tool ended with, an *exec.ExitError unless its status
// is 0. It kills the tool when the context ends.
func (r *RunningTool) Wait(ctx context.Context) error { return r.p.Wait(ctx) }

// Tool runs a class of Kafka's command-line tools, such as
// org.apache.kafka.tools.TopicCommand, with this standard input (nil is none)
// and returns its standard output. When it fails, the error has what it wrote to
// standard error.
func Tool(ctx context.Context, version, class string, stdin io.Reader, args ...string) ([]byte, error) {
	var stdout, stderr strings.Builder
	r, err := StartTool(ctx, version, ToolOptions{Class: class, Args: args, Stdin: stdin, Stdout: &stdout, Stderr: &stderr})
	if err != nil {
		return nil, err
	}
	if err := r.Wait(ctx); err != nil {
		return []byte(stdout.String()), fmt.Errorf("kafkalocal: %s: %w\n%s", class, err, strings.TrimSpace(stderr.String()))
	}
	return []byte(stdout.String()), nil
}

// Tool runs a class of the command-line tools of the cluster's version: see the
// function of this name.
func (c *Cluster) Tool(ctx context.Context, class string, stdin io.Reader, args ...string) ([]byte, error) {
	return Tool(ctx, c.version, class, stdin, args...)
}
