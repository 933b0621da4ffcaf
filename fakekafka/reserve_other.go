//go:build !linux

package fakekafka

// reservation is nothing here: while a broker does not listen, another process
// may take its port, and RestartBroker then fails.
type reservation struct{}

// reservePort leaves the choice of a port to the first listener.
func reservePort() (reservation, int, error) { return reservation{}, 0, nil }

func (reservation) release() {}
