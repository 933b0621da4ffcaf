package childproc

import "syscall"

// attributes have the kernel kill the child when this process dies, in whatever
// way: a test that panics or times out leaves nothing behind.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
