package fakekafka

import (
	"sync"

	"github.com/IBM/sarama"
)

// rules are what administrators store about users: access rules, quotas and
// SCRAM credentials. Nothing follows from them: everybody may do everything, at
// any rate, and logs in as Options.Users says.
type rules struct {
	// mu is taken alone
	mu struct {
		sync.Mutex
		acls   []acl // in the order in which they were made
		quotas map[quotaEntity]map[string]float64
		scram  map[string]map[sarama.ScramMechanismType]int32 // iterations by user
	}
}

func (s *rules) init() {
	s.mu.quotas = make(map[quotaEntity]map[string]float64)
	s.mu.scram = make(map[string]map[sarama.ScramMechanismType]int32)
}

// acl is one access rule.
type acl struct {
	sarama.Resource
	sarama.Acl
}
