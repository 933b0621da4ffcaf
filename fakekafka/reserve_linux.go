package fakekafka

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// reservation keeps a port for a broker while it does not listen: a socket that
// is bound and never listens. Both it and Go's listeners set SO_REUSEADDR, with
// which Linux lets them share the port, and nobody else gets it meanwhile.
type reservation struct{ socket *os.File }

// reservePort takes a port of 127.0.0.1 that the system chooses.
func reservePort() (reservation, int, error) {
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	syscall.ForkLock.RUnlock()
	if err != nil {
		return reservation{}, 0, os.NewSyscallError("socket", err)
	}
	port, err := bindLoopback(fd)
	if err != nil {
		_ = syscall.Close(fd)
		return reservation{}, 0, err
	}
	return reservation{os.NewFile(uintptr(fd), "port "+strconv.Itoa(port))}, port, nil
}

func bindLoopback(fd int) (int, error) {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	addr, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	v4, ok := addr.(*syscall.SockaddrInet4)
	if !ok {
		return 0, fmt.Errorf("socket has an address of type %T", addr)
	}
	return v4.Port, nil
}

// release gives the port back. There may be none.
func (r reservation) release() { _ = r.socket.Close() }
