//go:build !linux

package childproc

import "syscall"

// attributes are none: only Linux can tie a child's life to its parent's.
func attributes() *syscall.SysProcAttr { return nil }
