package sarama_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when the tests leave a goroutine behind.
func TestMain(m *testing.M) {
	// Tests that are parallel wait for a cluster most of the time: more of them
	// than there are processors may run at once.
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		_ = flag.Set("test.parallel", "4")
	}
	goleak.VerifyTestMain(withClusters{m}, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick")) // of a test that compares with it
}

// withClusters closes what the tests have shared when the last of them is over.
type withClusters struct{ *testing.M }

func (m withClusters) Run() int {
	code := m.M.Run()
	if closed := closeSecureKafka(); !closeSharedKafka() || !closed {
		code = max(code, 1)
	}
	return code
}
