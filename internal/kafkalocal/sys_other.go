//go:build !unix

package kafkalocal

import (
	"context"
	"errors"
)

var errNoPause = errors.New("this system cannot halt a process")

func (p *process) pause() error  { return errNoPause }
func (p *process) resume() error { return errNoPause }

// lockFile does not lock: two processes may then both fetch what one would do.
func lockFile(context.Context, string) (unlock func(), err error) {
	return func() {}, nil
}
