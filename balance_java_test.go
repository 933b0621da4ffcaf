package sarama

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/IBM/sarama/internal/kafkalocal"
)

// javaWord is how lists are written for testdata/java/Assignors.java.
func javaWord[T any](list []T) string {
	if len(list) == 0 {
		return "-"
	}
	text := make([]string, len(list))
	for i, v := range list {
		text[i] = fmt.Sprint(v)
	}
	return strings.Join(text, ",")
}

// write writes the case in the form that Assignors.java reads.
func (c *planCase) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "plan %s\n", c.strategy.Name())
	for _, topic := range slices.Sorted(maps.Keys(c.topics)) {
		fmt.Fprintf(b, "topic %s", topic)
		for _, p := range c.topics[topic] {
			fmt.Fprintf(b, " %s", javaWord(c.racks[topic][p]))
		}
		b.WriteByte('\n')
	}
	for _, id := range slices.Sorted(maps.Keys(c.members)) {
		m := c.members[id]
		rack, data := rackOf(m), hex.EncodeToString(m.UserData)
		if rack == "" {
			rack = "-"
		}
		if data == "" {
			data = "-"
		}
		fmt.Fprintf(b, "member %s %d %s %s %s", id, m.GenerationID, rack, javaWord(m.Topics), data)
		for _, o := range m.OwnedPartitions {
			fmt.Fprintf(b, " %s:%s", o.Topic, javaWord(o.Partitions))
		}
		b.WriteByte('\n')
	}
	b.WriteString("end\n")
}

// javaPlans has Kafka's own assignors make the same plans, all in one virtual
// machine. A plan is nil where the assignor failed.
func javaPlans(t *testing.T, cases []*planCase) []BalanceStrategyPlan {
	t.Helper()
	libs, err := kafkalocal.Install(t.Context(), "4.3.1")
	if err != nil {
		t.Skipf("no assignors of Kafka here: %v", err)
	}
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	var in, stderr bytes.Buffer
	for _, c := range cases {
		c.write(&in)
	}
	cmd := exec.CommandContext(t.Context(), java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", filepath.Join(libs, "*"), filepath.Join("testdata", "java", "Assignors.java"))
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var plans []BalanceStrategyPlan
	plan := BalanceStrategyPlan{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		switch words[0] {
		case "end":
			plans = append(plans, plan)
			plan = BalanceStrategyPlan{}
		case "failed":
			plan = nil
		default:
			plan[words[0]] = readJavaTopics(t, words[1:])
		}
	}
	if len(plans) != len(cases) {
		t.Fatalf("%d plans for %d cases\n%s", len(plans), len(cases), stderr.String())
	}
	return plans
}

func readJavaTopics(t *testing.T, words []string) map[string][]int32 {
	topics := map[string][]int32{}
	for _, word := range words {
		topic, numbers, _ := strings.Cut(word, ":")
		for number := range strings.SplitSeq(numbers, ",") {
			p, err := strconv.Atoi(number)
			if err != nil {
				t.Fatal(err)
			}
			topics[topic] = append(topics[topic], int32(p))
		}
	}
	return topics
}

// samePlans compares plans; range leaves out members that get nothing.
func samePlans(a, b BalanceStrategyPlan) bool {
	withoutEmpty := func(p BalanceStrategyPlan) BalanceStrategyPlan {
		p = maps.Clone(p)
		maps.DeleteFunc(p, func(_ string, topics map[string][]int32) bool { return len(topics) == 0 })
		return p
	}
	return reflect.DeepEqual(withoutEmpty(a), withoutEmpty(b))
}

// Plans are those of Kafka's own assignors, so that it does not matter who
// leads a group of both clients.
func TestBalancePlansAreThoseOfKafkasOwnAssignors(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Kafka's own assignors, which -short leaves out")
	}
	if ok, why := kafkalocal.Available(); !ok {
		t.Skipf("no assignors of Kafka here: %s", why)
	}
	kinds := []planGroup{
		{name: "range", strategy: NewBalanceStrategyRange, lost: 10},
		{name: "range, racks", strategy: NewBalanceStrategyRange, racks: 3, lost: 10},
		{name: "range, racks, alike", strategy: NewBalanceStrategyRange, racks: 3, alike: true, lost: 10},
		{name: "sticky, alike", strategy: NewBalanceStrategySticky, alike: true, missed: 5},
		{name: "sticky, unlike", strategy: NewBalanceStrategySticky, missed: 5},
		{name: "sticky, racks", strategy: NewBalanceStrategySticky, alike: true, racks: 3},
		{name: "cooperative, alike", strategy: NewBalanceStrategyCooperativeSticky, alike: true},
		{name: "cooperative, unlike", strategy: NewBalanceStrategyCooperativeSticky},
		{name: "cooperative, alike, trouble", strategy: NewBalanceStrategyCooperativeSticky, alike: true, missed: 15, lost: 10, twice: 20},
		{name: "cooperative, unlike, trouble", strategy: NewBalanceStrategyCooperativeSticky, missed: 15, lost: 10, twice: 20},
		{name: "cooperative, alike, racks", strategy: NewBalanceStrategyCooperativeSticky, alike: true, racks: 3, missed: 5, lost: 5},
		{name: "cooperative, unlike, racks", strategy: NewBalanceStrategyCooperativeSticky, racks: 3},
	}
	var cases []*planCase
	var ends []int
	for i, kind := range kinds {
		for seed := range uint64(100) {
			cases = append(cases, kind.play(t, seed+uint64(i)<<32, 6)...)
		}
		ends = append(ends, len(cases))
	}
	plans := javaPlans(t, cases)
	from := 0
	for i, kind := range kinds {
		comparePlans(t, kind.name, cases[from:ends[i]], plans[from:ends[i]])
		from = ends[i]
	}
}

func comparePlans(t *testing.T, name string, cases []*planCase, plans []BalanceStrategyPlan) {
	equal, different, unusable := 0, 0, 0
	first := ""
	for i, plan := range plans {
		c := cases[i]
		if why := c.wild(c.got); why != "" {
			t.Errorf("%s: %s: %v", c.label, why, c.got)
		}
		switch {
		case plan != nil && samePlans(plan, c.got):
			equal++
		case plan == nil || c.wild(plan) != "":
			// With outdated claims Kafka's assignors sometimes fail, or assign
			// what is not there or not subscribed to.
			unusable++
		default:
			different++
			var b bytes.Buffer
			if c.write(&b); first == "" || b.Len() < len(first) {
				first = fmt.Sprintf("%s\n%s\n here  %v\n Kafka %v", c.label, b.String(), c.got, plan)
			}
		}
	}
	t.Logf("%-30s %d plans: %d equal, %d different, %d that Kafka's assignor has no usable plan for", name, len(plans), equal, different, unusable)
	if different > 0 {
		t.Errorf("%s: %d plans differ, such as %s", name, different, first)
	}
	if unusable*50 > len(plans) {
		t.Errorf("%s: %d of %d plans of Kafka's assignors cannot be compared", name, unusable, len(plans))
	}
}
