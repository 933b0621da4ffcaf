package sarama

// deliverer is the goroutine that gives an AsyncProducer's results to the
// user: the only sender on Successes and Errors, so that it alone ever waits
// for the user. It holds a queue for each channel and serves both, so that
// errors nobody reads hold up no success. It is woken by letters and by the
// user's reads, and ends, closing both channels, when all is delivered after
// Close.
type deliverer struct {
	// constant
	p         *producer
	mail      mailbox // letters: settled batches and refused messages, which the budget bounds, and two for the end
	successes chan *ProducerMessage
	errors    chan *ProducerError

	// owned by run
	wins   []*batch // to be delivered on successes; the first is in progress
	at     int      // next message of the first
	failed []failure
	all    bool // the owner has settled everything
	told   bool // the intake was told so
	last   bool // the intake has refused everything
}

// failure is messages that come back on Errors: one, or those of a batch.
type failure struct {
	msg   *ProducerMessage
	err   error
	held  int64
	batch *batch
	at    int
}

// Letters to the deliverer.
type (
	deliverAll struct{}
	deliverEnd struct{}
)

// fail brings a message back that was never part of a batch.
func (d *deliverer) fail(m *ProducerMessage, err error, held int64) {
	d.mail.send(&failure{msg: m, err: err, held: held})
}

// run is the deliverer's goroutine.
func (d *deliverer) run() {
	for {
		d.readMail()
		if len(d.wins) == 0 && len(d.failed) == 0 && d.ended() {
			return
		}
		var successes chan *ProducerMessage
		var errs chan *ProducerError
		var win *ProducerMessage
		var loss *ProducerError
		if len(d.wins) > 0 {
			if d.deliverMost() {
				continue
			}
			successes, win = d.successes, d.wins[0].msgs[d.at]
		}
		if len(d.failed) > 0 {
			errs, loss = d.errors, d.failed[0].next()
		}
		select {
		case successes <- win:
			d.succeeded()
		case errs <- loss:
			d.lost()
		case <-d.mail.wake:
		}
	}
}

// ended takes the next step towards the end, and reports that it is reached.
func (d *deliverer) ended() bool {
	if d.all && !d.told {
		d.told = true
		d.p.intake.mail.send(intakeEnd{})
	}
	if !d.last {
		return false
	}
	close(d.errors)
	close(d.successes)
	d.p.finish()
	return true
}

func (d *deliverer) readMail() {
	for l := d.mail.take(); l != nil; {
		next := l.next // a batch that is freed may be posted again at once
		switch item := l.item.(type) {
		case *batch:
			d.settled(item)
		case *failure:
			d.enter(*item)
		case deliverAll:
			d.all = true
		case deliverEnd:
			d.last = true
		}
		l = next
	}
}

// settled queues what a batch has for the user.
func (d *deliverer) settled(b *batch) {
	conf := &d.p.conf.Producer.Return
	switch {
	case b.err != nil && len(b.msgs) > 0:
		d.enter(failure{batch: b, err: b.err})
	case b.err == nil && conf.Successes && len(b.msgs) > 0:
		d.wins = append(d.wins, b)
	default:
		d.release(b)
	}
}

// enter queues failed messages, or logs them where the user does not want
// them.
func (d *deliverer) enter(f failure) {
	if d.p.conf.Producer.Return.Errors {
		d.failed = append(d.failed, f)
		return
	}
	for {
		Logger.Println(f.next())
		if f.advance() {
			break
		}
	}
	d.releaseFailure(&f)
}

// next is the failure's next message as it is sent.
func (f *failure) next() *ProducerError {
	if f.batch != nil {
		return &ProducerError{Msg: f.batch.msgs[f.at], Err: f.err}
	}
	return &ProducerError{Msg: f.msg, Err: f.err}
}

// advance goes on to the next message; done says that there is none.
func (f *failure) advance() (done bool) {
	f.at++
	return f.batch == nil || f.at == len(f.batch.msgs)
}

func (d *deliverer) lost() {
	f := &d.failed[0]
	if !f.advance() {
		return
	}
	d.releaseFailure(f)
	d.failed[0] = failure{}
	if d.failed = d.failed[1:]; len(d.failed) == 0 {
		d.failed = nil
	}
}

func (d *deliverer) releaseFailure(f *failure) {
	if f.batch != nil {
		d.release(f.batch)
	} else {
		d.p.budget.release(budgetShare{1, f.held})
	}
}

// release returns a batch's share of the budget, and the batch.
func (d *deliverer) release(b *batch) {
	d.p.budget.release(b.held)
	b.free()
}

// deliverMost sends successes for as long as the channel takes them; it
// reports whether that was all of the first batch.
func (d *deliverer) deliverMost() bool {
	b := d.wins[0]
	for d.at < len(b.msgs) {
		m := b.msgs[d.at]
		b.deliverTo(m, d.at)
		select {
		case d.successes <- m:
			d.at++
		default:
			return false
		}
	}
	d.next()
	return true
}

func (d *deliverer) succeeded() {
	if d.at++; d.at == len(d.wins[0].msgs) {
		d.next()
	}
}

// next is done with the first batch.
func (d *deliverer) next() {
	d.release(d.wins[0])
	d.wins[0], d.at = nil, 0
	if d.wins = d.wins[1:]; len(d.wins) == 0 {
		d.wins = nil
	}
}
