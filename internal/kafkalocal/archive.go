package kafkalocal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// archivesTried has the paths of the archives that this process has tried to
// make, so that it tries once.
var archivesTried sync.Map

// classArchive is the path of a file next to the jars that has the classes of a
// broker as the virtual machine has them in memory (JEP 350). Whoever maps it
// need not read and verify them, which is half of what it costs to start a
// broker. It is made once for each version of Kafka and of Java. The path is
// empty where that does not work: all else does, only slower.
func classArchive(ctx context.Context, version, java, libs string) string {
	about, err := javaAbout()
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(about + java))
	path := filepath.Join(libs, "classes-"+hex.EncodeToString(sum[:4])+".jsa")
	if usable, known := archiveState(path); known {
		return usable
	}
	unlock, err := lockFile(ctx, path+".lock")
	if err != nil {
		return ""
	}
	defer unlock()
	if usable, known := archiveState(path); known {
		return usable
	}
	if _, again := archivesTried.LoadOrStore(path, true); again {
		return ""
	}
	if err := makeArchive(ctx, version, path); err != nil {
		if ctx.Err() != nil {
			archivesTried.Delete(path) // somebody with more time may try
		}
		return ""
	}
	usable, _ := archiveState(path)
	return usable
}

// archiveState tells whether it is known if there can be an archive, and its
// path if there is. An empty file stands for one that could not be made.
func archiveState(path string) (usable string, known bool) {
	info, err := os.Stat(path)
	if err != nil || info.Size() == 0 {
		return "", err == nil
	}
	return path, true
}

// makeArchive runs a broker that writes the archive when it ends.
func makeArchive(ctx context.Context, version, path string) error {
	work := path + ".new"
	defer func() { _ = os.Remove(work) }()
	c, err := start(ctx, Options{Version: version, Brokers: 1}, []string{"-XX:ArchiveClassesAtExit=" + work, "-Xlog:disable"})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.Stop(ctx, 0); err != nil {
		return err
	}
	if _, err := os.Stat(work); err != nil {
		// This Java has no archives. Nobody need try again.
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			return fmt.Errorf("kafkalocal: cache: %w", err)
		}
		return nil
	}
	if err := os.Rename(work, path); err != nil {
		return fmt.Errorf("kafkalocal: cache: %w", err)
	}
	return nil
}

// archiveArgs are the arguments of a virtual machine that uses an archive. It
// goes without where it does not fit, and must not write that into the output
// of a tool.
func archiveArgs(path string) []string {
	if path == "" {
		return nil
	}
	return []string{"-XX:SharedArchiveFile=" + path, "-Xlog:disable"}
}
