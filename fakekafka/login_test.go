package fakekafka_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

func TestSaslMechanisms(t *testing.T) {
	opts := one()
	opts.Users = map[string]string{"ann": "secret", "a=b,c": "pässword"}
	for _, mechanism := range []sarama.SASLMechanism{sarama.SASLTypePlaintext, sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512} {
		for _, version := range []int16{sarama.SASLHandshakeV0, sarama.SASLHandshakeV1} {
			for _, test := range []struct {
				name, user, password, identity string
				good                           bool
			}{
				{"right", "ann", "secret", "", true},
				{"delimiters and no ASCII", "a=b,c", "pässword", "", true},
				{"as oneself", "a=b,c", "pässword", "a=b,c", true},
				{"as another", "ann", "secret", "a=b,c", false},
				{"wrong password", "ann", "guess", "", false},
				{"nobody", "bob", "secret", "", false},
			} {
				t.Run(fmt.Sprintf("%s, version %d, %s", mechanism, version, test.name), func(t *testing.T) {
					cluster := fakekafka.New(t, opts)
					conf := config(cluster)
					sasl := &conf.Net.SASL
					sasl.Enable, sasl.User, sasl.Password, sasl.Version, sasl.Mechanism = true, test.user, test.password, version, mechanism
					sasl.AuthIdentity, sasl.SCRAMAuthzID = test.identity, test.identity
					conf.ApiVersionsRequest = version != sarama.SASLHandshakeV0
					b := sarama.NewBroker(cluster.Addrs()[0])
					must(t, b.Open(conf))
					defer b.Close()
					ok, err := b.Connected()
					if ok != test.good {
						t.Fatalf("connected: %v, %v", ok, err)
					}
					if !test.good {
						if !errors.Is(err, sarama.ErrSASLAuthenticationFailed) {
							t.Fatal(err)
						}
						return
					}
					_, err = b.GetMetadata(&sarama.MetadataRequest{Version: 9})
					must(t, err)
				})
			}
		}
	}
}

// TestSaslSessionsEnd: who does not authenticate again is hung up on.
func TestSaslSessionsEnd(t *testing.T) {
	opts := one()
	opts.Users, opts.SessionLifetime = map[string]string{"ann": "secret", "bob": "hidden"}, 1100*time.Millisecond
	cluster := fakekafka.New(t, opts)
	plain := []byte{0, 5, 'P', 'L', 'A', 'I', 'N'}
	token := append([]byte{0, 0, 0, 11}, "\x00ann\x00secret"...)
	other := append([]byte{0, 0, 0, 11}, "\x00bob\x00hidden"...)
	errOf := func(b []byte) sarama.KError { return sarama.KError(binary.BigEndian.Uint16(b[4:])) }
	metadata := frame(3, 1, 1, 0, 0, 0, 0)

	// again is a connection that has logged in and begins to do so again.
	again := func() net.Conn {
		c := rawConn(t, cluster, 1)
		exchange(t, c, frame(17, 1, 1, plain...))
		exchange(t, c, frame(36, 1, 1, token...))
		wantErr(t, errOf(exchange(t, c, frame(17, 1, 1, plain...))), sarama.ErrNoError)
		return c
	}

	c := rawConn(t, cluster, 1)
	for range 2 {
		wantErr(t, errOf(exchange(t, c, frame(17, 1, 1, plain...))), sarama.ErrNoError)
		answer := exchange(t, c, frame(36, 1, 1, token...))
		wantErr(t, errOf(answer), sarama.ErrNoError)
		if lifetime := binary.BigEndian.Uint64(answer[len(answer)-8:]); lifetime != 1100 {
			t.Errorf("a session of %d ms", lifetime)
		}
		exchange(t, c, metadata)
		time.Sleep(1200 * time.Millisecond)
	}
	_, err := c.Write(metadata)
	must(t, err)
	wantClosed(t, c)

	c = again()
	_, err = c.Write(metadata) // in the middle of it
	must(t, err)
	wantClosed(t, c)

	c = again()
	wantErr(t, errOf(exchange(t, c, frame(36, 1, 1, other...))), sarama.ErrSASLAuthenticationFailed)
	wantClosed(t, c)

	c = rawConn(t, cluster, 1) // a second time too soon
	for _, want := range []sarama.KError{sarama.ErrNoError, sarama.ErrNoError, sarama.ErrIllegalSASLState} {
		wantErr(t, errOf(exchange(t, c, frame(17, 1, 1, plain...))), want)
		exchange(t, c, frame(36, 1, 1, token...))
	}
}

func TestSaslStates(t *testing.T) {
	opts := one()
	opts.Users = map[string]string{"ann": "secret"}
	cluster := fakekafka.New(t, opts)
	plain := []byte{0, 5, 'P', 'L', 'A', 'I', 'N'}
	token := append([]byte{0, 0, 0, 11}, "\x00ann\x00secret"...)
	errOf := func(b []byte) sarama.KError { return sarama.KError(binary.BigEndian.Uint16(b[4:])) }

	c := rawConn(t, cluster, 1)
	exchange(t, c, frame(18, 0, 1)) // versions may be asked before
	_, err := c.Write(frame(3, 1, 1, 0, 0, 0, 0))
	must(t, err)
	wantClosed(t, c)

	c = rawConn(t, cluster, 1)
	wantErr(t, errOf(exchange(t, c, frame(17, 1, 1, 0, 3, 'X', 'Y', 'Z'))), sarama.ErrUnsupportedSASLMechanism)
	wantClosed(t, c)

	c = rawConn(t, cluster, 1)
	wantErr(t, errOf(exchange(t, c, frame(36, 0, 1, token...))), sarama.ErrIllegalSASLState)
	wantClosed(t, c)

	c = rawConn(t, cluster, 1)
	wantErr(t, errOf(exchange(t, c, frame(17, 1, 1, plain...))), sarama.ErrNoError)
	wantErr(t, errOf(exchange(t, c, frame(36, 0, 1, 0, 0, 0, 3, 'a', 'b', 'c'))), sarama.ErrSASLAuthenticationFailed)
	wantClosed(t, c)

	c = rawConn(t, cluster, 1)
	exchange(t, c, frame(17, 1, 1, plain...))
	wantErr(t, errOf(exchange(t, c, frame(36, 0, 1, token...))), sarama.ErrNoError)
	exchange(t, c, frame(3, 1, 1, 0, 0, 0, 0))
	wantErr(t, errOf(exchange(t, c, frame(17, 1, 1, plain...))), sarama.ErrIllegalSASLState)

	// Where nobody has to authenticate nobody can.
	c = rawConn(t, fakekafka.New(t, one()), 1)
	wantErr(t, errOf(exchange(t, c, frame(17, 1, 1, plain...))), sarama.ErrIllegalSASLState)
	wantErr(t, errOf(exchange(t, c, frame(36, 0, 1, token...))), sarama.ErrIllegalSASLState)
}
