package sarama

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gofork "github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/krberror"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

var aesTypes = []int32{
	etypeID.AES128_CTS_HMAC_SHA1_96, etypeID.AES256_CTS_HMAC_SHA1_96,
	etypeID.AES128_CTS_HMAC_SHA256_128, etypeID.AES256_CTS_HMAC_SHA384_192,
}

// gssExchange is an offer that a broker has sent, and the context that it was
// sent in.
type gssExchange struct {
	context gssContext
	offer   []byte
}

// recordedExchanges are from Kafka 4.3.1 on Java 17, one for each encryption
// type.
var recordedExchanges = []gssExchange{
	recorded(18, "86e6571461d4236c847a7d0021f9d9b9a085ba5e92141b9548b1799ec62293d2", 997291725,
		"050401ff000c0000000000003b7176cd010100008fc1117957b623ecd826ece1"),
	recorded(17, "67922f923b09a9b743035dd606490c61", 272090219, "050401ff000c0000000000001037c46b010100006aa7250c5e5968bee9e6e2b0"),
	recorded(20, "4be1af0a66ebad7e6dd6367dc477ab216486497401f0b196f141fa4cfc331344", 980570916,
		"050401ff00180000000000003a72532401010000e93f53ae8dc7e2aa4c16dc1048703c3fc599a02cd9ed595f"),
	recorded(19, "b98b70873f657fda5531de6e83e00c5a", 15713160, "050401ff001000000000000000efc388010100008b3676565780a3f7cad8b5b33d16e568"),
}

func recorded(keyType int32, key string, sequence uint64, offer string) gssExchange {
	return gssExchange{gssContext{types.EncryptionKey{KeyType: keyType, KeyValue: fromHex(key)}, sequence}, fromHex(offer)}
}

func fromHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func mustGSS(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// awaitingOffer is a client that has sent its first token.
func awaitingOffer(context gssContext) *gssapiClient {
	return &gssapiClient{conf: &GSSAPIConfig{}, stage: GSS_API_VERIFY, security: context, identity: gssIdentity{"alice@R", "kafka/h"}}
}

func TestGSSAPIOffersOfRealBrokers(t *testing.T) {
	for _, x := range recordedExchanges {
		c := awaitingOffer(x.context)
		answer, err := c.step(t.Context(), x.offer)
		if err != nil {
			t.Errorf("type %d: %v", x.context.key.KeyType, err)
			continue
		}
		var token gssapi.WrapToken
		mustGSS(t, token.Unmarshal(answer, false))
		if ok, err := token.Verify(x.context.key, 24); !ok {
			t.Errorf("type %d: %v", x.context.key.KeyType, err)
		}
		if token.SndSeqNum != x.context.sequence || !bytes.Equal(token.Payload, []byte{1, 0, 0, 0}) || token.Flags != 0 {
			t.Errorf("type %d: answer %+v", x.context.key.KeyType, token)
		}
		if last, err := c.step(t.Context(), []byte{}); last != nil || err != nil {
			t.Errorf("at the end: %x, %v", last, err)
		}
		if _, err := c.step(t.Context(), nil); err == nil {
			t.Error("the client went on after the end")
		}
	}
}

// The oracle is gokrb5's codec of the same tokens.
func TestGSSAPIWrapTokens(t *testing.T) {
	for _, keyType := range aesTypes {
		et, err := crypto.GetEtype(keyType)
		mustGSS(t, err)
		key := types.EncryptionKey{KeyType: keyType, KeyValue: bytes.Repeat([]byte{0x5a}, et.GetKeyByteSize())}
		for _, flags := range []byte{0, wrapSentByAcceptor} {
			for _, payload := range [][]byte{{}, {1, 0, 0, 0}, bytes.Repeat([]byte("payload"), 100)} {
				mine := wrapToken{flags: flags, sequence: 1<<40 + 7, payload: payload}
				raw, err := mine.encode(key)
				mustGSS(t, err)
				if want := "0504" + hex.EncodeToString([]byte{flags}) + "ff" + fmt.Sprintf("%04x", et.GetHMACBitLength()/8) + "00000000010000000007"; hex.EncodeToString(raw[:16]) != want {
					t.Errorf("header %x, want %s", raw[:16], want)
				}
				var theirs gssapi.WrapToken
				mustGSS(t, theirs.Unmarshal(raw, flags != 0))
				if ok, err := theirs.Verify(key, wrapUsage(flags)); !ok || theirs.SndSeqNum != mine.sequence || !bytes.Equal(theirs.Payload, payload) {
					t.Errorf("type %d: gokrb5 reads %+v, %v", keyType, theirs, err)
				}
				theirs = gssapi.WrapToken{Flags: flags, EC: uint16(et.GetHMACBitLength() / 8), SndSeqNum: 9, Payload: payload}
				mustGSS(t, theirs.SetCheckSum(key, wrapUsage(flags)))
				raw, err = theirs.Marshal()
				mustGSS(t, err)
				for rotation := range 30 {
					got, err := readWrapToken(rotated(raw, rotation), key, flags)
					if err != nil || got.sequence != 9 || !bytes.Equal(got.payload, payload) {
						t.Errorf("type %d, rotated by %d: %+v, %v", keyType, rotation, got, err)
					}
				}
			}
		}
	}
}

// rotated rotates what follows a token's header to the right.
func rotated(token []byte, by int) []byte {
	head, rest := slices.Clone(token[:16]), slices.Clone(token[16:])
	binary.BigEndian.PutUint16(head[6:], uint16(by))
	for range by {
		rest = append(rest[len(rest)-1:], rest[:len(rest)-1]...)
	}
	return append(head, rest...)
}

// testTicket is a ticket of alice@R for a service, and the service's keytab.
func testTicket(t *testing.T, keyType int32) (messages.Ticket, types.EncryptionKey, *keytab.Keytab) {
	t.Helper()
	kt := keytab.New()
	mustGSS(t, kt.AddEntry("kafka/h", "R", "of the service", time.Unix(1, 0), 3, keyType))
	serviceKey, _, err := kt.GetEncryptionKey(types.NewPrincipalName(2, "kafka/h"), "R", 3, keyType)
	mustGSS(t, err)
	now := time.Now().UTC().Truncate(time.Second)
	part := messages.EncTicketPart{
		Flags: types.NewKrbFlags(), Key: types.EncryptionKey{KeyType: keyType, KeyValue: bytes.Repeat([]byte{0xa5}, len(serviceKey.KeyValue))},
		CRealm: "R", CName: types.NewPrincipalName(1, "alice"), AuthTime: now, StartTime: now, EndTime: now.Add(time.Hour), RenewTill: now.Add(time.Hour),
	}
	raw, err := gofork.Marshal(part)
	mustGSS(t, err)
	sealed, err := crypto.GetEncryptedData(asn1tools.AddASNAppTag(raw, asnAppTag.EncTicketPart), serviceKey, keyusage.KDC_REP_TICKET, 3)
	mustGSS(t, err)
	return messages.Ticket{TktVNO: 5, Realm: "R", SName: types.NewPrincipalName(2, "kafka/h"), EncPart: sealed}, part.Key, kt
}

// ticketClient is a KerberosClient with a ticket; what is not nil is called.
type ticketClient struct {
	login, ticket func() error
	tkt           messages.Ticket
	key           types.EncryptionKey
	destroyed     *int
}

func (c *ticketClient) Login() error {
	if c.login != nil {
		return c.login()
	}
	return nil
}

func (c *ticketClient) GetServiceTicket(string) (messages.Ticket, types.EncryptionKey, error) {
	if c.ticket != nil {
		return messages.Ticket{}, types.EncryptionKey{}, c.ticket()
	}
	return c.tkt, c.key, nil
}
func (c *ticketClient) Domain() string             { return "R" }
func (c *ticketClient) CName() types.PrincipalName { return types.NewPrincipalName(1, "alice") }
func (c *ticketClient) Destroy() {
	if c.destroyed != nil {
		*c.destroyed++
	}
}

// A service that has its key reads the first token, by gokrb5.
func TestGSSAPIFirstToken(t *testing.T) {
	for _, keyType := range append(slices.Clone(aesTypes), etypeID.RC4_HMAC) {
		ticket, key, kt := testTicket(t, keyType)
		token, context, err := newGSSToken(&ticketClient{}, ticket, key)
		mustGSS(t, err)
		var oid asn1.ObjectIdentifier
		rest, err := asn1.UnmarshalWithParams(token, &oid, "application,explicit,tag:0")
		if err != nil || oid.String() != "1.2.840.113554.1.2.2" || rest[0] != 1 || rest[1] != 0 {
			t.Fatalf("type %d: mechanism %s, %v, %x", keyType, oid, err, token[:20])
		}
		var req messages.APReq
		mustGSS(t, req.Unmarshal(rest[2:]))
		if ok, err := req.Verify(kt, time.Minute, types.HostAddress{}, nil); !ok {
			t.Fatalf("type %d: %v", keyType, err)
		}
		if req.PVNO != 5 || req.MsgType != 14 || !bytes.Equal(req.APOptions.Bytes, make([]byte, 4)) || req.EncryptedAuthenticator.KVNO != 0 {
			t.Errorf("type %d: request %+v", keyType, req)
		}
		a := req.Authenticator
		if a.CRealm != "R" || a.CName.PrincipalNameString() != "alice" || uint64(a.SeqNumber) != context.sequence {
			t.Errorf("type %d: %s@%s, number %d, not %d", keyType, a.CName.PrincipalNameString(), a.CRealm, a.SeqNumber, context.sequence)
		}
		want := append([]byte{16, 0, 0, 0}, append(make([]byte, 16), 0x20, 0, 0, 0)...)
		if a.Cksum.CksumType != 0x8003 || !bytes.Equal(a.Cksum.Checksum, want) {
			t.Errorf("type %d: checksum %#x %x", keyType, a.Cksum.CksumType, a.Cksum.Checksum)
		}
		wantType, wantBytes := keyType, len(key.KeyValue)
		if keyType == etypeID.RC4_HMAC {
			wantType, wantBytes = etypeID.AES128_CTS_HMAC_SHA1_96, 16
		}
		if a.SubKey.KeyType != wantType || len(a.SubKey.KeyValue) != wantBytes || bytes.Equal(a.SubKey.KeyValue, key.KeyValue) || !bytes.Equal(a.SubKey.KeyValue, context.key.KeyValue) {
			t.Errorf("type %d: subkey of type %d with %d bytes", keyType, a.SubKey.KeyType, len(a.SubKey.KeyValue))
		}
		_, again, err := newGSSToken(&ticketClient{}, ticket, key)
		if err != nil || bytes.Equal(again.key.KeyValue, context.key.KeyValue) {
			t.Errorf("type %d: the same subkey twice, %v", keyType, err)
		}
	}
}

// krbErrorToken is the token of an acceptor that refuses.
func krbErrorToken(code int32) []byte {
	krb := messages.NewKRBError(types.NewPrincipalName(2, "kafka/h"), "R", code, "so there")
	raw, err := krb.Marshal()
	if err != nil {
		panic(err)
	}
	return gssToken(gssTokenKRBError, raw)
}

func TestGSSAPIMalformedAnswers(t *testing.T) {
	x := recordedExchanges[0]
	context := x.context
	signed := func(flags byte, payload ...byte) []byte {
		raw, err := (&wrapToken{flags: flags, payload: payload}).encode(context.key)
		mustGSS(t, err)
		return raw
	}
	changed := func(at int, to byte) []byte {
		b := slices.Clone(x.offer)
		b[at] = to
		return b
	}
	other := gssContext{types.EncryptionKey{KeyType: 18, KeyValue: make([]byte, 32)}, 0}
	foreign, err := (&wrapToken{flags: wrapSentByAcceptor, payload: []byte{1, 0, 0, 0}}).encode(other.key)
	mustGSS(t, err)
	for _, test := range []struct {
		name   string
		answer []byte
		text   string
	}{
		{"nothing", nil, "0 bytes that are no token"},
		{"empty", []byte{}, "0 bytes that are no token"},
		{"one byte", []byte{5}, "1 bytes that are no token"},
		{"half a header", x.offer[:10], "its header alone has 16"},
		{"a header", x.offer[:16], "12 bytes, 0 are left"},
		{"cut off", x.offer[:len(x.offer)-1], "wrong checksum"},
		{"longer", append(slices.Clone(x.offer), 0), "wrong checksum"},
		{"changed offer", changed(16, 7), "wrong checksum"},
		{"changed sequence number", changed(15, 1), "wrong checksum"},
		{"changed checksum", changed(30, 1), "wrong checksum"},
		{"rotated otherwise than said", changed(7, 3), "wrong checksum"},
		{"checksum of no bytes", changed(5, 0), "wrong checksum"},
		{"checksum of all bytes", changed(5, 16), "wrong checksum"},
		{"checksum longer than all", changed(4, 0xff), "bytes, 16 are left"},
		{"another token id", changed(1, 5), "no element with the tag"},
		{"no filler", changed(3, 0), "filler 0x00"},
		{"encrypted", changed(2, 3), "encrypted"},
		{"a key of the acceptor's", changed(2, 5), "flags 0x05"},
		{"an own token", signed(0, 1, 0, 0, 0), "flags 0x00"},
		{"under another key", foreign, "wrong checksum"},
		{"no offer", signed(1), "0 bytes, not 4"},
		{"a short offer", signed(1, 1, 0, 0), "3 bytes, not 4"},
		{"a long offer", signed(1, 1, 0, 0, 0, 0), "5 bytes, not 4"},
		{"integrity alone", signed(1, 2, 0, 16, 0), "wants a security layer"},
		{"integrity and confidentiality", signed(1, 6, 0, 16, 0), "wants a security layer"},
		{"nothing offered", signed(1, 0, 0, 0, 0), "wants a security layer"},
		{"mutual authentication", gssToken(gssTokenAPRep, []byte("x")), "AP-REP"},
		{"its own kind", gssToken(TOK_ID_KRB_AP_REQ, []byte("x")), "id 0x0100"},
		{"an error", krbErrorToken(errorcode.KRB_AP_ERR_SKEW), "KRB_AP_ERR_SKEW"},
		{"an error that is none", gssToken(gssTokenKRBError, []byte{0x7e, 0x03, 0x30, 0x80, 1}), "cannot be read"},
		{"another mechanism", append([]byte{0x60, 13}, bytes.Repeat([]byte{6}, 13)...), "not of Kerberos 5"},
		{"a mechanism alone", append([]byte{0x60, 11}, gssKerberosOID...), "not of Kerberos 5"},
		{"no length", []byte{0x60}, "no element with the tag"},
		{"an endless length", []byte{0x60, 0x80, 0, 0}, "malformed length"},
		{"a length of five bytes", []byte{0x60, 0x85, 1, 1, 1, 1, 1}, "malformed length"},
		{"a length cut off", []byte{0x60, 0x84, 0xff}, "malformed length"},
		{"a huge length", []byte{0x60, 0x84, 0xff, 0xff, 0xff, 0xff}, "an element of 4294967295 bytes in 0"},
	} {
		c := awaitingOffer(context)
		token, err := c.step(t.Context(), test.answer)
		if token != nil || err == nil || !strings.Contains(err.Error(), test.text) || !strings.Contains(err.Error(), "principal alice@R, service kafka/h") {
			t.Errorf("%s: %x, %v", test.name, token, err)
		}
		if errors.Is(err, ErrSASLAuthenticationFailed) {
			t.Errorf("%s is said to be the credentials' fault: %v", test.name, err)
		}
		if _, err := c.step(t.Context(), x.offer); err == nil {
			t.Errorf("%s: the client went on", test.name)
		}
	}
	if _, err := awaitingOffer(context).step(t.Context(), krbErrorToken(errorcode.KRB_AP_ERR_NOKEY)); !errors.Is(err, ErrSASLAuthenticationFailed) {
		t.Errorf("a service without the key: %v", err)
	}
	c := awaitingOffer(context)
	_, err = c.step(t.Context(), x.offer)
	mustGSS(t, err)
	if _, err := c.step(t.Context(), []byte("more")); err == nil {
		t.Error("a message after the last was taken")
	}
}

func TestGSSAPIWhatIsTheCredentialsFault(t *testing.T) {
	krb := func(code int32) error { return messages.NewKRBError(types.PrincipalName{}, "R", code, "") }
	flat := func(err error) error { return krberror.Errorf(err, krberror.KDCError, "AS Exchange Error") }
	for _, test := range []struct {
		err  error
		want bool
	}{
		{krb(errorcode.KDC_ERR_PREAUTH_FAILED), true},
		{fmt.Errorf("wrapped: %w", krb(errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN)), true},
		{flat(krb(errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN)), true},
		{flat(krb(errorcode.KDC_ERR_KEY_EXPIRED)), true},
		{flat(krb(errorcode.KDC_ERR_CLIENT_REVOKED)), true},
		{flat(krb(errorcode.KRB_AP_ERR_TKT_EXPIRED)), true},
		{krberror.New(krberror.KRBMsgError, "cannot login, no user credentials available and no valid existing session"), true},
		{fmt.Errorf("matching key not found in keytab. Looking for %q", "alice"), true},
		{Wrap(ErrSASLAuthenticationFailed, errors.New("x")), true},
		{krb(errorcode.KRB_AP_ERR_SKEW), false},
		{flat(krb(errorcode.KDC_ERR_SVC_UNAVAILABLE)), false},
		{flat(krb(errorcode.KRB_ERR_GENERIC)), false},
		{krberror.New(krberror.NetworkingError, "failed sending AS_REQ to KDC: connection refused"), false},
		{krberror.New(krberror.NetworkingError, "Attempts made with UDP (KRB Error: (52) KRB_ERR_RESPONSE_TOO_BIG) and then TCP (refused)"), false},
		{errors.New("KRB Error: (99999999999999999999)"), false},
		{context.DeadlineExceeded, false},
	} {
		err := (&gssIdentity{"alice@R", "kafka/h"}).failed("logging in", test.err)
		if errors.Is(err, ErrSASLAuthenticationFailed) != test.want || !errors.Is(err, test.err) && !strings.Contains(err.Error(), test.err.Error()) {
			t.Errorf("%v: %v", test.err, err)
		}
	}
}

// Whatever becomes of an authentication, its Kerberos client is destroyed, once.
func TestGSSAPIDestroysItsKerberosClient(t *testing.T) {
	ticket, key, _ := testTicket(t, etypeID.AES256_CTS_HMAC_SHA1_96)
	broken := errors.New("broken")
	for _, test := range []struct {
		name   string
		client ticketClient
		text   string
	}{
		{"works", ticketClient{tkt: ticket, key: key}, ""},
		{"no login", ticketClient{login: func() error { return broken }}, "logging in, principal alice@R, service kafka/h: broken"},
		{"panic", ticketClient{login: func() error { panic("so malformed") }}, "logging in, principal alice@R, service kafka/h: malformed data: so malformed"},
		{"no ticket", ticketClient{ticket: func() error { return broken }}, "getting a ticket"},
		{"empty ticket", ticketClient{}, "the ticket is empty"},
		{"no key", ticketClient{tkt: ticket}, "making a token"},
		{"short key", ticketClient{tkt: ticket, key: types.EncryptionKey{KeyType: 18, KeyValue: []byte{1}}}, "making a token"},
	} {
		destroyed := 0
		test.client.destroyed = &destroyed
		auth := GSSAPIKerberosAuth{
			Config:                &GSSAPIConfig{ServiceName: "kafka", Username: "alice", Realm: "R", Password: "hunter2"},
			NewKerberosClientFunc: func(*GSSAPIConfig) (KerberosClient, error) { return &test.client, nil },
		}
		c, err := auth.client(NewBroker("h:9092"))
		mustGSS(t, err)
		token, err := c.step(t.Context(), nil)
		if test.text == "" && (err != nil || len(token) == 0) || test.text != "" && (err == nil || !strings.Contains(err.Error(), test.text)) {
			t.Errorf("%s: %d bytes, %v", test.name, len(token), err)
		}
		if destroyed != 1 {
			t.Errorf("%s: destroyed %d times", test.name, destroyed)
		}
	}
	for _, newClient := range []func(*GSSAPIConfig) (KerberosClient, error){
		func(*GSSAPIConfig) (KerberosClient, error) { return nil, broken },
		func(*GSSAPIConfig) (KerberosClient, error) { return nil, nil },
	} {
		if token, err := newGSSAPIClientWith(&GSSAPIConfig{}, "h:1", newClient).step(t.Context(), nil); err == nil || token != nil {
			t.Errorf("without a Kerberos client: %x, %v", token, err)
		}
	}
}

func TestGSSAPIServiceNames(t *testing.T) {
	for _, test := range []struct {
		addr  string
		build BuildSpnFunc
		want  string
	}{
		{"broker.example.com:9092", nil, "kafka/broker.example.com"},
		{"[::1]:9092", nil, "kafka/::1"},
		{"broker", nil, "kafka/broker"},
		{"b:1", func(service, host string) string { return host + "|" + service }, "b|kafka"},
	} {
		c := newGSSAPIClient(&GSSAPIConfig{ServiceName: "kafka", BuildSpn: test.build}, test.addr).(*gssapiClient)
		if got := c.spn(); got != test.want {
			t.Errorf("%s: %s, want %s", test.addr, got, test.want)
		}
	}
}

// FuzzGSSAPIServer has a broker answer with any bytes, and with any that it has
// signed. gokrb5's codec is the oracle of what may be taken.
func FuzzGSSAPIServer(f *testing.F) {
	for i, x := range recordedExchanges {
		f.Add(uint8(i), false, x.offer, []byte{})
		f.Add(uint8(i), true, x.offer[16:20], []byte{})
		f.Add(uint8(i), false, krbErrorToken(errorcode.KRB_AP_ERR_SKEW), []byte("x"))
		f.Add(uint8(i), false, gssToken(gssTokenAPRep, x.offer), []byte{})
	}
	f.Fuzz(func(t *testing.T, which uint8, sign bool, first, second []byte) {
		x := recordedExchanges[int(which)%len(recordedExchanges)]
		offer := first
		if sign {
			raw, err := (&wrapToken{flags: wrapSentByAcceptor, payload: first}).encode(x.context.key)
			mustGSS(t, err)
			offer = rotated(raw, int(which))
		}
		c := awaitingOffer(x.context)
		answer, err := c.step(context.Background(), slices.Clone(offer))
		if err == nil {
			var theirs gssapi.WrapToken
			if rotation := int(binary.BigEndian.Uint16(offer[6:])); rotation > 0 {
				offer = rotated(offer, (len(offer)-16)-rotation%(len(offer)-16))
			}
			mustGSS(t, theirs.Unmarshal(offer, true))
			if ok, err := theirs.Verify(x.context.key, 22); !ok || len(theirs.Payload) != 4 || theirs.Payload[0]&1 == 0 {
				t.Fatalf("taken: %x, %v", offer, err)
			}
			mustGSS(t, theirs.Unmarshal(answer, false))
			if ok, _ := theirs.Verify(x.context.key, 24); !ok || !bytes.Equal(theirs.Payload, []byte{1, 0, 0, 0}) {
				t.Fatalf("answered by %x", answer)
			}
		} else if sign && len(first) == 4 && first[0]&1 != 0 {
			t.Fatalf("refused %x: %v", offer, err)
		}
		if last, lastErr := c.step(context.Background(), second); last != nil || (lastErr == nil) != (err == nil && len(second) == 0) {
			t.Fatalf("second message %x: %x, %v", second, last, lastErr)
		}
	})
}
