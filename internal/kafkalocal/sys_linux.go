package kafkalocal

import (
	"net"
	"os"
	"strconv"
	"syscall"
)

// reservedPort keeps a port of 127.0.0.1 for a broker, also while that is down.
type reservedPort struct {
	addr string
	fd   int
}

// reservePort has the system choose a port. The socket that holds it is bound
// but does not listen: Linux then gives the port to nobody who asks for any
// port, and no outgoing connection gets it as its own (one to a broker that is
// down could reach itself), while a broker that asks for this very port gets
// it, as both have SO_REUSEADDR set.
func reservePort() (*reservedPort, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	port, err := bindAny(fd)
	if err != nil {
		_ = syscall.Close(fd)
		return nil, err
	}
	return &reservedPort{addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), fd: fd}, nil
}

func bindAny(fd int) (int, error) {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	return sa.(*syscall.SockaddrInet4).Port, nil
}

func (p *reservedPort) release() { _ = syscall.Close(p.fd) }
