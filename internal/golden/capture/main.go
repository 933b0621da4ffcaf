// Command capture makes the golden frames: it runs programs that this project has
// no part in against real Kafka brokers, with a recording proxy between them, and
// writes what went by. It is a module of its own so that what it requires never
// reaches the client's module.
//
//	cd internal/golden/capture && go run . -out ../testdata
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The SASL user that the brokers know.
const (
	saslUser     = "golden"
	saslPassword = "frames"
)

func main() {
	log.SetFlags(log.Ltime)
	out := flag.String("out", "", "`folder` to write the frames to; empty writes none")
	kafkas := flag.String("kafka", "4.3.1,3.9.1", "`versions` of the brokers")
	only := flag.String("only", "kmsg,sarama,java", "`programs` to run")
	root := flag.String("root", "../../..", "`folder` of the client's module, which has the runner of Kafka")
	dir := flag.String("dir", "", "`folder` for the brokers' data; its name gets into the frames about log folders")
	maxBytes := flag.Int("max", 500, "leave out frames of more `bytes` where there are others of the kind")
	each := flag.Int("each", 2, "keep this `many` frames of one kind")
	save := flag.String("save", "", "`file` to keep all that was captured in")
	from := flag.String("from", "", "`file` that -save wrote, to select from without capturing anew")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	rec := &recorder{}
	if err := fill(ctx, rec, *from, *save, func(version string) error {
		return capture(ctx, rec, *root, *dir, version, strings.Split(*only, ","))
	}, strings.Split(*kafkas, ",")); err != nil {
		log.Print(err)
		os.Exit(1)
	}
	rec.logClients()
	frames := rec.selectFrames(*maxBytes, *each)
	if *out != "" {
		if err := writeFrames(*out, frames); err != nil {
			log.Print(err)
			os.Exit(1)
		}
	}
	printTable(os.Stdout, frames)
}

// fill has the recorder know all exchanges: from a file, or captured and then
// kept in one.
func fill(ctx context.Context, rec *recorder, from, save string, capture func(version string) error, versions []string) error {
	if from != "" {
		return rec.restore(from)
	}
	for _, version := range versions {
		if err := capture(version); err != nil {
			return err
		}
	}
	if save != "" {
		return rec.store(save)
	}
	return ctx.Err()
}

// capture runs the programs against one version of Kafka.
func capture(ctx context.Context, rec *recorder, root, dir, version string, programs []string) error {
	proxy, err := newProxy(rec)
	if err != nil {
		return err
	}
	defer proxy.close()
	bin, err := os.MkdirTemp("", "capture-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	runner := filepath.Join(bin, "kafkalocal")
	build := exec.CommandContext(ctx, "go", "build", "-o", runner, "./internal/kafkalocal/cmd/kafkalocal")
	build.Dir, build.Stderr = root, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the runner of Kafka: %w", err)
	}
	broker, err := startBroker(ctx, runner, dir, version, proxy.addr())
	if err != nil {
		return err
	}
	defer broker.stop()
	proxy.setTarget(broker.addr)
	rec.setBroker("kafka " + version)
	for _, program := range programs {
		log.Printf("Kafka %s: %s", version, program)
		switch program {
		case "kmsg":
			err = runKmsg(ctx, rec, proxy, broker.saslAddr)
		case "sarama":
			err = runSarama(ctx, rec, proxy.addr(), version)
		case "java":
			err = runJava(ctx, rec, runner, proxy.addr())
		default:
			err = fmt.Errorf("no program %q", program)
		}
		if err != nil {
			return fmt.Errorf("Kafka %s: %s: %w", version, program, err)
		}
	}
	return nil
}

// broker is a running cluster of one.
type broker struct {
	addr, saslAddr string
	cmd            *exec.Cmd
}

func startBroker(ctx context.Context, runner, dir, version, advertise string) (*broker, error) {
	args := []string{
		"-version", version, "-advertise", advertise, "-sasl", saslUser + ":" + saslPassword,
		"-set", "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"-set", "allow.everyone.if.no.acl.found=true", "-set", "super.users=User:ANONYMOUS",
		"-set", "group.min.session.timeout.ms=1000",
	}
	if version < "4" {
		args = append(args, "-set", "group.coordinator.rebalance.protocols=classic,consumer")
	}
	if dir != "" {
		args = append(args, "-dir", dir)
	}
	cmd := exec.Command(runner, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("runner of Kafka: %w", err)
	}
	b := &broker{cmd: cmd}
	stopOnCancel := context.AfterFunc(ctx, b.interrupt)
	defer stopOnCancel()
	lines := bufio.NewScanner(out)
	for _, to := range []*string{&b.addr, &b.saslAddr} {
		if !lines.Scan() {
			b.stop()
			return nil, fmt.Errorf("Kafka %s did not start", version)
		}
		*to = lines.Text()
	}
	return b, nil
}

func (b *broker) interrupt() { _ = b.cmd.Process.Signal(os.Interrupt) }

func (b *broker) stop() {
	b.interrupt()
	kill := time.AfterFunc(20*time.Second, func() { _ = b.cmd.Process.Kill() })
	defer kill.Stop()
	if err := b.cmd.Wait(); err != nil {
		log.Printf("runner of Kafka: %v", err)
	}
}
