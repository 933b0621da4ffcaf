package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/IBM/sarama"
)

func TestSplitsEveryLineOnce(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &options{lines: 2000, partitions: 3, restarts: 1}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "2000 lines in") {
		t.Errorf("it says %q", out.String())
	}
}

// TestCompareFindsFaults gives it words that are missing, too many, of another
// order, or nobody's.
func TestCompareFindsFaults(t *testing.T) {
	for name, list := range map[string][][2]string{
		"twice":        {{"0", "0 the"}, {"0", "0 the"}},
		"out of order": {{"0", "1 quick"}},
		"one more":     {{"0", "0 the"}, {"0", "1 quick"}, {"0", "2 brown"}},
		"of no line":   {{"7", "0 the"}},
	} {
		msgs := make(chan *sarama.ConsumerMessage, len(list))
		for _, m := range list {
			msgs <- &sarama.ConsumerMessage{Key: []byte(m[0]), Value: []byte(m[1])}
		}
		if err := compare(t.Context(), msgs, []int{2}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestParse(t *testing.T) {
	for _, args := range [][]string{{"-n", "0"}, {"-partitions", "0"}, {"-restarts", "-1"}, {"more"}, {"-nothing"}} {
		var out bytes.Buffer
		if _, err := parse(args, &out); err == nil || out.Len() == 0 {
			t.Errorf("%v: %v, said %q", args, err, out.String())
		}
	}
	if o, err := parse([]string{"-brokers", "a:1,b:2"}, &bytes.Buffer{}); err != nil || len(o.brokers) != 2 {
		t.Errorf("%v, %v", o, err)
	}
}
