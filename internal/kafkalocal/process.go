package kafkalocal

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/IBM/sarama/internal/childproc"
)

// startProcess runs a command in dir with its output, and errors, at the end of
// the file logPath.
func startProcess(name string, args []string, dir, logPath string) (*childproc.Process, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	return childproc.Log(cmd, logPath)
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
	var procs []*childproc.Process
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
		if err := p.Wait(ctx); err != nil {
			errs = append(errs, fmt.Errorf("kafkalocal: storage of broker %d: %w\n%s", i, err, tail(c.nodes[i].logPath)))
		}
	}
	return errors.Join(errs...)
}
