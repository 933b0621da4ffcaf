package kafkalocal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// pom asks Maven for the broker and its command-line tools. One and the same
// small logger is set for all versions in place of the one each brings (or, as
// from 4.0 on, does not), so that brokers log alike and need no file for it.
const pom = `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>kafkalocal</groupId>
  <artifactId>kafkalocal</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>@VERSION@</version>
      <exclusions>
        <exclusion><groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId></exclusion>
      </exclusions>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-tools</artifactId>
      <version>@VERSION@</version>
      <exclusions>
        <exclusion><groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId></exclusion>
      </exclusions>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
`

// javaMin is the oldest Java that a broker of Kafka 4 runs on.
const javaMin = 17

var versionPattern = regexp.MustCompile(`^[0-9]+(\.[0-9]+){2}$`)

// Available tells whether Start can work here: Java 17 or newer, and Maven
// unless the default version was fetched before. Why says what is missing.
func Available() (ok bool, why string) {
	java, err := javaCommand()
	if err != nil {
		return false, err.Error()
	}
	major, err := javaVersion()
	if err != nil {
		return false, fmt.Sprintf("kafkalocal: %s -version: %v", java, err)
	}
	if major < javaMin {
		return false, fmt.Sprintf("kafkalocal: Java %d is older than %d, which a broker of Kafka 4 needs", major, javaMin)
	}
	if dir, err := libsDir(DefaultVersion); err == nil && isDir(dir) {
		return true, ""
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return false, fmt.Sprintf("kafkalocal: Maven, which fetches Kafka, is missing: %v", err)
	}
	return true, ""
}

// javaCommand is the java of JAVA_HOME or else of the path.
func javaCommand() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		if java, err := exec.LookPath(filepath.Join(home, "bin", "java")); err == nil {
			return java, nil
		}
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("kafkalocal: Java is missing: %w", err)
	}
	return java, nil
}

// javaAbout is what javaCommand says of itself, asked for once.
var javaAbout = sync.OnceValues(func() (string, error) {
	java, err := javaCommand()
	if err != nil {
		return "", err
	}
	out, err := exec.Command(java, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return string(out), nil
})

// javaVersion is the major version of javaCommand.
func javaVersion() (int, error) {
	about, err := javaAbout()
	if err != nil {
		return 0, err
	}
	return parseJavaVersion(about)
}

// parseJavaVersion reads `version "17.0.15"` and the older `version "1.8.0_402"`.
func parseJavaVersion(text string) (int, error) {
	_, rest, ok := strings.Cut(text, `version "`)
	if ok {
		rest = strings.TrimPrefix(rest, "1.")
		end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if end > 0 {
			return strconv.Atoi(rest[:end])
		}
	}
	return 0, fmt.Errorf("no version in %q", text)
}

// Install makes sure that the jars of this version of Kafka are on this machine
// and returns the folder that they are in. They are kept, for all test
// processes, below the folder KAFKA_LOCAL_CACHE or, where that is not set, the
// user's cache folder; Start adds an archive of their classes. Calls at the same time, of several processes too, end up
// with the same folder.
func Install(ctx context.Context, version string) (string, error) {
	dir, err := libsDir(version)
	if err != nil {
		return "", err
	}
	if isDir(dir) {
		return dir, nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", fmt.Errorf("kafkalocal: Maven, which fetches Kafka %s, is missing: %w", version, err)
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", fmt.Errorf("kafkalocal: cache: %w", err)
	}
	// The lock only saves a second download: the rename below is what makes
	// the folder appear whole or not at all.
	unlock, err := lockFile(ctx, dir+".lock")
	if err != nil {
		return "", fmt.Errorf("kafkalocal: lock of the cache: %w", err)
	}
	defer unlock()
	if isDir(dir) {
		return dir, nil
	}
	work, err := os.MkdirTemp(parent, "fetch-")
	if err != nil {
		return "", fmt.Errorf("kafkalocal: cache: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := fetch(ctx, mvn, work, version); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(work, "libs"), dir); err != nil && !isDir(dir) {
		return "", fmt.Errorf("kafkalocal: cache: %w", err)
	}
	return dir, nil
}

// fetch has Maven copy the jars to work/libs.
func fetch(ctx context.Context, mvn, work, version string) error {
	text := strings.ReplaceAll(pom, "@VERSION@", version)
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("kafkalocal: cache: %w", err)
	}
	logPath := filepath.Join(work, "mvn.log")
	args := []string{"-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=libs"}
	p, err := startProcess(mvn, args, work, logPath)
	if err != nil {
		return fmt.Errorf("kafkalocal: start Maven: %w", err)
	}
	if err := p.Wait(ctx); err != nil {
		return fmt.Errorf("kafkalocal: Maven could not fetch Kafka %s: %w\n%s", version, err, tail(logPath))
	}
	return nil
}

// libsDir is where the jars of a version are or will be. What else decides them,
// the pom, is part of the name.
func libsDir(version string) (string, error) {
	if !versionPattern.MatchString(version) {
		return "", fmt.Errorf("kafkalocal: %q is no version of Kafka, wanted one such as %q", version, DefaultVersion)
	}
	cache := os.Getenv("KAFKA_LOCAL_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("kafkalocal: no folder for the cache, set KAFKA_LOCAL_CACHE: %w", err)
		}
		cache = filepath.Join(user, "kafkalocal")
	}
	cache, err := filepath.Abs(cache)
	if err != nil {
		return "", fmt.Errorf("kafkalocal: cache: %w", err)
	}
	sum := sha256.Sum256([]byte(pom))
	return filepath.Join(cache, "kafka-"+version+"-"+hex.EncodeToString(sum[:4])), nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// tailBytes is how much of a log goes into an error.
const tailBytes = 4 << 10

// tail is the end of a file, from the start of a line on.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	buf := make([]byte, tailBytes)
	from := max(0, info.Size()-tailBytes)
	k, err := f.ReadAt(buf, from)
	if k == 0 {
		return fmt.Sprintf("(empty log: %v)", err)
	}
	buf = buf[:k]
	if i := bytes.IndexByte(buf, '\n'); from > 0 && i >= 0 {
		buf = buf[i+1:]
	}
	return strings.TrimRight(string(buf), "\n")
}
