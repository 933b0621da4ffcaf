package sarama

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana"
	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/msgtype"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// GSSApiHandlerFunc answers the bare tokens that a MockBroker gets. It is given
// a token with the four bytes of its length before it, and returns what is
// written to the connection as it is: a token with its length, or nothing.
type GSSApiHandlerFunc func([]byte) []byte

// mockRealm is the realm of the mock's principals.
const mockRealm = "EXAMPLE.COM"

// mockService is whom the mock's tickets are for, whatever they are asked for.
var mockService = types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", mockRealm}}

// mockKeytab has the key that the mock's tickets are encrypted with. It is no
// secret.
var mockKeytab = sync.OnceValues(func() (*keytab.Keytab, error) {
	kt := keytab.New()
	err := kt.AddEntry(mockService.PrincipalNameString(), mockRealm, "mock", time.Unix(0, 0), 1, etypeID.AES256_CTS_HMAC_SHA1_96)
	return kt, err
})

// mockTicketLife is how long tickets of the mock are valid. Nobody looks at
// that but a test.
const mockTicketLife = 24 * time.Hour

// MockKerberosClient is a KerberosClient for tests that needs no KDC. Its
// tickets are what KafkaGSSAPIHandler takes.
type MockKerberosClient struct {
	// ASRep is what Login has got, as a KDC would send it: a ticket of
	// client@EXAMPLE.COM. GetServiceTicket returns its ticket and its key.
	ASRep messages.ASRep
}

// Login fills ASRep with a ticket that it makes.
func (c *MockKerberosClient) Login() error {
	kt, err := mockKeytab()
	if err != nil {
		return fmt.Errorf("kafka: mock of Kerberos: %w", err)
	}
	name := types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, "client")
	from := time.Now().UTC().Truncate(time.Second)
	till := from.Add(mockTicketLife)
	ticket, key, err := messages.NewTicket(name, mockRealm, mockService, mockRealm, types.NewKrbFlags(), kt,
		etypeID.AES256_CTS_HMAC_SHA1_96, 1, from, from, till, till)
	if err != nil {
		return fmt.Errorf("kafka: mock of Kerberos: %w", err)
	}
	c.ASRep = messages.ASRep{KDCRepFields: messages.KDCRepFields{
		PVNO: iana.PVNO, MsgType: msgtype.KRB_AS_REP, CRealm: mockRealm, CName: name, Ticket: ticket,
		DecryptedEncPart: messages.EncKDCRepPart{
			Key: key, AuthTime: from, StartTime: from, EndTime: till, RenewTill: till, SRealm: mockRealm, SName: mockService,
		},
	}}
	return nil
}

// GetServiceTicket returns the ticket and the key of ASRep, for any service.
func (c *MockKerberosClient) GetServiceTicket(spn string) (messages.Ticket, types.EncryptionKey, error) {
	return c.ASRep.Ticket, c.ASRep.DecryptedEncPart.Key, nil
}

// Domain is EXAMPLE.COM.
func (c *MockKerberosClient) Domain() string { return mockRealm }

// CName is kafka/kafka.
func (c *MockKerberosClient) CName() types.PrincipalName {
	return types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, "kafka/kafka")
}

// Destroy does nothing.
func (c *MockKerberosClient) Destroy() {}

// mockContextsMax is how many clients may be halfway through with one handler;
// beyond, the oldest is forgotten.
const mockContextsMax = 64

// KafkaGSSAPIHandler is the broker's side of GSSAPI for tests, for tickets of
// MockKerberosClient. The zero value is ready; its method may be called from
// any goroutine, and one handler may serve many connections.
type KafkaGSSAPIHandler struct {
	mu      sync.Mutex
	waiting []gssContext // of clients whose last token has not come
}

// MockKafkaGSSAPI is a GSSApiHandlerFunc. The token with a ticket is answered
// by an offer of no security layer, the one after that by nothing; any other by
// an error of Kerberos.
func (h *KafkaGSSAPIHandler) MockKafkaGSSAPI(buffer []byte) []byte {
	var answer []byte
	err := guarded(func() (err error) {
		if len(buffer) < 4 || int64(binary.BigEndian.Uint32(buffer)) != int64(len(buffer)-4) {
			return errors.New("no token behind its length")
		}
		if token := buffer[4:]; isWrapToken(token) {
			err = h.finish(token)
		} else {
			answer, err = h.accept(token)
		}
		return err
	})
	if err != nil {
		answer = mockRefusal(err)
	}
	if answer == nil {
		return nil
	}
	return behindLength(answer)
}

// accept opens a ticket and makes the offer.
func (h *KafkaGSSAPIHandler) accept(token []byte) ([]byte, error) {
	id, message, err := readGSSToken(token)
	if err != nil {
		return nil, err
	}
	if id != TOK_ID_KRB_AP_REQ {
		return nil, fmt.Errorf("a token with the id %#04x", id)
	}
	kt, err := mockKeytab()
	if err != nil {
		return nil, err
	}
	var req messages.APReq
	if err := req.Unmarshal(message); err != nil {
		return nil, err
	}
	if err := req.Ticket.DecryptEncPart(kt, nil); err != nil {
		return nil, err
	}
	key := req.Ticket.DecryptedEncPart.Key
	if err := req.DecryptAuthenticator(key); err != nil {
		return nil, err
	}
	if subkey := req.Authenticator.SubKey; len(subkey.KeyValue) > 0 {
		key = subkey
	}
	context := gssContext{key, uint64(req.Authenticator.SeqNumber)}
	h.mu.Lock()
	h.waiting = append(h.waiting, context)
	if len(h.waiting) > mockContextsMax {
		h.waiting = h.waiting[1:]
	}
	h.mu.Unlock()
	offer := wrapToken{flags: wrapSentByAcceptor, sequence: context.sequence, payload: []byte{gssNoSecurityLayer, 0, 0, 0}}
	return offer.encode(key)
}

// finish looks for the client whose last token this is.
func (h *KafkaGSSAPIHandler) finish(token []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := errors.New("nobody's turn")
	for i, context := range h.waiting {
		var t *wrapToken
		if t, err = readWrapToken(token, context.key, 0); err != nil {
			continue
		}
		h.waiting = append(h.waiting[:i:i], h.waiting[i+1:]...)
		if len(t.payload) < gssOfferBytes || t.payload[0] != gssNoSecurityLayer {
			return fmt.Errorf("a choice of security layers %x", t.payload)
		}
		return nil
	}
	return err
}

// mockRefusal is a token with an error of Kerberos. A client that has sent its
// last token takes it for an answer to its next request, and fails as well.
func mockRefusal(err error) []byte {
	krb := messages.NewKRBError(mockService, mockRealm, errorcode.KRB_AP_ERR_MODIFIED, err.Error())
	raw, err := krb.Marshal()
	if err != nil {
		return nil
	}
	return gssToken(gssTokenKRBError, raw)
}
