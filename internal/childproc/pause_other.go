//go:build !unix

package childproc

import "errors"

var errNoPause = errors.New("this system cannot halt a process")

// Pause and Resume cannot do anything here.
func (p *Process) Pause() error  { return errNoPause }
func (p *Process) Resume() error { return errNoPause }
