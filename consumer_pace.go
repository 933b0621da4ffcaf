package sarama

import "time"

// pace is how fast the user of a partition takes its records, as its fetcher
// sees it.
type pace struct {
	handed         int64 // bytes given to the feeder since the cursor came here
	drained        int64 // of those, when measured last
	measured       time.Time
	bytesPerSecond float64

	stall      int64 // the wait for the user that was seen last
	stallSince time.Time
	slow       bool // the user takes too long
}

// firstDrain is how long a feeder is taken to need for a full load until more
// is known.
const firstDrain = 10 * time.Millisecond

func newPace(pc *partitionConsumer, conf *Config) pace {
	return pace{
		handed: pc.held.Load(), measured: time.Now(),
		bytesPerSecond: float64(conf.Consumer.Fetch.Default) / firstDrain.Seconds(),
	}
}

// untilRoom is about how long a partition will be without room. The request
// that leaves it out should not wait longer for others, and may wait no longer
// than MaxProcessingTime.
func (f *fetcher) untilRoom(c *cursor, now time.Time) time.Duration {
	p, limit := &c.pace, f.conf.Consumer.MaxProcessingTime
	held := c.pc.held.Load()
	drained := p.handed - held
	if elapsed := now.Sub(p.measured); elapsed >= time.Millisecond {
		p.bytesPerSecond = (p.bytesPerSecond + float64(drained-p.drained)/elapsed.Seconds()) / 2
		p.drained, p.measured = drained, now
	}
	if stall := c.pc.stall.Load(); stall == 0 || stall != p.stall {
		p.stall, p.stallSince = stall, now
	} else if now.Sub(p.stallSince) >= limit && !p.slow {
		p.slow = true
		Logger.Printf("consumer/broker/%d abandoned subscription to %s/%d until it is read, because consuming was taking too long\n", f.id, c.pc.topic, c.pc.partition)
	}
	seconds := float64(held-int64(f.conf.Consumer.Fetch.Default)+1) / p.bytesPerSecond
	if !(seconds < limit.Seconds()) || c.pc.troubles.Load() > 0 {
		return limit
	}
	return time.Duration(seconds * float64(time.Second))
}

// hasRoom notes that a partition can be fetched.
func (f *fetcher) hasRoom(c *cursor) {
	if c.pace.slow {
		c.pace.slow = false
		Logger.Printf("consumer/broker/%d added subscription to %s/%d again\n", f.id, c.pc.topic, c.pc.partition)
	}
}
