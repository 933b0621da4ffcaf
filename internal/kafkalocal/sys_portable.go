//go:build !linux

package kafkalocal

import "net"

// reservedPort is a port of 127.0.0.1 that was free when it was asked for.
type reservedPort struct {
	addr string
}

func reservePort() (*reservedPort, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	return &reservedPort{addr: addr}, l.Close()
}

func (p *reservedPort) release() {}
