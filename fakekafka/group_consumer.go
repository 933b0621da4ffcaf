package fakekafka

import (
	"time"

	"github.com/IBM/sarama"
)

// consumerGroup is a group of the newer protocol.
type consumerGroup struct{}

func (k *consumerGroup) next() time.Time      { return time.Time{} }
func (k *consumerGroup) due(now time.Time)    {}
func (k *consumerGroup) reload(now time.Time) {}
func (k *consumerGroup) state() string        { return "" }
func (k *consumerGroup) bump()                {}
func (k *consumerGroup) describe(*GroupState) {}
func (k *consumerGroup) consumes(string) bool { return false }
func (k *consumerGroup) expel([]sarama.MemberIdentity) []sarama.MemberResponse {
	return nil
}
func (k *consumerGroup) mayFetch(*string, int32) sarama.KError { return 0 }
func (k *consumerGroup) mayCommit(string, *string, int32, int16, bool) sarama.KError {
	return 0
}
func (g *group) becomeClassicLocked() bool { return true }

// admitTxnOffsets says whether a transaction may commit offsets.
func (c *Cluster) admitTxnOffsets(r *Request, req *sarama.TxnOffsetCommitRequest) sarama.KError {
	return sarama.ErrNoError
}
