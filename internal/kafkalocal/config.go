package kafkalocal

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	mainListener       = "PLAINTEXT"
	controllerListener = "CONTROLLER"
)

// serverProperties is the text of a node's server.properties. zoo is nil with
// KRaft.
func serverProperties(o Options, n *node, all []*node, zoo *zookeeper) ([]byte, error) {
	p := map[string]string{
		"node.id":                    strconv.Itoa(n.NodeID),
		"process.roles":              "broker",
		"controller.listener.names":  controllerListener,
		"inter.broker.listener.name": mainListener,
		"log.dirs":                   filepath.Join(n.Dir, "data"),
		"controller.quorum.voters":   quorumVoters(all),

		// The topics of Kafka's own: quick to make, and on every broker, so
		// that groups and transactions live on when one is killed.
		"offsets.topic.num.partitions":                     "5",
		"offsets.topic.replication.factor":                 strconv.Itoa(len(all)),
		"transaction.state.log.num.partitions":             "5",
		"transaction.state.log.replication.factor":         strconv.Itoa(len(all)),
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.num.partitions":     "5",
		"share.coordinator.state.topic.replication.factor": strconv.Itoa(len(all)),
		"share.coordinator.state.topic.min.isr":            "1",

		"group.initial.rebalance.delay.ms": "0",
		"num.partitions":                   "1",
		// Tests send messages with timestamps of long ago; they must stay.
		"log.retention.ms": "-1",
	}
	listeners := []string{mainListener + "://" + n.Addrs[mainListener]}
	advertised := []string{mainListener + "://" + advertise(o, n, mainListener)}
	protocols := []string{mainListener + ":PLAINTEXT", controllerListener + ":PLAINTEXT"}
	if isController(n.Index, len(all)) {
		p["process.roles"] = "broker,controller"
		listeners = append(listeners, controllerListener+"://"+n.Addrs[controllerListener])
	}
	for _, l := range o.Listeners {
		protocol := l.Protocol
		if protocol == "" {
			protocol = l.Name
		}
		listeners = append(listeners, l.Name+"://"+n.Addrs[l.Name])
		advertised = append(advertised, l.Name+"://"+advertise(o, n, l.Name))
		protocols = append(protocols, l.Name+":"+protocol)
		for k, v := range l.Properties {
			p["listener.name."+strings.ToLower(l.Name)+"."+k] = v
		}
	}
	p["listeners"] = strings.Join(listeners, ",")
	p["advertised.listeners"] = strings.Join(advertised, ",")
	p["listener.security.protocol.map"] = strings.Join(protocols, ",")
	if zoo != nil {
		zooProperties(p, n, zoo.addr)
	}
	maps.Copy(p, o.Properties)
	if o.BrokerProperties != nil {
		b := n.Broker
		b.Addrs = maps.Clone(n.Addrs)
		maps.Copy(p, o.BrokerProperties(b))
	}
	return formatProperties(p)
}

func advertise(o Options, n *node, listener string) string {
	if o.Advertise == nil {
		return n.Addrs[listener]
	}
	return o.Advertise(n.Index, listener, n.Addrs[listener])
}

// isController tells whether the broker of this index is one of the quorum: see
// Options.Brokers for why not all of two are.
func isController(index, brokers int) bool { return brokers != 2 || index == 0 }

func quorumVoters(all []*node) string {
	var voters []string
	for _, n := range all {
		if isController(n.Index, len(all)) {
			voters = append(voters, fmt.Sprintf("%d@%s", n.NodeID, n.Addrs[controllerListener]))
		}
	}
	return strings.Join(voters, ",")
}

func validListenerName(s string) bool {
	return s != "" && strings.TrimLeft(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// formatProperties writes settings in the form of java.util.Properties, sorted
// by name.
func formatProperties(p map[string]string) ([]byte, error) {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p)) {
		if k == "" || strings.ContainsFunc(k, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`=:#!\`, r) }) {
			return nil, fmt.Errorf("kafkalocal: %q is no name of a server setting", k)
		}
		b.WriteString(k)
		b.WriteByte('=')
		writePropertyValue(&b, p[k])
		b.WriteByte('\n')
	}
	return []byte(b.String()), nil
}

// writePropertyValue escapes what java.util.Properties would read as something
// else: backslashes, line ends, blanks at the start, and what is not ASCII.
func writePropertyValue(b *strings.Builder, v string) {
	for i, r := range v {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case i == 0 && r == ' ':
			b.WriteString(`\ `)
		case r < ' ' || r > '~' && r <= 0xffff:
			fmt.Fprintf(b, `\u%04x`, r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			b.WriteRune(r)
		}
	}
}
