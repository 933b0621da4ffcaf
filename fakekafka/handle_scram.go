package fakekafka

import (
	"maps"
	"slices"

	"github.com/IBM/sarama"
)

// How often a SCRAM password may be hashed (KIP-554).
const (
	scramIterationsMin = 4096
	scramIterationsMax = 16384
)

// scramChange is a credential to set, or, with no iterations, to delete.
type scramChange struct {
	user       string
	mechanism  sarama.ScramMechanismType
	iterations int32
	remove     bool
}

// alterUserScramCredentials sets and deletes credentials.
func (c *conn) alterUserScramCredentials(r *Request) (any, error) {
	req := r.Body.(*sarama.AlterUserScramCredentialsRequest)
	var changes []scramChange
	times := make(map[string]int)
	for _, d := range req.Deletions {
		changes = append(changes, scramChange{user: d.Name, mechanism: d.Mechanism, remove: true})
		times[d.Name]++
	}
	for _, u := range req.Upsertions {
		changes = append(changes, scramChange{user: u.Name, mechanism: u.Mechanism, iterations: u.Iterations})
		times[u.Name]++
	}
	resp := &sarama.AlterUserScramCredentialsResponse{Results: []*sarama.AlterUserScramCredentialsResult{}}
	for _, change := range changes {
		n := times[change.user]
		if delete(times, change.user); n == 0 {
			continue // there is an answer already
		}
		err := error(r.reply.Err)
		switch {
		case r.reply.Err != sarama.ErrNoError:
		case !c.controls():
			err = sarama.ErrNotController
		case n > 1:
			err = refuse(sarama.ErrDuplicateResource, "A user credential cannot be altered twice in the same request")
		default:
			err = c.cluster.rules.alterScram(change)
		}
		result := &sarama.AlterUserScramCredentialsResult{User: change.user}
		result.ErrorCode, result.ErrorMessage = codeAndReason(err)
		resp.Results = append(resp.Results, result)
	}
	return resp, nil
}

func (s *rules) alterScram(change scramChange) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	credentials := s.mu.scram[change.user]
	switch {
	case change.user == "":
		return refuse(sarama.ErrUnacceptableCredential, "Username must not be empty")
	case change.mechanism != sarama.SCRAM_MECHANISM_SHA_256 && change.mechanism != sarama.SCRAM_MECHANISM_SHA_512:
		return refuse(sarama.ErrUnsupportedSASLMechanism, "Unknown SCRAM mechanism")
	case change.remove && credentials[change.mechanism] == 0:
		return refuse(sarama.ErrResourceNotFound, "Attempt to delete a user credential that does not exist")
	case change.remove:
		if delete(credentials, change.mechanism); len(credentials) == 0 {
			delete(s.mu.scram, change.user)
		}
		return nil
	case change.iterations < scramIterationsMin:
		return refuse(sarama.ErrUnacceptableCredential, "Too few iterations")
	case change.iterations > scramIterationsMax:
		return refuse(sarama.ErrUnacceptableCredential, "Too many iterations")
	}
	if credentials == nil {
		credentials = make(map[sarama.ScramMechanismType]int32)
		s.mu.scram[change.user] = credentials
	}
	credentials[change.mechanism] = change.iterations
	return nil
}

// describeUserScramCredentials tells which users have which credentials, of all
// users where none is named.
func (c *conn) describeUserScramCredentials(r *Request) (any, error) {
	req := r.Body.(*sarama.DescribeUserScramCredentialsRequest)
	resp := &sarama.DescribeUserScramCredentialsResponse{ErrorCode: r.reply.Err, Results: []*sarama.DescribeUserScramCredentialsResult{}}
	if resp.ErrorCode != sarama.ErrNoError {
		return resp, nil
	}
	store := &c.cluster.rules
	store.mu.Lock()
	defer store.mu.Unlock()
	times := make(map[string]int)
	for _, u := range req.DescribeUsers {
		times[u.Name]++
	}
	if len(times) == 0 {
		for name := range store.mu.scram {
			times[name] = 1
		}
	}
	for _, name := range slices.Sorted(maps.Keys(times)) {
		result := &sarama.DescribeUserScramCredentialsResult{User: name}
		resp.Results = append(resp.Results, result)
		credentials := store.mu.scram[name]
		var err error
		switch {
		case times[name] > 1:
			err = refuse(sarama.ErrDuplicateResource, "Cannot describe SCRAM credentials for the same user twice in a single request: %s", name)
		case len(credentials) == 0:
			err = refuse(sarama.ErrResourceNotFound, "Attempt to describe a user credential that does not exist: %s", name)
		}
		if result.ErrorCode, result.ErrorMessage = codeAndReason(err); err != nil {
			continue
		}
		for _, m := range slices.Sorted(maps.Keys(credentials)) {
			result.CredentialInfos = append(result.CredentialInfos, &sarama.UserScramCredentialsResponseInfo{Mechanism: m, Iterations: credentials[m]})
		}
	}
	return resp, nil
}
