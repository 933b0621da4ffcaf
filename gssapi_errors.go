package sarama

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/messages"
)

// failed is the error of a step. It is an ErrSASLAuthenticationFailed where
// another attempt with the same credentials would fare no better.
func (id *gssIdentity) failed(what string, err error) error {
	refused := credentialsRefused(err)
	err = fmt.Errorf("kafka: GSSAPI: %s, principal %s, service %s: %w", what, id.principal, id.spn, err)
	if refused && !errors.Is(err, ErrSASLAuthenticationFailed) {
		return Wrap(ErrSASLAuthenticationFailed, err)
	}
	return err
}

// refusalCodes are the errors of RFC 4120, section 7.5.9, by which a KDC or a
// broker says that something is wrong with the principal, its password or its
// ticket.
var refusalCodes = map[int32]bool{
	errorcode.KDC_ERR_NAME_EXP:            true,
	errorcode.KDC_ERR_SERVICE_EXP:         true,
	errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN: true,
	errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN: true,
	errorcode.KDC_ERR_NULL_KEY:            true,
	errorcode.KDC_ERR_POLICY:              true,
	errorcode.KDC_ERR_CLIENT_REVOKED:      true,
	errorcode.KDC_ERR_SERVICE_REVOKED:     true,
	errorcode.KDC_ERR_TGT_REVOKED:         true,
	errorcode.KDC_ERR_KEY_EXPIRED:         true,
	errorcode.KDC_ERR_PREAUTH_FAILED:      true,
	errorcode.KRB_AP_ERR_BAD_INTEGRITY:    true,
	errorcode.KRB_AP_ERR_TKT_EXPIRED:      true,
	errorcode.KRB_AP_ERR_BADKEYVER:        true,
	errorcode.KRB_AP_ERR_NOKEY:            true,
	errorcode.KRB_AP_ERR_MODIFIED:         true,
}

// refusalTexts are parts of the errors with which gokrb5 itself, without a KDC's
// answer, says the same. It has no values for them.
var refusalTexts = []string{
	"no valid existing session",            // the ticket in a credential cache has expired
	"TGT not found in CCache",              // there is none
	"matching key not found in keytab",     // none of the encryption type that the KDC wants
	"error decrypting AS_REP encrypted ",   // a wrong password, where the KDC does without pre-authentication
	"error decrypting EncPart of AS_REP: ", // same
}

// krbErrorCode finds the code of a KDC's error in texts: gokrb5 wraps nothing.
var krbErrorCode = regexp.MustCompile(`KRB Error: \((\d+)\)`)

// credentialsRefused reports whether an error of a Kerberos client says that the
// credentials are of no use, rather than that nobody could be asked.
func credentialsRefused(err error) bool {
	var krb messages.KRBError
	if errors.As(err, &krb) {
		return refusalCodes[krb.ErrorCode]
	}
	text := err.Error()
	for _, match := range krbErrorCode.FindAllStringSubmatch(text, -1) {
		if code, err := strconv.ParseInt(match[1], 10, 32); err == nil && refusalCodes[int32(code)] {
			return true
		}
	}
	for _, part := range refusalTexts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
