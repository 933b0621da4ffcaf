package kafkalocal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama/internal/childproc"
)

// Kafka before 3.3 has no KRaft to rely on: its brokers meet at a ZooKeeper,
// which comes with their jars.

// zooSession is how long ZooKeeper takes a broker that is gone without a word
// for alive. Its node is registered until then, so that a restart has to wait.
const zooSession = 6 * time.Second

// zookeeper is the one of a cluster.
type zookeeper struct {
	// constant
	addr     string
	logPath  string
	reserved *reservedPort
	proc     *childproc.Process
}

// needsZooKeeper tells whether a version of Kafka has no KRaft that serves here.
func needsZooKeeper(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	return errA == nil && errB == nil && (a < 3 || a == 3 && b < 3)
}

// startZooKeeper starts the cluster's ZooKeeper and waits until it takes
// connections.
func (c *Cluster) startZooKeeper(ctx context.Context) error {
	dir := filepath.Join(c.dir, "zookeeper")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("kafkalocal: folder of ZooKeeper: %w", err)
	}
	port, err := reservePort()
	if err != nil {
		return fmt.Errorf("kafkalocal: port of ZooKeeper: %w", err)
	}
	z := &zookeeper{addr: port.addr, logPath: filepath.Join(dir, "zookeeper.log"), reserved: port}
	c.zoo = z
	host, number, err := net.SplitHostPort(z.addr)
	if err != nil {
		return fmt.Errorf("kafkalocal: port of ZooKeeper: %w", err)
	}
	settings, err := formatProperties(map[string]string{
		"tickTime": "1000", "dataDir": filepath.Join(dir, "data"), "clientPort": number, "clientPortAddress": host,
		"admin.enableServer": "false", "maxClientCnxns": "0",
	})
	if err != nil {
		return err
	}
	config := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(config, settings, 0o600); err != nil {
		return fmt.Errorf("kafkalocal: settings of ZooKeeper: %w", err)
	}
	args := c.javaArgs("org.apache.zookeeper.server.quorum.QuorumPeerMain", config)
	if z.proc, err = startProcess(c.java, args, dir, z.logPath); err != nil {
		return fmt.Errorf("kafkalocal: start ZooKeeper: %w", err)
	}
	return z.await(ctx)
}

func (z *zookeeper) await(ctx context.Context) error {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", z.addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-z.proc.Done():
			return fmt.Errorf("kafkalocal: ZooKeeper ended before it was ready: %w; the end of its log:\n%s", errors.Join(z.proc.Err(), err), tail(z.logPath))
		case <-ctx.Done():
			return fmt.Errorf("kafkalocal: ZooKeeper is not ready: %w: %w; the end of its log:\n%s", ctx.Err(), err, tail(z.logPath))
		case <-tick.C:
		}
	}
}

// close ends the process.
func (z *zookeeper) close() {
	if z.proc != nil {
		_ = z.proc.Kill()
		<-z.proc.Done()
	}
	z.reserved.release()
}

// forgets waits until a node that was killed is no longer registered.
func (z *zookeeper) forgets(ctx context.Context, killed time.Time) error {
	timer := time.NewTimer(time.Until(killed.Add(zooSession + zooSession/2)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("kafkalocal: waiting for ZooKeeper to forget a broker that was killed: %w", ctx.Err())
	}
}

// zooProperties makes the settings of a KRaft node those of one with ZooKeeper.
func zooProperties(p map[string]string, n *node, zoo string) {
	p["broker.id"] = p["node.id"]
	p["zookeeper.connect"] = zoo
	p["zookeeper.session.timeout.ms"] = strconv.FormatInt(zooSession.Milliseconds(), 10)
	p["zookeeper.connection.timeout.ms"] = strconv.FormatInt(startTimeout.Milliseconds(), 10)
	maps.DeleteFunc(p, func(k, _ string) bool {
		return k == "node.id" || k == "process.roles" || strings.HasPrefix(k, "controller.") || strings.HasPrefix(k, "share.")
	})
	drop := func(key, entry string) {
		var kept []string
		for _, e := range strings.Split(p[key], ",") {
			if e != entry {
				kept = append(kept, e)
			}
		}
		p[key] = strings.Join(kept, ",")
	}
	drop("listeners", controllerListener+"://"+n.Addrs[controllerListener])
	drop("listener.security.protocol.map", controllerListener+":PLAINTEXT")
}
