package fakekafka_test

import (
	"crypto/tls"
	"testing"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
	"github.com/IBM/sarama/internal/testtls"
)

func TestConnectionsMayBeEncrypted(t *testing.T) {
	authority := testtls.New(t, "authority")
	own := authority.Issue(t, "127.0.0.1")
	cluster := fakekafka.New(t, fakekafka.Options{
		Brokers: 2, TLS: &tls.Config{Certificates: []tls.Certificate{own.TLS}}, Topics: []fakekafka.Topic{{Name: "t"}},
	})
	conf := config(cluster)
	conf.Net.TLS.Enable, conf.Net.TLS.Config = true, &tls.Config{RootCAs: authority.Pool()}
	client, err := sarama.NewClient(cluster.Addrs(), conf)
	must(t, err)
	defer client.Close()
	leader, err := client.Leader("t", 0)
	must(t, err)
	wantErr(t, produce(t, leader, "t", 0, batch("a", "b")).Err, sarama.ErrNoError)
	wantValues(t, values(fetch(t, leader, fetchRequest("t", 0, 0)).GetBlock("t", 0)), "a", "b")
	// Who does not encrypt gets nothing, and the broker goes on.
	c := rawConn(t, cluster, 1)
	_, err = c.Write(frame(18, 0, 1))
	must(t, err)
	if _, err := c.Read(make([]byte, 100)); err != nil {
		t.Logf("plain connection: %v", err) // an alert or the end, as it happens
	}
	wantErr(t, produce(t, leader, "t", 0, batch("c")).Err, sarama.ErrNoError)
}
