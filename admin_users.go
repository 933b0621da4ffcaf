package sarama

import "slices"

func (a *clusterAdmin) DescribeUserScramCredentials(users []string) ([]*DescribeUserScramCredentialsResult, error) {
	req := new(DescribeUserScramCredentialsRequest)
	for _, name := range users {
		req.DescribeUsers = append(req.DescribeUsers, DescribeUserScramCredentialsRequestUser{Name: name})
	}
	to := a.controller()
	to.reads = true
	return adminCall(a, to, func(b *Broker) ([]*DescribeUserScramCredentialsResult, error) {
		resp, err := b.DescribeUserScramCredentials(req)
		if err != nil {
			return nil, err
		}
		if err := codeError(resp.ErrorCode, resp.ErrorMessage); err != nil {
			return nil, err
		}
		return resp.Results, nil
	})
}

func (a *clusterAdmin) DeleteUserScramCredentials(deletions []AlterUserScramCredentialsDelete) ([]*AlterUserScramCredentialsResult, error) {
	return a.alterScramCredentials(&AlterUserScramCredentialsRequest{Deletions: deletions})
}

func (a *clusterAdmin) UpsertUserScramCredentials(upsertions []AlterUserScramCredentialsUpsert) ([]*AlterUserScramCredentialsResult, error) {
	return a.alterScramCredentials(&AlterUserScramCredentialsRequest{Upsertions: slices.Clone(upsertions)}) // it keeps what it derives
}

func (a *clusterAdmin) alterScramCredentials(req *AlterUserScramCredentialsRequest) ([]*AlterUserScramCredentialsResult, error) {
	return adminCall(a, a.controller(), func(b *Broker) ([]*AlterUserScramCredentialsResult, error) {
		resp, err := b.AlterUserScramCredentials(req)
		if err != nil {
			return nil, err
		}
		for _, r := range resp.Results {
			if r.ErrorCode == ErrNotController { // which it is for all
				return resp.Results, r.ErrorCode
			}
		}
		return resp.Results, nil
	})
}

func (a *clusterAdmin) DescribeClientQuotas(components []QuotaFilterComponent, strict bool) ([]DescribeClientQuotasEntry, error) {
	to := a.controller()
	to.reads = true
	return adminCall(a, to, func(b *Broker) ([]DescribeClientQuotasEntry, error) {
		resp, err := b.DescribeClientQuotas(NewDescribeClientQuotasRequest(a.conf.Version, components, strict))
		if err != nil {
			return nil, err
		}
		if err := quotaError(resp.ErrorCode, resp.ErrorMsg); err != nil {
			return nil, err
		}
		return resp.Entries, nil
	})
}

func (a *clusterAdmin) AlterClientQuotas(entity []QuotaEntityComponent, op ClientQuotasOp, validateOnly bool) error {
	return a.do(a.controller(), func(b *Broker) error {
		resp, err := b.AlterClientQuotas(&AlterClientQuotasRequest{
			Version: apiAlterClientQuotas.versionFor(a.conf.Version), ValidateOnly: validateOnly,
			Entries: []AlterClientQuotasEntry{{Entity: entity, Ops: []ClientQuotasOp{op}}},
		})
		if err != nil {
			return err
		}
		if len(resp.Entries) == 0 {
			return ErrIncompleteResponse
		}
		for _, e := range resp.Entries {
			if err := quotaError(e.ErrorCode, e.ErrorMsg); err != nil {
				return err
			}
		}
		return nil
	})
}

// toldError is the error of a code whose text is the broker's message alone.
type toldError struct {
	code    KError
	message string
}

func (e *toldError) Error() string { return e.message }
func (e *toldError) Unwrap() error { return e.code }

// quotaError is the error of a code; its text is the broker's where there is
// one.
func quotaError(code KError, message *string) error {
	if code != ErrNoError && message != nil && *message != "" {
		return &toldError{code, *message}
	}
	return codeOnly(code)
}
