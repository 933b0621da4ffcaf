package sarama

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func (a *clusterAdmin) DescribeTransactions(transactionalIDs []string) (map[string]TransactionState, error) {
	answers, failed := askShards(a, a.txnCoordinators(), transactionalIDs, func(b *Broker, ids []string) (map[string]shardAnswer[TransactionState], error) {
		resp, err := b.DescribeTransactions(&DescribeTransactionsRequest{TransactionalIDs: ids})
		if err != nil {
			return nil, err
		}
		answers := make(map[string]shardAnswer[TransactionState], len(ids))
		for _, s := range resp.TransactionStates {
			answers[s.TransactionalID] = told(s, s.ErrorCode)
		}
		return answers, nil
	})
	found := make(map[string]TransactionState, len(answers))
	for id, answer := range answers {
		if answer.told {
			found[id] = answer.value
		}
	}
	if err := unanswered(failed, transactionalIDs, answers, quoted); err != nil {
		return found, fmt.Errorf("describe transactions: %w", err)
	}
	return found, nil
}

func (a *clusterAdmin) ListTransactions(stateFilters []string, producerIDFilters []int64, durationFilterMs int64) ([]ListTransactionsResponseTransactionState, error) {
	if durationFilterMs >= 0 && !a.conf.Version.IsAtLeast(V3_8_0_0) {
		return nil, ConfigurationError("ListTransactions by duration requires Version >= V3_8_0_0")
	}
	var list []ListTransactionsResponseTransactionState
	var failed []error
	for _, s := range allAtOnce(a.allBrokers(), func(id int32) ([]ListTransactionsResponseTransactionState, error) {
		return adminCall(a, a.oneBroker(id), func(b *Broker) ([]ListTransactionsResponseTransactionState, error) {
			req := NewListTransactionsRequest(a.conf.Version)
			req.StateFilters, req.ProducerIDFilters, req.DurationFilter = stateFilters, producerIDFilters, durationFilterMs
			resp, err := b.ListTransactions(req)
			if err != nil {
				return nil, err
			}
			if len(resp.UnknownStateFilters) > 0 {
				return nil, fmt.Errorf("broker does not know the states %s", strings.Join(resp.UnknownStateFilters, ", "))
			}
			return resp.TransactionStates, codeOnly(resp.ErrorCode)
		})
	}) {
		if s.err != nil {
			failed = append(failed, fmt.Errorf("list transactions on broker %d: %w", s.key, s.err))
			continue
		}
		list = append(list, s.result...)
	}
	return slices.Clip(list), errors.Join(failed...)
}

// quoted is an id as errors name it.
func quoted(id string) string { return strconv.Quote(id) }
