package kdclocal

import "syscall"

// childAttributes have the system kill the child when this process dies, in
// whatever way: a test that panics or times out leaves no KDC behind.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
