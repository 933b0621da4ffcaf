package sarama_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// txnCluster is a cluster in memory for transactions of one kind: those that
// brokers add partitions to are implicit.
func txnCluster(t *testing.T, implicit bool) *fakekafka.Cluster {
	o := fakekafka.Options{
		Brokers: 3, InMemory: true, TransactionVersion: -1,
		Topics: []fakekafka.Topic{{Name: "t", Partitions: 3, ReplicationFactor: 3}},
	}
	if implicit {
		o.TransactionVersion = 2
	}
	return fakekafka.New(t, o)
}

func txnConf(cluster *fakekafka.Cluster) *sarama.Config {
	conf := sarama.NewConfig()
	conf.Version = sarama.MaxVersion
	conf.Producer.Return.Successes = true
	conf.Producer.Idempotent, conf.Producer.RequiredAcks = true, sarama.WaitForAll
	conf.Producer.Transaction.ID = "tx"
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	cluster.Configure(conf)
	return conf
}

func newTxnProducer(t *testing.T, cluster *fakekafka.Cluster, set func(*sarama.Config)) sarama.SyncProducer {
	t.Helper()
	conf := txnConf(cluster)
	if set != nil {
		set(conf)
	}
	p, err := sarama.NewSyncProducer(cluster.Addrs(), conf)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func sendOne(p sarama.SyncProducer, partition int32) error {
	_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: "t", Partition: partition, Value: sarama.StringEncoder("v")})
	return err
}

const (
	stReady     = sarama.ProducerTxnFlagReady
	stOpen      = sarama.ProducerTxnFlagInTransaction
	stAbortable = sarama.ProducerTxnFlagInError | sarama.ProducerTxnFlagAbortableError
	stFatal     = sarama.ProducerTxnFlagInError | sarama.ProducerTxnFlagFatalError
)

var forBoth = map[string]bool{"explicit": false, "implicit": true}

// eachTxnKind runs a test in a bubble for both.
func eachTxnKind(t *testing.T, run func(t *testing.T, implicit bool)) {
	for kind, implicit := range forBoth {
		t.Run(kind, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { run(t, implicit) }) })
	}
}

// txnStep is a call, and what is to follow.
type txnStep struct {
	call string
	err  error
	then sarama.ProducerTxnStatusFlag
}

func (s txnStep) do(cluster *fakekafka.Cluster, p sarama.SyncProducer) error {
	switch s.call {
	case "begin":
		return p.BeginTxn()
	case "commit":
		return p.CommitTxn()
	case "abort":
		return p.AbortTxn()
	case "send":
		return sendOne(p, 0)
	case "offsets":
		return p.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{"t": {{Partition: 1, Offset: 7, LeaderEpoch: -1}}}, "g")
	case "message":
		return p.AddMessageToTxn(&sarama.ConsumerMessage{Topic: "t", Partition: 1, Offset: 7}, "g", nil)
	case "close":
		return p.Close()
	}
	// "fail NAME CODE": the next request of that API
	var name string
	var code int16
	if _, err := fmt.Sscanf(s.call, "fail %s %d", &name, &code); err != nil {
		panic(err)
	}
	for api := range fakekafka.API(100) {
		if api.String() == name {
			cluster.FailRequest(api, sarama.KError(code), 1)
		}
	}
	return nil
}

// TestTransactionStates: which calls are possible when, and where they lead.
func TestTransactionStates(t *testing.T) {
	notAllowed, notReady := sarama.ErrTransitionNotAllowed, sarama.ErrTransactionNotReady
	ok := func(call string, then sarama.ProducerTxnStatusFlag) txnStep { return txnStep{call, nil, then} }
	for name, steps := range map[string][]txnStep{
		"nothing is open": {
			{"commit", notAllowed, stReady}, {"abort", notAllowed, stReady}, {"send", notReady, stReady},
			{"offsets", notReady, stReady}, {"message", notReady, stReady}, ok("begin", stOpen),
		},
		"one after another": {
			ok("begin", stOpen), ok("send", stOpen), ok("commit", stReady), {"send", notReady, stReady}, {"commit", notAllowed, stReady},
			ok("begin", stOpen), ok("send", stOpen), ok("abort", stReady), {"send", notReady, stReady}, {"abort", notAllowed, stReady},
			ok("begin", stOpen), ok("commit", stReady), ok("begin", stOpen), ok("abort", stReady),
		},
		"begun twice": {
			ok("begin", stOpen), {"begin", notAllowed, stOpen}, ok("send", stOpen), ok("commit", stReady),
		},
		"a message fails": {
			ok("begin", stOpen), ok("send", stOpen), ok("fail Produce 87", stOpen), {"send", sarama.ErrInvalidRecord, stAbortable},
			{"send", notReady, stAbortable}, {"offsets", notReady, stAbortable}, {"begin", notAllowed, stAbortable}, {"begin", sarama.ErrInvalidRecord, stAbortable},
			{"commit", sarama.ErrInvalidRecord, stAbortable}, ok("abort", stReady), ok("begin", stOpen), ok("send", stOpen), ok("commit", stReady),
		},
		"the producer was replaced": {
			ok("begin", stOpen), ok("send", stOpen), ok("fail EndTxn 90", stOpen), {"commit", sarama.ErrProducerFenced, stFatal},
			{"abort", sarama.ErrProducerFenced, stFatal}, {"begin", notAllowed, stFatal}, {"begin", sarama.ErrProducerFenced, stFatal}, {"send", notReady, stFatal},
		},
		"the producer was replaced, says an old coordinator": {
			ok("begin", stOpen), ok("send", stOpen), ok("fail EndTxn 47", stOpen), {"commit", sarama.ErrProducerFenced, stFatal},
			{"commit", sarama.ErrInvalidProducerEpoch, stFatal},
		},
		"a leader has an epoch that is newer": {
			ok("begin", stOpen), ok("fail Produce 47", stOpen), {"send", sarama.ErrInvalidProducerEpoch, stAbortable}, ok("abort", stReady),
		},
		"not authorized": {
			ok("begin", stOpen), ok("fail Produce 53", stOpen), {"send", sarama.ErrTransactionalIDAuthorizationFailed, stFatal},
		},
		"the mapping is gone": {
			ok("begin", stOpen), ok("fail Produce 49", stOpen), {"send", sarama.ErrInvalidProducerIDMapping, stFatal},
		},
		"the producer is not known": {
			ok("begin", stOpen), ok("fail Produce 59", stOpen), {"send", sarama.ErrUnknownProducerID, stAbortable}, ok("abort", stReady),
		},
		"a number is missing": {
			ok("begin", stOpen), ok("fail Produce 45", stOpen), {"send", sarama.ErrOutOfOrderSequenceNumber, stAbortable}, ok("abort", stReady),
			ok("begin", stOpen), ok("send", stOpen), ok("commit", stReady),
		},
		"the coordinator says to abort": {
			ok("begin", stOpen), ok("send", stOpen), ok("fail EndTxn 120", stOpen), {"commit", sarama.ErrTransactionAbortable, stAbortable}, ok("abort", stReady),
		},
		"a leader says to abort": {
			ok("begin", stOpen), ok("fail Produce 120", stOpen), {"send", sarama.ErrTransactionAbortable, stAbortable}, ok("abort", stReady),
		},
		"the abort is refused once": {
			ok("begin", stOpen), ok("send", stOpen), ok("fail EndTxn 120", stOpen), {"abort", sarama.ErrTransactionAbortable, stAbortable}, ok("abort", stReady),
		},
		"offsets": {
			ok("begin", stOpen), ok("offsets", stOpen), ok("message", stOpen), ok("commit", stReady), ok("begin", stOpen), ok("offsets", stOpen), ok("abort", stReady),
		},
		"the member was replaced": {
			ok("begin", stOpen), ok("offsets", stOpen), ok("fail TxnOffsetCommit 82", stOpen), {"commit", sarama.ErrFencedInstancedId, stAbortable},
			{"commit", sarama.ErrTxnOffsetCommit, stAbortable}, ok("abort", stReady), ok("begin", stOpen), ok("offsets", stOpen), ok("commit", stReady),
		},
		"the member is not known": {
			ok("begin", stOpen), ok("offsets", stOpen), ok("fail TxnOffsetCommit 25", stOpen), {"commit", sarama.ErrUnknownMemberId, stAbortable}, ok("abort", stReady),
		},
		"the generation is another one": {
			ok("begin", stOpen), ok("offsets", stOpen), ok("fail TxnOffsetCommit 22", stOpen), {"commit", sarama.ErrIllegalGeneration, stAbortable}, ok("abort", stReady),
		},
		"the group's coordinator has moved": {
			ok("begin", stOpen), ok("offsets", stOpen), ok("fail TxnOffsetCommit 16", stOpen), ok("commit", stReady),
		},
		"closed": {
			ok("begin", stOpen), ok("send", stOpen), ok("close", stOpen), {"commit", sarama.ErrShuttingDown, stOpen}, {"abort", sarama.ErrShuttingDown, stOpen},
			{"begin", sarama.ErrShuttingDown, stOpen}, {"offsets", sarama.ErrShuttingDown, stOpen}, {"send", sarama.ErrShuttingDown, stOpen},
		},
	} {
		for kind, implicit := range forBoth {
			t.Run(name+", "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cluster := txnCluster(t, implicit)
					p := newTxnProducer(t, cluster, nil)
					defer p.Close()
					if !p.IsTransactional() || p.TxnStatus() != stReady {
						t.Fatalf("begins in state %v", p.TxnStatus())
					}
					for i, s := range steps {
						if err := s.do(cluster, p); !errors.Is(err, s.err) {
							t.Fatalf("step %d, %s: %v, want %v", i, s.call, err, s.err)
						}
						if got := p.TxnStatus(); got != s.then {
							t.Fatalf("step %d, %s: state %v, want %v", i, s.call, got, s.then)
						}
					}
				})
			})
		}
	}
}

func TestProducerWithoutTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := txnCluster(t, true)
		p := newTxnProducer(t, cluster, func(conf *sarama.Config) { conf.Producer.Transaction.ID = "" })
		defer p.Close()
		if p.IsTransactional() || p.TxnStatus() != sarama.ProducerTxnFlagUninitialized {
			t.Errorf("state %v", p.TxnStatus())
		}
		for _, call := range []string{"begin", "commit", "abort", "offsets", "message"} {
			if err := (txnStep{call: call}).do(cluster, p); err != sarama.ErrNonTransactedProducer {
				t.Errorf("%s: %v", call, err)
			}
		}
		if err := sendOne(p, 0); err != nil {
			t.Error(err)
		}
	})
}

// requests lists what the cluster was asked since from, metadata and versions
// apart.
func requests(cluster *fakekafka.Cluster, from int) (list []string) {
	for _, e := range cluster.History()[from:] {
		if e.API != fakekafka.Metadata && e.API != fakekafka.ApiVersions {
			list = append(list, fmt.Sprintf("%v %d", e.API, e.Version))
		}
	}
	return list
}

// TestTransactionRequests: number, order and versions of requests are what
// scripted brokers wait for.
func TestTransactionRequests(t *testing.T) {
	all := map[sarama.KafkaVersion][]string{
		sarama.V0_11_0_0: {"FindCoordinator 1", "InitProducerId 0", "AddPartitionsToTxn 0", "Produce 3", "Produce 3", "AddOffsetsToTxn 0",
			"FindCoordinator 1", "TxnOffsetCommit 0", "EndTxn 0", "AddPartitionsToTxn 0", "Produce 3", "EndTxn 0"},
		sarama.V2_5_0_0: {"FindCoordinator 3", "InitProducerId 3", "AddPartitionsToTxn 1", "Produce 8", "Produce 8", "AddOffsetsToTxn 1",
			"FindCoordinator 3", "TxnOffsetCommit 3", "EndTxn 1", "AddPartitionsToTxn 1", "Produce 8", "EndTxn 1"},
		sarama.V3_9_0_0: {"FindCoordinator 3", "InitProducerId 5", "AddPartitionsToTxn 3", "Produce 11", "Produce 11", "AddOffsetsToTxn 4",
			"FindCoordinator 3", "TxnOffsetCommit 4", "EndTxn 4", "AddPartitionsToTxn 3", "Produce 11", "EndTxn 4"},
	}
	explicit := all[sarama.V3_9_0_0]
	implicit := []string{"FindCoordinator 3", "InitProducerId 5", "Produce 13", "Produce 13", "FindCoordinator 3", "TxnOffsetCommit 5", "EndTxn 5", "Produce 13", "EndTxn 5"}
	type row struct {
		version  sarama.KafkaVersion
		implicit bool
		highest  map[fakekafka.API]int16
		want     []string
	}
	rows := map[string]row{
		"4.3, explicit":                            {sarama.V4_3_0_0, false, nil, explicit},
		"4.3, implicit":                            {sarama.V4_3_0_0, true, nil, implicit},
		"3.9, though brokers would add":            {sarama.V3_9_0_0, true, nil, explicit},
		"brokers that cannot answer with an epoch": {sarama.V4_3_0_0, true, map[fakekafka.API]int16{fakekafka.EndTxn: 4}, explicit},
	}
	for version, want := range all {
		rows[version.String()] = row{version, false, nil, want}
	}
	for name, c := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := fakekafka.Options{InMemory: true, TransactionVersion: -1, MaxVersions: c.highest, Topics: []fakekafka.Topic{{Name: "t", Partitions: 3}}}
				if c.implicit {
					o.TransactionVersion = 2
				}
				cluster := fakekafka.New(t, o)
				p := newTxnProducer(t, cluster, func(conf *sarama.Config) { conf.Version = c.version })
				defer p.Close()
				steps := []string{"begin", "abort", "begin", "commit", "begin"} // empty ones cost nothing
				for _, call := range steps {
					mustTxn(t, call, (txnStep{call: call}).do(cluster, p))
				}
				for range 2 { // the second time the partitions are there
					mustTxn(t, "sending", p.SendMessages([]*sarama.ProducerMessage{{Topic: "t"}, {Topic: "t", Partition: 1}, {Topic: "t", Partition: 2}}))
				}
				for _, call := range []string{"offsets", "message", "commit", "begin", "send", "abort"} {
					mustTxn(t, call, (txnStep{call: call}).do(cluster, p))
				}
				if got := requests(cluster, 0); !slices.Equal(got, c.want) {
					t.Errorf("got  %v\nwant %v", got, c.want)
				}
			})
		})
	}
}

// TestTransactionWithEveryVersion commits and aborts with each Config.Version
// that has transactions.
func TestTransactionWithEveryVersion(t *testing.T) {
	for _, version := range sarama.SupportedVersions {
		if !version.IsAtLeast(sarama.V0_11_0_0) {
			continue
		}
		for kind, implicit := range forBoth {
			t.Run(version.String()+", "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cluster := txnCluster(t, implicit)
					p := newTxnProducer(t, cluster, func(conf *sarama.Config) { conf.Version = version })
					defer p.Close()
					for _, call := range []string{"begin", "send", "offsets", "commit", "begin", "send", "abort", "begin", "send", "commit"} {
						mustTxn(t, call, (txnStep{call: call}).do(cluster, p))
					}
					got := strings.Join(requests(cluster, 0), ",")
					if brokersAdd := implicit && version.IsAtLeast(sarama.V4_0_0_0); brokersAdd != !strings.Contains(got, "AddPartitionsToTxn") {
						t.Error(got)
					}
				})
			})
		}
	}
}

// TestTransactionalIDNeedsTransactions: brokers before 0.11 have none.
func TestTransactionalIDNeedsTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := txnCluster(t, false)
		conf := txnConf(cluster)
		conf.Version = sarama.V0_10_2_0
		var refused sarama.ConfigurationError
		if _, err := sarama.NewSyncProducer(cluster.Addrs(), conf); !errors.As(err, &refused) {
			t.Error(err)
		}
		cluster = fakekafka.New(t, fakekafka.Options{InMemory: true, MaxVersions: map[fakekafka.API]int16{fakekafka.InitProducerID: -1}})
		if _, err := sarama.NewSyncProducer(cluster.Addrs(), txnConf(cluster)); !errors.Is(err, sarama.ErrUnsupportedVersion) {
			t.Error(err)
		}
	})
}

// TestTransactionsFollowTheCluster: an upgrade while the producer runs takes
// effect with the next transaction after a new connection has told of it.
func TestTransactionsFollowTheCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := txnCluster(t, false)
		p := newTxnProducer(t, cluster, nil)
		defer p.Close()
		run := func() string {
			from := len(cluster.History())
			for _, call := range []string{"begin", "send", "offsets", "commit"} {
				mustTxn(t, call, (txnStep{call: call}).do(cluster, p))
			}
			return strings.Join(requests(cluster, from), ", ")
		}
		if got := run(); !strings.Contains(got, "AddPartitionsToTxn 3, Produce 11") {
			t.Error(got)
		}
		cluster.SetTransactionVersion(2)
		leader, _, _ := cluster.Leader("t", 0)
		must := func(err error) { mustTxn(t, "control", err) }
		must(cluster.StopBroker(leader))
		must(cluster.RestartBroker(leader))
		run()
		if got := run(); strings.Contains(got, "Add") || !strings.Contains(got, "EndTxn 5") {
			t.Error(got)
		}
		cluster.SetTransactionVersion(1)
		leader, _, _ = cluster.Leader("t", 0)
		must(cluster.StopBroker(leader))
		must(cluster.RestartBroker(leader))
		time.Sleep(time.Minute)
		_ = p.BeginTxn() // one that learns of it
		_ = sendOne(p, 0)
		_ = p.AbortTxn()
		if got := run(); !strings.Contains(got, "AddPartitionsToTxn 3, Produce 11") || !strings.Contains(got, "EndTxn 4") {
			t.Error(got)
		}
	})
}
