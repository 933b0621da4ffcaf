package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// javaVersions are the clients; each talks to each broker.
var javaVersions = []string{"4.3.1", "3.9.1"}

// toolTimeout bounds one command.
const toolTimeout = time.Minute

// runJava runs the command-line tools of Kafka, which bring the Java clients.
func runJava(ctx context.Context, rec *recorder, runner, addr string) error {
	for _, version := range javaVersions {
		libs, err := exec.CommandContext(ctx, runner, "-libs", "-version", version).Output()
		if err != nil {
			return fmt.Errorf("jars of Kafka %s: %w", version, err)
		}
		dir, err := os.MkdirTemp("", "capture-")
		if err != nil {
			return err
		}
		rec.setClient("kafka-tools " + version)
		k := &toolkit{ctx: ctx, libs: strings.TrimSpace(string(libs)), dir: dir, addr: addr, version: version}
		err = k.run()
		os.RemoveAll(dir)
		if err != nil {
			return err
		}
	}
	return nil
}

// toolkit runs tools of one version.
type toolkit struct {
	ctx           context.Context
	libs          string
	dir           string // for the files that tools want
	addr, version string
}

// tool runs a class. One that fails is told of in the log: tools of one version
// may lack what a broker of another has.
func (k *toolkit) tool(class, stdin string, args ...string) {
	ctx, cancel := context.WithTimeout(k.ctx, toolTimeout)
	defer cancel()
	line := append([]string{
		"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", filepath.Join(k.libs, "*"), class,
	}, args...)
	cmd := exec.CommandContext(ctx, "java", line...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		text := strings.Join(strings.Fields(out.String()), " ")
		log.Printf("%s %s: %v: %.300s", class, strings.Join(args, " "), err, text)
	}
}

// at is tool with the broker's address.
func (k *toolkit) at(class string, args ...string) {
	k.tool(class, "", append([]string{"--bootstrap-server", k.addr}, args...)...)
}

func (k *toolkit) run() error {
	topic := "java-" + k.version
	k.topics(topic)
	k.produce(topic)
	k.consume(topic)
	k.access()
	if err := k.reports(topic); err != nil {
		return err
	}
	const groups = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
	k.at(groups, "--reset-offsets", "--group", topic, "--topic", topic, "--to-earliest", "--execute")
	k.at(groups, "--delete-offsets", "--group", topic, "--topic", topic)
	k.at(groups, "--delete", "--group", topic)
	k.at("org.apache.kafka.tools.TopicCommand", "--delete", "--topic", topic)
	return k.ctx.Err()
}

func (k *toolkit) topics(topic string) {
	const class = "org.apache.kafka.tools.TopicCommand"
	k.at(class, "--create", "--topic", topic, "--partitions", "1", "--config", "retention.ms=86400000")
	k.at(class, "--create", "--topic", topic+"-copy", "--partitions", "1")
}

func (k *toolkit) produce(topic string) {
	console := "org.apache.kafka.tools.ConsoleProducer"
	if k.version < "4" {
		console = "kafka.tools.ConsoleProducer"
	}
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		k.tool(console, "k1:value value value\nk2:value\n", "--bootstrap-server", k.addr, "--topic", topic,
			"--property", "parse.key=true", "--property", "key.separator=:", "--compression-codec", codec)
	}
	const perf = "org.apache.kafka.tools.ProducerPerformance"
	common := []string{"--topic", topic, "--num-records", "5", "--record-size", "20", "--throughput", "-1"}
	k.tool(perf, "", append(common, "--producer-props", "bootstrap.servers="+k.addr, "enable.idempotence=false", "acks=0")...)
	k.tool(perf, "", append(common, "--transactional-id", topic+"-perf", "--transaction-duration-ms", "50",
		"--producer-props", "bootstrap.servers="+k.addr)...)
	k.tool("org.apache.kafka.tools.TransactionalMessageCopier", "", "--broker-list", k.addr,
		"--input-topic", topic, "--input-partition", "0", "--output-topic", topic+"-copy", "--transactional-id", topic+"-copier",
		"--consumer-group", topic+"-copiers", "--max-messages", "4", "--transaction-size", "2")
}

func (k *toolkit) consume(topic string) {
	const class = "org.apache.kafka.tools.consumer.ConsoleConsumer"
	// As little as makes the broker send one batch at a time.
	common := []string{"--from-beginning", "--timeout-ms", "15000", "--consumer-property", "max.partition.fetch.bytes=100"}
	k.at(class, append(common, "--topic", topic, "--max-messages", "10", "--group", topic)...)
	k.at(class, append(common, "--topic", topic+"-copy", "--max-messages", "4", "--isolation-level", "read_committed", "--partition", "0")...)
	k.at(class, append(common, "--topic", topic, "--max-messages", "4", "--group", topic+"-new", "--consumer-property", "group.protocol=consumer")...)
}

// access changes settings, quotas, credentials and access rules.
func (k *toolkit) access() {
	const configs = "kafka.admin.ConfigCommand"
	k.at(configs, "--alter", "--entity-type", "users", "--entity-name", "alice", "--add-config", "producer_byte_rate=1000000")
	k.at(configs, "--alter", "--entity-type", "users", "--entity-name", "alice", "--add-config", "SCRAM-SHA-256=[iterations=4096,password=pw]")
	k.at(configs, "--describe", "--entity-type", "users", "--entity-name", "alice")
	acls := "org.apache.kafka.tools.AclCommand"
	if k.version < "4" {
		acls = "kafka.admin.AclCommand"
	}
	k.at(acls, "--add", "--allow-principal", "User:alice", "--operation", "Read", "--topic", "java-acl")
	k.at(acls, "--list", "--topic", "java-acl")
	k.at(acls, "--remove", "--force", "--allow-principal", "User:alice", "--operation", "Read", "--topic", "java-acl")
}

func (k *toolkit) reports(topic string) error {
	const groups = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
	k.at(groups, "--list", "--state")
	k.at(groups, "--describe", "--group", topic)
	k.at(groups, "--describe", "--group", topic+"-new")
	const topics = "org.apache.kafka.tools.TopicCommand"
	k.at(topics, "--alter", "--topic", topic, "--partitions", "2")
	k.at(topics, "--describe", "--topic", topic)
	k.at("org.apache.kafka.tools.GetOffsetShell", "--topic", topic, "--time", "-3")
	k.at("org.apache.kafka.tools.LeaderElectionCommand", "--election-type", "preferred", "--topic", topic, "--partition", "0")
	k.at("org.apache.kafka.tools.reassign.ReassignPartitionsCommand", "--list")
	k.at("org.apache.kafka.tools.LogDirsCommand", "--describe", "--topic-list", topic)
	k.at("org.apache.kafka.tools.FeatureCommand", "describe")
	k.at("org.apache.kafka.tools.TransactionsCommand", "list")
	k.at("org.apache.kafka.tools.TransactionsCommand", "describe", "--transactional-id", topic+"-perf")
	k.at("org.apache.kafka.tools.TransactionsCommand", "describe-producers", "--topic", topic, "--partition", "0")
	k.at("org.apache.kafka.tools.MetadataQuorumCommand", "describe", "--status")
	k.tool("org.apache.kafka.tools.ClusterTool", "", "cluster-id", "--bootstrap-server", k.addr)
	k.at("org.apache.kafka.tools.ClientMetricsCommand", "--list")
	k.at("kafka.admin.ConfigCommand", "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", "retention.ms=43200000")
	path := filepath.Join(k.dir, "records.json")
	text := fmt.Sprintf(`{"partitions":[{"topic":%q,"partition":0,"offset":1}],"version":1}`, topic)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	k.at("org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", path)
	return nil
}
