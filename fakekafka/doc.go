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
// sessions, offsets by time, what administrators ask, the versions of a release.
// What a real cluster does only
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
// # Consumer groups
//
// Groups are coordinated as by Kafka 4.3: the classic protocol with static
// members (KIP-345), the newer one (KIP-848) where Options.Version is 4.0 or
// later, and their offsets, in transactions too. A group is coordinated by the
// broker that its id's hash falls on, or by the next one while that is stopped:
// when it is back, so is the group. Cluster.MoveCoordinator has another do it.
// What Kafka writes to __consumer_offsets goes along: offsets, members of the
// last generation that had a plan, all of a group of the newer protocol.
// Requests that wait at the last coordinator are answered NOT_COORDINATOR, and
// sessions begin anew.
//
// Differences from Kafka: sessions may be as short as a test likes, an empty
// group waits for nobody, and a plan of the newer protocol is made at once (see
// GroupOptions); regular expressions are Go's, and looked at with each
// heartbeat; offsets and groups do not expire; a group with members of one
// protocol takes none of the other, as with group.consumer.migration.policy
// "disabled"; which of several even plans is made is not Kafka's choice.
//
// Cluster.Group shows what a coordinator knows, Cluster.Commits in which order
// offsets were stored; Cluster.Rebalance, SetOffset and SetCoordinatorLoading
// do what a test would wait for in vain.
//
// # Administration
//
// What sarama.ClusterAdmin asks is answered, with the codes and messages of Kafka
// 4.3 or, with Options.Version before 4.0, of 3.9. Topics have all of Kafka's
// settings, with its defaults, bounds and types. Of these max.message.bytes,
// message.timestamp.type, min.insync.replicas, retention.bytes and cleanup.policy
// (for DeleteRecords) have an effect, as soon as they are changed; so has what
// brokers together were given as the defaults of these. Brokers have the settings
// that topics take their defaults from, those that Options say, and some others,
// none of which has an effect; and a few loggers.
//
// Partitions that are moved are there at once, if the brokers are up;
// Cluster.HoldReassignments keeps them under way. Log directories have the sizes
// of the logs, and none of their own. The one feature is transaction.version.
// Stopped brokers are fenced ones in DescribeCluster.
//
// Access rules, quotas and SCRAM credentials are stored, and found as Kafka finds
// them; nothing follows from them: everybody may do everything, without a bound,
// and logs in as Options.Users says. Addresses in quotas are numbers, no names.
// Settings of groups and of clients' metrics, delegation tokens and the moving of
// logs between directories there are not.
//
// # Who owns what
//
// A Cluster's topics and partitions are reached through an immutable catalog
// behind an atomic pointer; Cluster.mu orders those who replace it, and
// changes of leaders that concern several partitions. So it is with the
// configurations of topics, which all values of a topic share, and of brokers. A
// partition's own lock guards its leader, epoch, replicas and where these are to
// go, log and producers, so that a request sees them together. A broker's lock
// guards its listener, its connections and the levels of its loggers. One
// lock guards the transactions of all coordinators; it is held while a batch of
// a transaction is appended, so that none comes after the marker. The locks nest
// in that order: cluster, broker, transactions, partition; none is held over
// I/O, a channel that may block or a user's callback. The lock of rules, quotas
// and credentials is taken alone.
//
// A group's own lock guards all that its coordinator knows: phase, members,
// plan, offsets. It is taken with or without that of the transactions, and only
// the lock of the list of groups is taken with it. A group has one timer, for
// what is due next, and none while it has no members; when it fires, a goroutine
// takes the lock, does what is due and ends. A request to join or to sync that
// has to wait leaves a channel of capacity 1 with its member, in which whoever
// completes the rebalance puts the answer, and waits on its connection's
// goroutine; the connection's end leaves the member be.
//
// Goroutines: each broker with a listener has one that accepts, which ends when
// the listener is closed. Each connection has one, conn.serve, which reads a
// request, handles it and writes the answer, one after the other, as Kafka
// does; it ends when the connection is closed by either side. Whatever it waits
// for, it stops waiting when the connection is cut. Close cuts all of them, stops
// the groups' timers, and waits until all have ended.
package fakekafka
