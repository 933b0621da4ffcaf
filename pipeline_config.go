package sarama

import (
	"errors"
	"fmt"
)

// pipelineConfig is a copy of a Config with what a Pipeline needs.
func pipelineConfig(groupID string, config *Config) (*Config, error) {
	if config == nil {
		config = NewConfig()
	}
	own := *config
	if own.Producer.RequiredAcks == NoResponse {
		return nil, configErrorf("Producer.RequiredAcks is NoResponse (%d), but a Pipeline needs WaitForAll (%d)", NoResponse, WaitForAll)
	}
	own.Producer.RequiredAcks = WaitForAll
	own.Producer.Idempotent = true
	own.Producer.Return.Successes, own.Producer.Return.Errors = true, true
	own.Producer.Flush.Bytes, own.Producer.Flush.Messages, own.Producer.Flush.Frequency = 0, 0, 0
	own.Consumer.IsolationLevel = ReadCommitted
	own.Consumer.Offsets.AutoCommit.Enable = false
	own.Consumer.Return.Errors = false
	if own.Producer.Transaction.ID == "" {
		if own.Producer.Transaction.ID = groupID + "-" + newMemberID(); own.Consumer.Group.InstanceId != "" {
			own.Producer.Transaction.ID = groupID + "-" + own.Consumer.Group.InstanceId
		}
	}
	if err := checkPipelineConfig(&own); err != nil {
		return nil, err
	}
	return &own, own.Validate()
}

// checkPipelineConfig says what a Config lacks for a Pipeline.
func checkPipelineConfig(c *Config) error {
	needs := func(ok bool, field string, value, want any) error {
		if ok {
			return nil
		}
		return configErrorf("%s is %v, but a Pipeline needs %v", field, value, want)
	}
	return firstError(
		needs(c.Version.IsAtLeast(V2_5_0_0), "Version", c.Version, fmt.Sprintf("%v or later, for brokers to fence a member that was replaced", V2_5_0_0)),
		needs(c.Producer.Idempotent, "Producer.Idempotent", c.Producer.Idempotent, true),
		needs(c.Producer.RequiredAcks == WaitForAll, "Producer.RequiredAcks", int16(c.Producer.RequiredAcks), int16(WaitForAll)),
		needs(c.Producer.Transaction.ID != "", "Producer.Transaction.ID", `""`, "one"),
		needs(c.Producer.Return.Successes, "Producer.Return.Successes", false, true),
		needs(c.Producer.Return.Errors, "Producer.Return.Errors", false, true),
		needs(c.Producer.Flush.Messages <= 1 && c.Producer.Flush.Bytes == 0, "Producer.Flush.Messages or Bytes", "set", "0"),
		needs(c.Consumer.IsolationLevel == ReadCommitted, "Consumer.IsolationLevel", c.Consumer.IsolationLevel, ReadCommitted),
		needs(!c.Consumer.Offsets.AutoCommit.Enable, "Consumer.Offsets.AutoCommit.Enable", true, false),
	)
}

// cure is what may help after a failure.
type cure int8

const (
	cureTime     cure = iota // trying again, for as long as it takes
	cureAttempts             // trying again, perhaps
	cureNone
)

// pipelineCure tells what may help after an error of the producer, the group
// or Transform.
func pipelineCure(err error) cure {
	switch {
	case errors.As(err, new(*TransformError)), errors.As(err, new(*messageError)), errors.Is(err, ErrRebalanceTimedOut):
		return cureAttempts
	case isOneOf(err, ErrShuttingDown, ErrClosedClient, ErrClosedConsumerGroup, errCallPanicked,
		ErrFencedInstancedId, ErrInconsistentGroupProtocol, ErrGroupAuthorizationFailed, ErrTopicAuthorizationFailed,
		ErrInvalidTransactionTimeout, ErrSASLAuthenticationFailed, errNoStrategy),
		txnFatal(err), errors.As(err, new(ConfigurationError)), errors.As(err, new(*planError)):
		return cureNone
	case errors.Is(err, ErrSessionConsumeClaimExited):
		return cureAttempts
	case errors.Is(err, ErrTransactionOutcomeUnknown):
		return cureTime
	}
	var code KError
	if !errors.As(err, &code) {
		if retriable(err) {
			return cureTime
		}
		return cureAttempts
	}
	again, _ := txnRetriable(code)
	switch code {
	case ErrUnknownTopicOrPartition: // may never come
		return cureAttempts
	case ErrUnknownMemberId, ErrIllegalGeneration, ErrFencedMemberEpoch, ErrStaleMemberEpoch, ErrUnreleasedInstanceID, // of the group
		ErrInvalidProducerEpoch, ErrInvalidTxnState, ErrTransactionAbortable, ErrOutOfOrderSequenceNumber, ErrUnknownProducerID: // of the transaction
		return cureTime
	}
	if again || retriable(code) || retriableJoin(code) || retriableFetch(code) {
		return cureTime
	}
	return cureAttempts
}
