//go:build unix

package childproc

import "syscall"

// Pause halts the child, Resume lets it go on.
func (p *Process) Pause() error  { return p.Signal(syscall.SIGSTOP) }
func (p *Process) Resume() error { return p.Signal(syscall.SIGCONT) }
