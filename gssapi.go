package sarama

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Numbers of the GSSAPI mechanism. This package needs the first two of them;
// the others are here for programs that name them.
const (
	// TOK_ID_KRB_AP_REQ is the id of the token with which a client begins
	// (RFC 4121, section 4.1).
	TOK_ID_KRB_AP_REQ = 256
	// GSS_API_GENERIC_TAG is the first byte of that token (RFC 2743, section
	// 3.1).
	GSS_API_GENERIC_TAG = 0x60
	// GSS_API_INITIAL is the step in which the client sends its ticket.
	GSS_API_INITIAL = 1
	// GSS_API_VERIFY is the step in which the broker's answer is verified.
	GSS_API_VERIFY = 2
	// GSS_API_FINISH is the step in which there is nothing left to do.
	GSS_API_FINISH = 3
)

const (
	gssTokenAPRep    = 0x0200
	gssTokenKRBError = 0x0300

	gssFlagInteg = 32 // GSS_C_INTEG_FLAG

	gssNoSecurityLayer = 1 // bit of RFC 4752
	gssOfferBytes      = 4
)

// gssKerberosOID is the object identifier 1.2.840.113554.1.2.2 as tokens have
// it.
var gssKerberosOID = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}

// gssapiClient is GSSAPI with Kerberos 5 (RFC 4752, RFC 4121). It sends a
// ticket, gets an offer of security layers, and answers that it wants none.
//
// What proves the broker to the client is a subkey: the authenticator that goes
// with the ticket has a key in it that is made for this one connection. Only
// who has the service's key can read it, and the checksum of the offer is made
// with it. So the offer proves as much as the AP-REP of mutual authentication
// would, which would cost another round trip, and cannot be one that was
// recorded. Its sequence number therefore says nothing more: it is the first
// and only message under its key, and RFC 4121 leaves open where an acceptor
// begins to count that has sent no AP-REP.
type gssapiClient struct {
	// constant
	conf      *GSSAPIConfig
	host      string
	newClient func(*GSSAPIConfig) (KerberosClient, error)

	// owned by who calls step
	stage    int // the GSS_API_ constant of the next step; 0 at first
	identity gssIdentity
	security gssContext
}

// gssIdentity is who authenticates with whom, for errors.
type gssIdentity struct {
	principal string
	spn       string
}

// gssContext is what the initiator of a security context keeps of it.
type gssContext struct {
	key      types.EncryptionKey // the authenticator's subkey
	sequence uint64              // that the authenticator announces
}

// newGSSAPIClient begins an authentication with the broker at host:port.
func newGSSAPIClient(conf *GSSAPIConfig, brokerAddr string) saslClient {
	return newGSSAPIClientWith(conf, brokerAddr, NewKerberosClient)
}

func newGSSAPIClientWith(conf *GSSAPIConfig, brokerAddr string, newClient func(*GSSAPIConfig) (KerberosClient, error)) *gssapiClient {
	host, _, err := net.SplitHostPort(brokerAddr)
	if err != nil {
		host = brokerAddr
	}
	return &gssapiClient{conf: conf, host: host, newClient: newClient, stage: GSS_API_INITIAL}
}

func (c *gssapiClient) step(_ context.Context, challenge []byte) ([]byte, error) {
	stage := c.stage
	c.stage = 0 // after an error there is no next step
	switch stage {
	case GSS_API_INITIAL:
		token, err := c.begin()
		if err != nil {
			return nil, err
		}
		c.stage = GSS_API_VERIFY
		return token, nil
	case GSS_API_VERIFY:
		token, err := c.answerOffer(challenge)
		if err != nil {
			return nil, c.identity.failed("verifying the broker's answer", err)
		}
		c.stage = GSS_API_FINISH
		return token, nil
	case GSS_API_FINISH:
		if len(challenge) > 0 {
			return nil, c.identity.failed("finishing", fmt.Errorf("%d bytes from the broker after the last token", len(challenge)))
		}
		return nil, nil
	}
	return nil, errors.New("kafka: GSSAPI: the authentication is over")
}

// silent reports whether the server has nothing to say to the last message: a
// broker that is sent bare tokens (SASLHandshakeV0) then goes on with requests
// at once, and would be waited for in vain.
func (c *gssapiClient) silent() bool { return c.stage == GSS_API_FINISH }

// begin gets a ticket and makes the first token. The Kerberos library knows no
// context, but has timeouts of its own.
func (c *gssapiClient) begin() (token []byte, err error) {
	c.identity = gssIdentity{principal: c.conf.Username + "@" + c.conf.Realm, spn: c.spn()}
	token, c.security, err = beginGSSAPI(c.conf, &c.identity, c.newClient)
	return token, err
}

// spn is the broker's service principal name.
func (c *gssapiClient) spn() string {
	if c.conf.BuildSpn != nil {
		return c.conf.BuildSpn(c.conf.ServiceName, c.host)
	}
	return c.conf.ServiceName + "/" + c.host
}

// beginGSSAPI gets a ticket and makes the first token of it. What it makes of a
// Kerberos client is destroyed when it returns.
func beginGSSAPI(conf *GSSAPIConfig, id *gssIdentity, newClient func(*GSSAPIConfig) (KerberosClient, error)) (token []byte, security gssContext, err error) {
	what := "making the Kerberos client"
	err = guarded(func() error {
		client, err := newClient(conf)
		if err != nil {
			return err
		}
		if client == nil {
			return errors.New("there is none")
		}
		defer client.Destroy()
		id.principal = client.CName().PrincipalNameString() + "@" + client.Domain()
		what = "logging in"
		if err := client.Login(); err != nil {
			return err
		}
		what = "getting a ticket"
		ticket, key, err := client.GetServiceTicket(id.spn)
		if err != nil {
			return err
		}
		what = "making a token of the ticket"
		token, security, err = newGSSToken(client, ticket, key)
		return err
	})
	if err != nil {
		return nil, gssContext{}, id.failed(what, err)
	}
	return token, security, nil
}

// newGSSToken makes the first token, with an authenticator for a ticket.
func newGSSToken(client KerberosClient, ticket messages.Ticket, key types.EncryptionKey) ([]byte, gssContext, error) {
	if len(ticket.SName.NameString) == 0 {
		return nil, gssContext{}, errors.New("the ticket is empty")
	}
	auth, err := types.NewAuthenticator(client.Domain(), client.CName())
	if err != nil {
		return nil, gssContext{}, err
	}
	if err := auth.GenerateSeqNumberAndSubKey(subkeyFor(key)); err != nil {
		return nil, gssContext{}, err
	}
	auth.Cksum = types.Checksum{CksumType: chksumtype.GSSAPI, Checksum: gssChecksum(gssFlagInteg)}
	req, err := messages.NewAPReq(ticket, key, auth)
	if err != nil {
		return nil, gssContext{}, err
	}
	req.EncryptedAuthenticator.KVNO = 0 // session keys have no version (RFC 4120, section 5.2.9)
	raw, err := req.Marshal()
	if err != nil {
		return nil, gssContext{}, err
	}
	return gssToken(TOK_ID_KRB_AP_REQ, raw), gssContext{auth.SubKey, uint64(auth.SeqNumber)}, nil
}

// subkeyFor is type and size in bytes of the subkey that goes with a session
// key: the same, if it is AES. Older types would have the older tokens of RFC
// 1964; with an AES subkey theirs are those of RFC 4121, too. (The library has a
// wrong size for type 20.)
func subkeyFor(session types.EncryptionKey) (keyType int32, sizeBytes int) {
	switch session.KeyType {
	case etypeID.DES3_CBC_SHA1_KD, etypeID.RC4_HMAC:
		const aes128KeyBytes = 16
		return etypeID.AES128_CTS_HMAC_SHA1_96, aes128KeyBytes
	}
	return session.KeyType, len(session.KeyValue)
}

// gssChecksum is the "checksum" of the authenticator, which has the flags and
// no channel bindings (RFC 4121, section 4.1.1).
func gssChecksum(flags uint32) []byte {
	const bindingsBytes = 16
	b := binary.LittleEndian.AppendUint32(nil, bindingsBytes)
	b = append(b, make([]byte, bindingsBytes)...)
	return binary.LittleEndian.AppendUint32(b, flags)
}

// gssToken frames a Kerberos message (RFC 4121, section 4.1).
func gssToken(id uint16, message []byte) []byte {
	b := append([]byte{}, gssKerberosOID...)
	b = binary.BigEndian.AppendUint16(b, id)
	return asn1tools.AddASNAppTag(append(b, message...), 0)
}

// answerOffer verifies the offer of security layers and refuses all of them
// (RFC 4752, section 3.1).
func (c *gssapiClient) answerOffer(challenge []byte) ([]byte, error) {
	if !isWrapToken(challenge) {
		return nil, foreignTokenError(challenge)
	}
	var offer *wrapToken
	err := guarded(func() (err error) {
		offer, err = readWrapToken(challenge, c.security.key, wrapSentByAcceptor)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(offer.payload) != gssOfferBytes {
		return nil, fmt.Errorf("security layers in %d bytes, not %d", len(offer.payload), gssOfferBytes)
	}
	if offer.payload[0]&gssNoSecurityLayer == 0 {
		return nil, fmt.Errorf("the broker wants a security layer (it offers %#02x), which Kafka does not have", offer.payload[0])
	}
	// The rest is how large messages in a layer may be; without one it should
	// be zero, but Java's is not.
	//
	// The answer: no layer, so no largest message, and no other identity than
	// the ticket's.
	answer := wrapToken{sequence: c.security.sequence, payload: []byte{gssNoSecurityLayer, 0, 0, 0}}
	return answer.encode(c.security.key)
}

// foreignTokenError says what an answer is that is no wrap token.
func foreignTokenError(b []byte) error {
	id, message, err := readGSSToken(b)
	switch {
	case err != nil:
		return fmt.Errorf("%d bytes that are no token: %w", len(b), err)
	case id == gssTokenKRBError:
		var krb messages.KRBError
		if err := guarded(func() error { return krb.Unmarshal(message) }); err != nil {
			return fmt.Errorf("an error of Kerberos that cannot be read: %w", err)
		}
		return krb
	case id == gssTokenAPRep:
		return errors.New("an AP-REP, which was not asked for")
	}
	return fmt.Errorf("a token with the id %#04x", id)
}

// readGSSToken takes off the frame that gssToken puts on.
func readGSSToken(b []byte) (id uint16, message []byte, err error) {
	rest, err := readDERHead(b, GSS_API_GENERIC_TAG)
	if err != nil {
		return 0, nil, err
	}
	if !strings.HasPrefix(string(rest), string(gssKerberosOID)) || len(rest) < len(gssKerberosOID)+2 {
		return 0, nil, errors.New("not of Kerberos 5")
	}
	rest = rest[len(gssKerberosOID):]
	return binary.BigEndian.Uint16(rest), rest[2:], nil
}

// readDERHead reads tag and length of what is to be the whole of b, and returns
// the content.
func readDERHead(b []byte, tag byte) ([]byte, error) {
	if len(b) < 2 || b[0] != tag {
		return nil, fmt.Errorf("no element with the tag %#02x", tag)
	}
	size, rest := int(b[1]), b[2:]
	if size >= 0x80 {
		n := size & 0x7f
		if n == 0 || n > 4 || n > len(rest) {
			return nil, errors.New("an element with a malformed length")
		}
		size = 0
		for _, digit := range rest[:n] {
			size = size<<8 | int(digit)
		}
		rest = rest[n:]
	}
	if size != len(rest) {
		return nil, fmt.Errorf("an element of %d bytes in %d", size, len(rest))
	}
	return rest, nil
}
