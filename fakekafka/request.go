package fakekafka

import (
	"net"
	"slices"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/bridge"
)

// Request is a request that a broker has received and not yet processed.
type Request struct {
	// Broker is the id of the broker that was asked.
	Broker int32
	// Connection numbers the connections of a cluster from 1.
	Connection    int64
	API           API
	Version       int16
	CorrelationID int32
	ClientID      string
	// Body is the request as package sarama has it, a *sarama.MetadataRequest
	// for Metadata and so on. It may be kept, and must not be changed. (That of
	// OffsetForLeaderEpoch is of no exported type.)
	Body any

	conn   *conn
	header bridge.Header
	frame  []byte
	reply  Reply
	held   []*segment // that the answer has parts of
}

// release gives up what the answer has parts of.
func (r *Request) release() {
	for _, s := range r.held {
		s.readers.Add(-1)
	}
	r.held = r.held[:0]
}

// TopicPartition names a partition; Partition -1 stands for the topic itself.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Partitions are those that a Produce, Fetch, ListOffsets, OffsetForLeaderEpoch,
// AddPartitionsToTxn, OffsetCommit, OffsetFetch, TxnOffsetCommit, OffsetDelete,
// DeleteRecords, ElectLeaders, AlterPartitionReassignments or DescribeProducers
// request names itself, in its order; nil for other requests. (An incremental
// fetch names only what changes in its session.)
func (r *Request) Partitions() (list []TopicPartition) {
	add := func(topic string, byID bool, id int32) {
		list = append(list, TopicPartition{r.conn.cluster.topicName(topic, byID), id})
	}
	switch r.API {
	case Produce:
		for _, p := range bridge.ProduceRecords(r.Body) {
			add(p.Topic, r.Version >= produceByID, p.Partition)
		}
	case Fetch:
		fetch, _ := bridge.FetchPartitions(r.Body)
		for _, p := range fetch {
			add(p.Topic, r.Version >= fetchByID, p.Partition)
		}
	case ListOffsets:
		for _, p := range bridge.ListedPartitions(r.Body) {
			add(p.Topic, false, p.Partition)
		}
	case AddPartitionsToTxn:
		req := r.Body.(*sarama.AddPartitionsToTxnRequest)
		for topic, ids := range req.TopicPartitions {
			for _, id := range ids {
				add(topic, false, id)
			}
		}
	case OffsetForLeaderEpoch:
		for _, p := range bridge.EpochsWanted(r.Body) {
			add(p.Topic, false, p.Partition)
		}
	default:
		r.groupPartitions(add)
		r.adminPartitions(add)
	}
	return list
}

// topicName is the name of a topic that may be named by its id.
func (c *Cluster) topicName(name string, byID bool) string {
	if byID {
		if t := c.catalog.Load().named(name, true); t != nil {
			return t.name
		}
	}
	return name
}

// RemoteAddr is the client's address.
func (r *Request) RemoteAddr() net.Addr { return r.conn.net.RemoteAddr() }

// Done is closed when the connection ends at the broker's side, as it does when
// the cluster is closed. A hook that waits for something waits for it, too.
func (r *Request) Done() <-chan struct{} { return r.conn.gone }

// Action is how far a request gets.
type Action int

// What can happen to a request. After Drop and DropAnswer nothing on the
// connection is ever answered, since answers come in order; it stays open.
const (
	// Process processes and answers it.
	Process Action = iota
	// Drop neither processes nor answers it.
	Drop
	// DropAnswer processes it and never answers.
	DropAnswer
	// CutBefore closes the connection instead of processing it.
	CutBefore
	// CutAfter processes it and closes the connection instead of answering.
	CutAfter
)

// Reply is what a hook wants to happen to a request. The zero value changes
// nothing.
type Reply struct {
	// Action is how far the request gets.
	Action Action
	// Response is sent instead of processing the request: a
	// *sarama.MetadataResponse for Metadata and so on. It must not be used
	// again, nor changed, once it was returned.
	Response any
	// Err refuses the whole request.
	Err sarama.KError
	// Errors refuses single partitions of a Metadata request, or of one for which
	// Request.Partitions lists them; and, as partition -1, all of a topic in
	// these and in CreateTopics, DeleteTopics, CreatePartitions and the requests
	// about settings (where it may be another thing's name). What is refused is
	// not processed.
	Errors map[TopicPartition]sarama.KError
	// Delay is waited before the request is processed, AnswerDelay after.
	Delay       time.Duration
	AnswerDelay time.Duration
	// Throttle is the throttle time in the response. The broker really does
	// throttle, as Kafka: it reads on later or, in old versions, answers later.
	Throttle time.Duration
}

// errorFor is what the hooks want said of a partition, or, as -1, of a topic.
func (r *Request) errorFor(topic string, partition int32) sarama.KError {
	if r.reply.Err != sarama.ErrNoError || r.reply.Errors == nil {
		return r.reply.Err
	}
	if err, ok := r.reply.Errors[TopicPartition{topic, partition}]; ok {
		return err
	}
	return r.reply.Errors[TopicPartition{topic, -1}]
}

// hook is a function that sees requests before they are processed.
type hook struct{ see func(*Request) *Reply }

// Handle has a function see each request before it is processed, on the
// goroutine of the request's connection: other connections go on meanwhile. It
// may call every method of the cluster but Close. It returns what is to happen,
// nil for nothing out of the ordinary. remove takes it away; requests that it
// is seeing meanwhile go on.
//
// All hooks see all requests, in the order in which they were added, and what
// they want is put together: delays are added, of throttle times the longest
// counts, of errors for the same partition and of everything else the first.
// ApiVersions requests of a version that is not offered are answered without.
func (c *Cluster) Handle(see func(r *Request) *Reply) (remove func()) {
	h := &hook{see}
	c.changeHooks(func(list []*hook) []*hook { return append(list, h) })
	return func() {
		c.changeHooks(func(list []*hook) []*hook {
			return slices.DeleteFunc(list, func(o *hook) bool { return o == h })
		})
	}
}

func (c *Cluster) changeHooks(change func([]*hook) []*hook) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*hook
	if old := c.hooks.Load(); old != nil {
		list = slices.Clone(*old)
	}
	if list = change(list); len(list) == 0 {
		c.hooks.Store(nil)
		return
	}
	c.hooks.Store(&list)
}

// ask shows a request to the hooks and puts their replies together.
func (r *Request) ask(hooks []*hook) {
	var all Reply
	for _, h := range hooks {
		if reply := h.see(r); reply != nil {
			all.add(reply)
		}
	}
	r.reply = all
}

func (r *Reply) add(o *Reply) {
	if r.Action == Process {
		r.Action = o.Action
	}
	if r.Response == nil {
		r.Response = o.Response
	}
	if r.Err == sarama.ErrNoError {
		r.Err = o.Err
	}
	for at, err := range o.Errors {
		if r.Errors == nil {
			r.Errors = make(map[TopicPartition]sarama.KError)
		}
		if _, ok := r.Errors[at]; !ok {
			r.Errors[at] = err
		}
	}
	r.Delay += max(0, o.Delay)
	r.AnswerDelay += max(0, o.AnswerDelay)
	r.Throttle = max(r.Throttle, o.Throttle)
}
