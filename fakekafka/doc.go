// Package fakekafka is a Kafka cluster inside the test, or the program, that
// uses it: one or more brokers that speak the real protocol, on 127.0.0.1 with
// ports that the system chooses, or on connections in memory for tests under
// testing/synctest.
//
//	cluster := fakekafka.New(t, fakekafka.Options{
//		Brokers: 3,
//		Topics:  []fakekafka.Topic{{Name: "orders", Partitions: 6}},
//	})
//	client, err := sarama.NewClient(cluster.Addrs(), nil)
//
// It behaves as Kafka does where a client can see it: leaders and epochs,
// record batches and their checks, idempotence, transactions, long polls, fetch
// sessions, offsets by time, the versions of a release. What a real cluster does only
// now and then, a test makes it do: move leaders, stop brokers, answer late,
// wrongly or never (see Cluster.Handle and the methods around it).
//
// Records are kept in memory, in batches of version 2 (magic 2). With a release
// before 4.0 in Options.Version, message sets of versions 0 and 1 are taken with
// Produce versions 0 and 1 (messages of version 0) and 2 (also of version 1),
// and converted, as Kafka does; Fetch versions 0 and 1 are answered with messages
// of version 0, versions 2 and 3 with those of version 1, without the headers
// that these do not have. Later releases refuse them, as Kafka 4 does. All
// replicas of a partition share one log: a follower is always in sync while its
// broker is up, unless Cluster.SetReplicaEnd says otherwise.
//
// # Who owns what
//
// A Cluster's topics and partitions are reached through an immutable catalog
// behind an atomic pointer; Cluster.mu orders those who replace it, and
// changes of leaders that concern several partitions. A partition's own lock
// guards its leader, epoch, replicas, log and producers, so that a request sees
// them together. A broker's lock guards its listener and its connections. One
// lock guards the transactions of all coordinators; it is held while a batch of
// a transaction is appended, so that none comes after the marker. The locks nest
// in that order: cluster, broker, transactions, partition; none is held over
// I/O, a channel send or a user's callback.
//
// Goroutines: each broker with a listener has one that accepts, which ends when
// the listener is closed. Each connection has one, conn.serve, which reads a
// request, handles it and writes the answer, one after the other, as Kafka
// does; it ends when the connection is closed by either side. Whatever it waits
// for, it stops waiting when the connection is cut. Close cuts all of them and
// waits until they have ended.
package fakekafka
