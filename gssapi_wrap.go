package sarama

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/types"
)

// The wrap tokens of RFC 4121, section 4.2.6.2, without confidentiality: a
// header, the payload, and a checksum of the payload and the header. The RRC
// field says how far payload and checksum together are rotated to the right.

const (
	wrapHeaderBytes = 16
	wrapTokenID     = 0x0504
	wrapFiller      = 0xff

	wrapSentByAcceptor = 1 << 0
	wrapSealed         = 1 << 1
	wrapAcceptorSubkey = 1 << 2

	// Key usages (RFC 4121, section 2). They differ by direction, so that a
	// token that is sent back to its maker has a wrong checksum.
	keyUsageAcceptorSeal  = 22
	keyUsageInitiatorSeal = 24
)

// wrapToken is an unsealed wrap token.
type wrapToken struct {
	flags    byte
	sequence uint64
	payload  []byte
}

// wrapUsage is the key usage of tokens with these flags.
func wrapUsage(flags byte) uint32 {
	if flags&wrapSentByAcceptor != 0 {
		return keyUsageAcceptorSeal
	}
	return keyUsageInitiatorSeal
}

// header is the token's header with these two fields. For the checksum both are
// zero.
func (t *wrapToken) header(checksumBytes, rotation uint16) []byte {
	h := binary.BigEndian.AppendUint16(make([]byte, 0, wrapHeaderBytes), wrapTokenID)
	h = append(h, t.flags, wrapFiller)
	h = binary.BigEndian.AppendUint16(h, checksumBytes)
	h = binary.BigEndian.AppendUint16(h, rotation)
	return binary.BigEndian.AppendUint64(h, t.sequence)
}

func (t *wrapToken) checksum(key types.EncryptionKey) ([]byte, error) {
	et, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		return nil, err
	}
	return et.GetChecksumHash(key.KeyValue, slices.Concat(t.payload, t.header(0, 0)), wrapUsage(t.flags))
}

// encode returns the token with its checksum.
func (t *wrapToken) encode(key types.EncryptionKey) ([]byte, error) {
	sum, err := t.checksum(key)
	if err != nil {
		return nil, err
	}
	return slices.Concat(t.header(uint16(len(sum)), 0), t.payload, sum), nil
}

// isWrapToken reports whether a message begins as a wrap token does.
func isWrapToken(b []byte) bool { return len(b) >= 2 && binary.BigEndian.Uint16(b) == wrapTokenID }

// readWrapToken reads a token with exactly these flags and verifies its
// checksum.
func readWrapToken(b []byte, key types.EncryptionKey, flags byte) (*wrapToken, error) {
	switch {
	case len(b) < wrapHeaderBytes:
		return nil, fmt.Errorf("wrap token of %d bytes, its header alone has %d", len(b), wrapHeaderBytes)
	case !isWrapToken(b):
		return nil, fmt.Errorf("token id %#04x is not that of a wrap token", binary.BigEndian.Uint16(b))
	case b[3] != wrapFiller:
		return nil, fmt.Errorf("wrap token with filler %#02x", b[3])
	case b[2]&wrapSealed != 0:
		return nil, errors.New("wrap token is encrypted, which RFC 4752 has no use for here")
	case b[2] != flags:
		return nil, fmt.Errorf("wrap token with flags %#02x, wanted %#02x", b[2], flags)
	}
	checksumBytes, rotation := int(binary.BigEndian.Uint16(b[4:])), int(binary.BigEndian.Uint16(b[6:]))
	rest := b[wrapHeaderBytes:]
	if checksumBytes > len(rest) {
		return nil, fmt.Errorf("wrap token says that its checksum has %d bytes, %d are left", checksumBytes, len(rest))
	}
	if len(rest) > 0 && rotation%len(rest) != 0 {
		rotation %= len(rest)
		rest = slices.Concat(rest[rotation:], rest[:rotation])
	}
	t := &wrapToken{flags: b[2], sequence: binary.BigEndian.Uint64(b[8:]), payload: rest[:len(rest)-checksumBytes]}
	sum, err := t.checksum(key)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(sum, rest[len(t.payload):]) {
		return nil, errors.New("wrap token with a wrong checksum")
	}
	return t, nil
}
