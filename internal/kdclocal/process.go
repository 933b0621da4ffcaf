package kdclocal

import (
	"context"
	"time"

	"github.com/IBM/sarama/internal/childproc"
)

// end asks a child to end, kills it when it has not done so in time, and returns
// when it is gone.
func end(p *childproc.Process, within time.Duration) {
	_ = p.Terminate()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	_ = p.Wait(ctx)
}
